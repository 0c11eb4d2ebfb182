//! What a worker does when nothing goes wrong.

#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mq_core::clock::now;
use mq_core::{Context, JobRequest, Middleware, Next, Outcome, QueueName, State};
use mq_testkit::RedisServer;
use mq_worker::{BuildProblem, Worker};
use support::*;

job!(Note { text: String }, "note");
job!(Other { n: u32 }, "other", mq_core::JobOptions::DEFAULT.queue("second"));
job!(Slow { n: u32 }, "slow", mq_core::JobOptions::DEFAULT.blocking(true));

fn note(text: &str) -> Note {
    Note { text: text.to_owned() }
}

async fn write_down(job: Note, cx: Context<Notes>) -> Result<(), String> {
    cx.state().add(job.text);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_run_once_and_are_gone() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    for n in 0..500 {
        mq.enqueue(note(&format!("{n}"))).await.unwrap();
    }
    let worker = Worker::builder(&mq).state(notes.clone()).job_fn(write_down).build().unwrap();
    let worker = worker.spawn();
    eventually(|| format!("{:?}", worker.report()), async || worker.report().done == 500).await;
    let report = within(worker.stop(Duration::from_secs(5))).await.unwrap();
    assert_eq!((report.done, report.failed, report.fenced), (500, 0, 0));
    let mut seen = notes.all();
    assert_eq!(seen.len(), 500);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 500);
    nothing_left(&mq).await;
    let stats = mq.admin().queue("default").await.unwrap().stats;
    assert_eq!((stats.enqueued_total, stats.done_total, stats.workers), (500, 500, 0));
    assert!(mq.admin().workers().await.unwrap().is_empty(), "a stopped worker has left");
}

#[tokio::test]
async fn a_single_thread_is_enough() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let worker = Worker::builder(&mq).state(notes.clone()).job_fn(write_down).build().unwrap();
    let worker = worker.spawn();
    mq.enqueue(note("a")).await.unwrap();
    notes.has("a", 1).await;
    within(worker.stop(Duration::from_secs(5))).await.unwrap();
    nothing_left(&mq).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_worker_starts_a_job_at_once_and_a_delayed_one_at_its_time() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let worker = Worker::builder(&mq).state(notes.clone()).job_fn(write_down).build().unwrap();
    let worker = worker.spawn();
    mq.enqueue(note("warm")).await.unwrap();
    notes.has("warm", 1).await;
    let mut fastest = Duration::MAX;
    for n in 0..20 {
        let text = format!("now {n}");
        let asked = now();
        mq.enqueue(note(&text)).await.unwrap();
        notes.has(&text, 1).await;
        fastest = fastest.min(notes.when(&text).unwrap() - asked);
    }
    assert!(fastest < Duration::from_millis(100), "{fastest:?}");
    let mut least_late = Duration::MAX;
    for n in 0..5 {
        let (text, delay) = (format!("later {n}"), Duration::from_millis(300));
        let asked = now();
        mq.enqueue(note(&text)).delay(delay).await.unwrap();
        notes.has(&text, 1).await;
        let took = notes.when(&text).unwrap() - asked;
        // The store's clock has whole milliseconds.
        assert!(took + Duration::from_millis(1) >= delay, "too early: {took:?}");
        least_late = least_late.min(took.saturating_sub(delay));
    }
    assert!(least_late < Duration::from_millis(100), "{least_late:?}");
    within(worker.stop(Duration::from_secs(5))).await.unwrap();
}

