//! The way down: quiet, drain, hand back.

#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use mq_core::clock::now;
use mq_core::{Client, Context, State};
use mq_testkit::{MemoryEngine, RedisServer};
use mq_worker::{RunError, Worker};
use support::*;
use tokio::sync::oneshot;

job!(Task { what: String }, "task");

fn task(what: &str) -> Task {
    Task { what: what.to_owned() }
}

async fn act(job: Task, cx: Context<Notes>) -> Result<(), String> {
    cx.state().add(format!("{} {}", job.what, cx.attempt()));
    match job.what.as_str() {
        "until stopping" => cx.stopping().await,
        "until cancelled" => {
            cx.cancelled().await;
            cx.state().add("cancelled");
            return Err("cut off".to_owned());
        }
        "for ever" => std::future::pending().await,
        _ => {}
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_that_end_within_the_grace_are_done() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let worker = Worker::builder(&mq).state(notes.clone()).job_fn(act).build().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let run = tokio::spawn(worker.run_until(stopped));
    mq.enqueue(task("until stopping")).await.unwrap();
    notes.has("until stopping 1", 1).await;
    stop.send(()).unwrap();
    let report = within(run).await.unwrap().unwrap();
    assert_eq!((report.done, report.handed_back), (1, 0));
    nothing_left(&mq).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_that_do_not_end_are_handed_back_at_the_front_without_burning_an_attempt() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let build = || {
        let builder = Worker::builder(&mq).queue("default", 1).concurrency(2);
        builder.state(notes.clone()).job_fn(act).build().unwrap()
    };
    let worker = build().spawn();
    mq.enqueue(task("for ever")).await.unwrap();
    mq.enqueue(task("until cancelled")).await.unwrap();
    notes.has("for ever 1", 1).await;
    notes.has("until cancelled 1", 1).await;
    for n in 0..3 {
        mq.enqueue(task(&format!("behind {n}"))).await.unwrap();
    }
    let asked = now();
    let report = within(worker.stop(Duration::from_millis(200))).await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!((report.done, report.failed, report.handed_back), (0, 0, 2));
    assert_eq!(notes.count("cancelled"), 1, "handlers are told before they are cut off");
    let stats = mq.admin().queue("default").await.unwrap().stats;
    assert_eq!((stats.ready, stats.running, stats.workers), (5, 0, 0));
    consistent(&mq).await;

    let worker = build().spawn();
    notes.has("for ever 1", 2).await;
    notes.has("until cancelled 1", 2).await;
    assert!(notes.all().iter().all(|note| !note.starts_with("behind")), "{:?}", notes.all());
    within(worker.stop(Duration::ZERO)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_at_any_moment_waits_for_nothing_when_nothing_runs() {
    let (server, notes) = (RedisServer::start(), Notes::default());
    let mq = client(&server).await;
    let grace = Duration::from_secs(10);
    // The moment that was missed is short, and most likely right after a job.
    for round in 0..60 {
        let builder = Worker::builder(&mq).queue("default", 1).state(notes.clone());
        let worker = builder.job_fn(act).build().unwrap().spawn();
        let id = mq.enqueue(task("quick")).await.unwrap().id;
        gone(&mq, id).await;
        let asked = now();
        within(worker.stop(grace)).await.unwrap();
        assert!(asked.elapsed() < grace / 2, "round {round} took {:?}", asked.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_worker_takes_nothing_new_and_ends_what_it_has() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let worker = Worker::builder(&mq).state(notes.clone()).job_fn(act).build().unwrap().spawn();
    let running = mq.enqueue(task("until cancelled")).await.unwrap().id;
    notes.has("until cancelled 1", 1).await;
    worker.quiet();
    let later = mq.enqueue(task("later")).await.unwrap().id;
    // It is told of a cancellation by its beats, so they go on; and it sends what has ended.
    mq.admin().cancel(running).await.unwrap();
    gone(&mq, running).await;
    assert_eq!(notes.count("later 1"), 0);
    assert_eq!(job_in(&mq, later, State::Ready).await.attempts, 0);
    assert!(!worker.is_finished());
    within(worker.stop(Duration::from_secs(5))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_future_stops_the_worker_and_hands_back() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let worker = Worker::builder(&mq).state(notes.clone()).job_fn(act).build().unwrap();
    let run = tokio::spawn(worker.run_until(std::future::pending::<()>()));
    let id = mq.enqueue(task("for ever")).await.unwrap().id;
    notes.has("for ever 1", 1).await;
    run.abort();
    assert_eq!(job_in(&mq, id, State::Ready).await.attempts, 0);
    let gone = async || mq.admin().workers().await.unwrap().is_empty();
    eventually(|| "the worker to leave".into(), gone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_store_does_not_hold_the_stop_up_for_ever() {
    let mut server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let worker = Worker::builder(&mq).state(notes.clone()).job_fn(act).build().unwrap().spawn();
    mq.enqueue(task("until stopping")).await.unwrap();
    notes.has("until stopping 1", 1).await;
    server.kill9();
    let asked = now();
    let error = tokio::time::timeout(Duration::from_secs(40), worker.stop(Duration::from_secs(1)));
    let error = error.await.expect("the stop must not hang").unwrap_err();
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
    assert!(matches!(error, RunError::Unsent { unsent: 1, .. }), "{error}");
}

/// The only test of this process that sends signals, which every listener in it hears.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_the_grace_at_once() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let worker = Worker::builder(&mq)
        .grace(Duration::from_secs(600))
        .state(notes.clone())
        .job_fn(act)
        .build()
        .unwrap();
    let listening = Arc::new(tokio::sync::Notify::new());
    let signal = {
        let (listening, mut signal) = (Arc::clone(&listening), mq_worker::shutdown_signal());
        std::future::poll_fn(move |cx| {
            let poll = std::pin::Pin::new(&mut signal).poll(cx);
            listening.notify_one();
            poll
        })
    };
    let run = tokio::spawn(worker.run_until(signal));
    let id = mq.enqueue(task("for ever")).await.unwrap().id;
    mq.enqueue(task("until stopping")).await.unwrap();
    notes.has("for ever 1", 1).await;
    notes.has("until stopping 1", 1).await;
    listening.notified().await;
    kill("TERM");
    // The first signal begins the stop, and the job that looks for it ends.
    let one_left = async || mq.admin().queue("default").await.unwrap().stats.running == 1;
    eventually(|| "the first job to end".into(), one_left).await;
    assert!(!run.is_finished());
    kill("INT");
    let report = within(run).await.unwrap().unwrap();
    assert_eq!((report.done, report.handed_back), (1, 1));
    assert_eq!(job_in(&mq, id, State::Ready).await.attempts, 0);
}

#[cfg(unix)]
fn kill(signal: &str) {
    let command = format!("kill -{signal} {}", std::process::id());
    let status = std::process::Command::new("sh").args(["-c", &command]).status().unwrap();
    assert!(status.success());
}

/// On one thread and a store that answers at once, each turn of the runtime is one step of the
/// loop, so the order comes between any two of them.
#[tokio::test]
async fn an_idle_worker_stops_at_once_wherever_it_is_told_to() {
    for steps in 0..40 {
        let mq = Client::with_engine(Arc::new(MemoryEngine::new(1_750_000_000_000)));
        let builder = Worker::builder(&mq).state(Notes::default()).job_fn(act);
        let worker = builder.grace(Duration::from_secs(3600)).build().unwrap();
        let told = async {
            for _ in 0..steps {
                tokio::task::yield_now().await;
            }
        };
        let asked = now();
        within(worker.run_until(told)).await.unwrap();
        assert!(asked.elapsed() < Duration::from_secs(10), "told after {steps} steps");
    }
}