struct Layer(&'static str, Notes);

impl Middleware for Layer {
    async fn call(&self, request: JobRequest, next: Next<'_>) -> Outcome {
        self.1.add(format!("{} in {}", self.0, request.kind()));
        let outcome = next.run(request).await;
        self.1.add(format!("{} out {}", self.0, outcome.is_done()));
        outcome
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_wrap_the_handler_in_the_order_they_were_added() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let worker = Worker::builder(&mq)
        .state(notes.clone())
        .layer(Layer("first", notes.clone()))
        .layer(Layer("second", notes.clone()))
        .job_fn(write_down)
        .build()
        .unwrap()
        .spawn();
    mq.enqueue(note("handler")).await.unwrap();
    notes.has("first out true", 1).await;
    let order = ["first in note", "second in note", "handler", "second out true", "first out true"];
    assert_eq!(notes.all(), order);
    within(worker.stop(Duration::from_secs(5))).await.unwrap();
}

#[tokio::test]
async fn a_blocking_handler_does_not_hold_up_the_others() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(std::sync::Mutex::new(released));
    let blocks = move |_: Slow, cx: Context<Notes>| {
        let released = Arc::clone(&released);
        async move {
            cx.state().add("blocks");
            let _ = released.lock().unwrap().recv_timeout(PATIENCE);
            cx.state().add("unblocked");
            Ok::<_, String>(())
        }
    };
    let worker = Worker::builder(&mq)
        .state(notes.clone())
        .job_fn(blocks)
        .job_fn(write_down)
        .build()
        .unwrap()
        .spawn();
    mq.enqueue(Slow { n: 1 }).await.unwrap();
    notes.has("blocks", 1).await;
    mq.enqueue(note("meanwhile")).await.unwrap();
    notes.has("meanwhile", 1).await;
    assert_eq!(notes.count("unblocked"), 0);
    release.send(()).unwrap();
    notes.has("unblocked", 1).await;
    let report = within(worker.stop(Duration::from_secs(5))).await.unwrap();
    assert_eq!(report.done, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_that_keep_their_threads_hold_up_no_job_that_was_claimed_with_them() {
    const JOBS: usize = 6;
    let server = RedisServer::start();
    let mq = client(&server).await;
    mq.enqueue_all((0..JOBS).map(|n| note(&n.to_string()))).await.unwrap();
    let meeting = Arc::new((std::sync::Mutex::new(0), std::sync::Condvar::new()));
    // More of them than there are threads, and none ends before all have begun.
    let meet = move |_: Note, _: Context<()>| {
        let meeting = Arc::clone(&meeting);
        async move {
            tokio::task::block_in_place(|| {
                let (there, all) = &*meeting;
                let mut there = there.lock().unwrap();
                *there += 1;
                all.notify_all();
                let some_lack = |there: &mut usize| *there < JOBS;
                let (_there, result) =
                    all.wait_timeout_while(there, PATIENCE / 2, some_lack).unwrap();
                if result.timed_out() { Err("some have not begun") } else { Ok(()) }
            })
        }
    };
    let worker = Worker::builder(&mq).job_fn(meet).build().unwrap().spawn();
    let ended = || worker.report().done + worker.report().failed == JOBS as u64;
    eventually(|| format!("{:?}", worker.report()), async || ended()).await;
    let report = within(worker.stop(Duration::from_secs(5))).await.unwrap();
    assert_eq!((report.done, report.failed), (JOBS as u64, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_jobs_run_at_a_time_than_allowed_in_all_and_per_queue() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    mq.enqueue_all((0..60).map(|n| note(&n.to_string()))).await.unwrap();
    mq.enqueue_all((0..60).map(|n| Other { n })).await.unwrap();
    #[derive(Clone, Default)]
    struct Gauge(Arc<[(AtomicUsize, AtomicUsize); 3]>);
    impl Gauge {
        async fn hold(&self, queue: usize) {
            for at in [queue, 2] {
                let (current, most) = &self.0[at];
                most.fetch_max(current.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            }
            // sleep: this is the work.
            tokio::time::sleep(Duration::from_millis(3)).await;
            for at in [queue, 2] {
                self.0[at].0.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }
    let gauge = Gauge::default();
    let worker = Worker::builder(&mq)
        .queue("default", 1)
        .queue("second", 5)
        .queue_concurrency("second", 2)
        .concurrency(6)
        .state(gauge.clone())
        .job_fn(|_: Note, cx: Context<Gauge>| async move {
            cx.state().hold(0).await;
            Ok::<_, String>(())
        })
        .job_fn(|_: Other, cx: Context<Gauge>| async move {
            cx.state().hold(1).await;
            Ok::<_, String>(())
        })
        .build()
        .unwrap()
        .spawn();
    eventually(|| format!("{:?}", worker.report()), async || worker.report().done == 120).await;
    within(worker.stop(Duration::from_secs(5))).await.unwrap();
    let most = |at: usize| gauge.0[at].1.load(Ordering::SeqCst);
    assert!(most(1) <= 2 && most(2) <= 6, "{} {} {}", most(0), most(1), most(2));
    assert_eq!(most(2), 6, "all slots are used while there is work");
    nothing_left(&mq).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strict_order_empties_the_first_queue_first_and_weights_mix() {
    for strict in [true, false] {
        let server = RedisServer::start();
        let mq = client(&server).await;
        mq.enqueue_all((0..60).map(|_| note("first"))).await.unwrap();
        mq.enqueue_all((0..60).map(|n| Other { n })).await.unwrap();
        let notes = Notes::default();
        let mut builder = Worker::builder(&mq)
            .queue("default", 1)
            .queue("second", 1)
            .concurrency(1)
            .state(notes.clone())
            .job_fn(write_down)
            .job_fn(|_: Other, cx: Context<Notes>| async move {
                cx.state().add("second");
                Ok::<_, String>(())
            });
        if strict {
            builder = builder.strict_order();
        }
        let worker = builder.build().unwrap().spawn();
        eventually(|| format!("{:?}", worker.report()), async || worker.report().done == 120).await;
        within(worker.stop(Duration::from_secs(5))).await.unwrap();
        let early = notes.all()[..60].iter().filter(|&text| text == "second").count();
        let expected = if strict { 0..=0 } else { 10..=50 };
        assert!(expected.contains(&early), "{early} of the second queue among the first 60");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_with_a_backlog_does_not_hide_a_more_urgent_one() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    mq.enqueue_all((0..400).map(|n| Other { n })).await.unwrap();
    let notes = Notes::default();
    let worker = Worker::builder(&mq)
        .queue("default", 1)
        .queue("second", 1)
        .strict_order()
        .concurrency(2)
        .state(notes.clone())
        .job_fn(write_down)
        .job_fn(|_: Other, cx: Context<Notes>| async move {
            // sleep: this is the work.
            tokio::time::sleep(Duration::from_millis(5)).await;
            cx.state().add("second");
            Ok::<_, String>(())
        })
        .build()
        .unwrap()
        .spawn();
    // By now the urgent queue was found empty, and the other one keeps the worker busy.
    notes.has("second", 20).await;
    mq.enqueue(note("urgent")).await.unwrap();
    notes.has("urgent", 1).await;
    let before = notes.count("second");
    assert!(before < 200, "{before} others went first");
    within(worker.stop(Duration::from_secs(5))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_queue_is_left_alone_until_it_is_resumed() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    mq.admin().pause("default").await.unwrap();
    let notes = Notes::default();
    let worker = Worker::builder(&mq)
        .queue("default", 1)
        .queue("second", 1)
        .state(notes.clone())
        .job_fn(write_down)
        .job_fn(|_: Other, cx: Context<Notes>| async move {
            cx.state().add("other");
            Ok::<_, String>(())
        })
        .build()
        .unwrap()
        .spawn();
    mq.enqueue(note("paused")).await.unwrap();
    mq.enqueue(Other { n: 1 }).await.unwrap();
    notes.has("other", 1).await;
    assert_eq!(mq.admin().queue("default").await.unwrap().stats.ready, 1);
    mq.admin().resume("default").await.unwrap();
    notes.has("paused", 1).await;
    within(worker.stop(Duration::from_secs(5))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_worker_sends_about_one_command_per_second() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let worker = Worker::builder(&mq)
        .queue("default", 1)
        .state(notes.clone())
        .job_fn(write_down)
        .build()
        .unwrap()
        .spawn();
    mq.enqueue(note("warm")).await.unwrap();
    notes.has("warm", 1).await;
    eventually(|| "the end of the job".into(), async || worker.report().done == 1).await;
    redis(&server, &["CONFIG", "RESETSTAT"]).await;
    let seconds = 8;
    // sleep: an idle worker is watched for so long.
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let sent = commands_sent(&server).await;
    println!("idle worker, {seconds} s: {sent:?}");
    let count: u64 = sent.iter().map(|(_, calls)| calls).sum();
    assert!(count <= 2 * seconds, "{count} commands in {seconds} s: {sent:?}");
    within(worker.stop(Duration::from_secs(5))).await.unwrap();
}

/// Commands that clients sent, without those that scripts called.
async fn commands_sent(server: &RedisServer) -> Vec<(String, u64)> {
    let stats: String =
        redis::from_redis_value(redis(server, &["INFO", "commandstats"]).await).unwrap();
    let outer =
        ["evalsha", "eval", "bzpopmin", "ping", "client", "hello", "multi", "exec", "fcall"];
    let lines = stats.lines().filter_map(|line| line.strip_prefix("cmdstat_"));
    let lines = lines.filter_map(|line| line.split_once(":calls="));
    let calls = |rest: &str| rest.split(',').next().unwrap().parse().unwrap();
    lines
        .map(|(name, rest)| (name.split('|').next().unwrap().to_owned(), calls(rest)))
        .filter(|(name, _)| outer.contains(&name.as_str()))
        .collect()
}

#[tokio::test]
async fn everything_wrong_is_said_at_once() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let error = Worker::builder(&mq)
        .queue("a", 0)
        .queue("a", 1)
        .queue("\n", 1)
        .queue_concurrency("b", 1)
        .queue_concurrency("a", 0)
        .concurrency(0)
        .lease(Duration::from_millis(10))
        .poison_limit(0)
        .job_fn(write_down)
        .build()
        .unwrap_err();
    let text = error.to_string();
    assert_eq!(error.problems().len(), 9, "{text}");
    let twice = BuildProblem::QueueTwice(QueueName::new("a").unwrap());
    assert!(error.problems().contains(&twice));
    assert!(text.contains("needs state") && text.contains("running.rs:"), "{text}");
    let error = Worker::builder(&mq).build().unwrap_err();
    assert!(error.to_string().contains("use my_jobs as _;"), "{error}");
}

#[tokio::test]
async fn without_named_queues_the_queues_of_the_jobs_are_served() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let worker = Worker::builder(&mq)
        .state(notes.clone())
        .job_fn(|_: Other, cx: Context<Notes>| async move {
            cx.state().add(cx.queue().to_string());
            Ok::<_, String>(())
        })
        .build()
        .unwrap()
        .spawn();
    mq.enqueue(Other { n: 1 }).await.unwrap();
    notes.has("second", 1).await;
    mq.enqueue(Other { n: 1 }).queue("default").await.unwrap();
    notes.has("default", 1).await;
    let kept = mq.enqueue(Other { n: 1 }).retention(Duration::from_secs(60)).await.unwrap();
    job_in(&mq, kept.id, State::Done).await;
    within(worker.stop(Duration::from_secs(5))).await.unwrap();
}
