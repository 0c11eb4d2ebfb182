//! The ways in which an attempt can end, and what becomes of the job.

#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use mq_core::backoff::Jitter;
use mq_core::engine::{About, ClaimRequest, NewJob, QueueClaim, Schedule};
use mq_core::{
    Backoff, Context, DeathReason, JobId, JobOptions, Priority, QueueName, Record, State,
};
use mq_testkit::RedisServer;
use mq_worker::{Worker, WorkerBuilder, WorkerHandle};
use support::*;
use tokio::sync::Notify;

const QUICK: JobOptions =
    JobOptions::DEFAULT.backoff(Backoff::fixed(Duration::from_millis(20)).jitter(Jitter::None));

job!(Task { what: String }, "task", QUICK.max_attempts(3));
job!(Blocking { n: u32 }, "blocking", QUICK.blocking(true));

fn task(what: &str) -> Task {
    Task { what: what.to_owned() }
}

/// Does what the job says; `Notes` hear of every attempt.
async fn act(job: Task, cx: Context<Notes>) -> Result<(), String> {
    let attempt = cx.attempt();
    cx.state().add(format!("{} {attempt}", job.what));
    match job.what.as_str() {
        "fail" => Err(format!("failure {attempt}")),
        "fail twice" if attempt < 3 => Err(format!("failure {attempt}")),
        "discard" => Err(cx.discard("hopeless".to_owned())),
        "later" if attempt == 1 => Err(cx.retry_in(Duration::from_secs(600), "later".to_owned())),
        "snooze" if cx.state().count("snooze 1") < 3 => {
            cx.snooze(Duration::from_millis(20));
            Ok(())
        }
        "panic" => panic!("lost the {}", "plot"),
        "obey" => {
            cx.cancelled().await;
            Err("told to stop".to_owned())
        }
        "finish late" => {
            cx.cancelled().await;
            Ok(())
        }
        "ignore" => std::future::pending().await,
        _ => Ok(()),
    }
}

struct Bench {
    _server: RedisServer,
    mq: mq_core::Client,
    notes: Notes,
    worker: WorkerHandle,
}

impl Bench {
    async fn start(set_up: impl FnOnce(WorkerBuilder) -> WorkerBuilder) -> Self {
        let server = RedisServer::start();
        let mq = client(&server).await;
        let notes = Notes::default();
        let builder = Worker::builder(&mq)
            .queue("default", 1)
            .lease(Duration::from_secs(2))
            .state(notes.clone())
            .job_fn(act);
        let worker = set_up(builder).build().unwrap().spawn();
        Self { _server: server, mq, notes, worker }
    }

    async fn stop(self) -> mq_worker::Report {
        let report = within(self.worker.stop(Duration::from_secs(5))).await.unwrap();
        consistent(&self.mq).await;
        report
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_job_is_tried_again_until_it_succeeds() {
    let bench = Bench::start(|builder| builder).await;
    let id = bench.mq.enqueue(task("fail twice")).await.unwrap().id;
    bench.notes.has("fail twice 3", 1).await;
    gone(&bench.mq, id).await;
    let report = bench.stop().await;
    assert_eq!((report.done, report.failed, report.dead), (1, 2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_attempts_of_a_job_have_one_idempotency_key_and_no_other_job_has_it() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let builder = Worker::builder(&mq).state(notes.clone());
    let worker = builder.job_fn(|job: Task, cx: Context<Notes>| async move {
        cx.state().add(format!("{} {}", job.what, cx.idempotency_key()));
        Err::<(), _>("again".to_owned())
    });
    let worker = worker.build().unwrap().spawn();
    let one = mq.enqueue(task("one")).await.unwrap().id;
    let other = mq.enqueue(task("other")).await.unwrap().id;
    job_in(&mq, one, State::Dead).await;
    job_in(&mq, other, State::Dead).await;
    within(worker.stop(Duration::from_secs(5))).await.unwrap();
    let keys_of = |what: &str| -> std::collections::HashSet<String> {
        let all = notes.all();
        let own = all.iter().filter_map(|note| note.strip_prefix(&format!("{what} ")));
        own.map(str::to_owned).collect()
    };
    assert_eq!(notes.all().len(), 6);
    assert_eq!((keys_of("one").len(), keys_of("other").len()), (1, 1));
    assert!(keys_of("one").is_disjoint(&keys_of("other")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_its_last_attempt_a_job_is_dead_with_every_error() {
    let bench = Bench::start(|builder| builder).await;
    let id = bench.mq.enqueue(task("fail")).await.unwrap().id;
    let dead = job_in(&bench.mq, id, State::Dead).await;
    let errors: Vec<_> = dead.errors.iter().map(|e| (e.attempt, e.error.as_str())).collect();
    assert_eq!(errors, [(1, "failure 1"), (2, "failure 2"), (3, "failure 3")]);
    assert_eq!(dead.death.unwrap().reason, DeathReason::Exhausted);
    let report = bench.stop().await;
    assert_eq!((report.done, report.failed, report.dead), (0, 2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_can_discard_choose_the_delay_and_snooze() {
    let bench = Bench::start(|builder| builder).await;
    let id = bench.mq.enqueue(task("discard")).await.unwrap().id;
    let dead = job_in(&bench.mq, id, State::Dead).await;
    assert_eq!(dead.death.as_ref().unwrap().reason, DeathReason::Discarded);
    assert_eq!((dead.attempts, dead.last_error()), (1, Some("hopeless")));

    let id = bench.mq.enqueue(task("later")).await.unwrap().id;
    let later = job_in(&bench.mq, id, State::Scheduled).await;
    let now_ms = bench.mq.engine().ping().await.unwrap();
    let wait_ms = later.at_ms.unwrap() - now_ms;
    assert!((580_000..=600_000).contains(&wait_ms), "{wait_ms}");
    assert_eq!(later.attempts, 1);

    let id = bench.mq.enqueue(task("snooze")).await.unwrap().id;
    gone(&bench.mq, id).await;
    assert_eq!(bench.notes.count("snooze 1"), 3, "no attempt is burnt by a snooze");
    let report = bench.stop().await;
    assert_eq!((report.done, report.failed, report.dead, report.snoozed), (1, 1, 1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_a_failure_with_its_message_and_its_place() {
    let bench = Bench::start(|builder| builder).await;
    let id = bench.mq.enqueue(task("panic")).max_attempts(2).await.unwrap().id;
    let dead = job_in(&bench.mq, id, State::Dead).await;
    assert_eq!(dead.errors.len(), 2);
    let error = dead.last_error().unwrap();
    assert!(error.contains("endings.rs:") && error.contains("lost the plot"), "{error}");
    bench.mq.enqueue(task("next")).await.unwrap();
    bench.notes.has("next 1", 1).await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_its_time_limit_an_attempt_is_cancelled() {
    let bench = Bench::start(|builder| builder).await;
    let timeout = Duration::from_millis(100);
    let obeys = bench.mq.enqueue(task("obey")).timeout(timeout).max_attempts(1).await.unwrap().id;
    let dead = job_in(&bench.mq, obeys, State::Dead).await;
    assert_eq!(dead.last_error(), Some("timed out after 100ms: told to stop"));
    let late = bench.mq.enqueue(task("finish late")).timeout(timeout).await.unwrap().id;
    gone(&bench.mq, late).await;
    let report = bench.stop().await;
    assert_eq!((report.done, report.dead, report.abandoned), (1, 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_ignores_its_cancellation_is_aborted_and_its_slot_freed() {
    let bench =
        Bench::start(|builder| builder.concurrency(1).timeout_grace(Duration::from_millis(100)))
            .await;
    let timeout = Duration::from_millis(100);
    let id = bench.mq.enqueue(task("ignore")).timeout(timeout).max_attempts(1).await.unwrap().id;
    bench.mq.enqueue(task("next")).await.unwrap();
    let dead = job_in(&bench.mq, id, State::Dead).await;
    let expected = "timed out after 100ms, and ignored the cancellation for 100ms";
    assert_eq!(dead.last_error(), Some(expected));
    bench.notes.has("next 1", 1).await;
    let report = bench.stop().await;
    assert_eq!((report.done, report.dead, report.abandoned), (1, 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_blocks_its_thread_for_ever_loses_its_slot_and_its_result() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(std::sync::Mutex::new(released));
    let block = move |_: Blocking, cx: Context<Notes>| {
        let released = Arc::clone(&released);
        async move {
            cx.state().add("blocks");
            let _ = released.lock().unwrap().recv_timeout(PATIENCE);
            cx.state().add("returned");
            Ok::<_, String>(())
        }
    };
    let bench = Bench::start(|builder| {
        builder.concurrency(1).timeout_grace(Duration::from_millis(50)).job_fn(block)
    })
    .await;
    let job = bench.mq.enqueue(Blocking { n: 1 }).timeout(Duration::from_millis(100));
    let id = job.max_attempts(1).await.unwrap().id;
    job_in(&bench.mq, id, State::Dead).await;
    bench.mq.enqueue(task("next")).await.unwrap();
    bench.notes.has("next 1", 1).await;
    let abandoned = async || bench.worker.report().abandoned == 1;
    eventually(|| "the abandoned attempt to be counted".into(), abandoned).await;
    release.send(()).unwrap();
    bench.notes.has("returned", 1).await;
    let still = bench.mq.admin().job(id).await.unwrap().unwrap();
    assert_eq!(still.state, State::Dead, "a late result does not count");
    let report = bench.stop().await;
    assert_eq!((report.done, report.dead, report.abandoned), (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_job_can_be_cancelled() {
    let bench = Bench::start(|builder| builder.timeout_grace(Duration::from_millis(100))).await;
    let retention = Duration::from_secs(60);
    let mut ids = Vec::new();
    for what in ["obey", "ignore"] {
        let id = bench.mq.enqueue(task(what)).retention(retention).await.unwrap().id;
        bench.notes.has(&format!("{what} 1"), 1).await;
        ids.push(id);
    }
    for id in ids {
        bench.mq.admin().cancel(id).await.unwrap();
        let cancelled = job_in(&bench.mq, id, State::Cancelled).await;
        assert_eq!(cancelled.attempts, 0);
    }
    let report = bench.stop().await;
    assert_eq!((report.cancelled, report.failed), (2, 0));
}

async fn put(mq: &mq_core::Client, record: Vec<u8>) -> JobId {
    let queue = QueueName::new("default").unwrap();
    let (id, schedule, priority) = (JobId::new(), Schedule::Now, Priority::Normal);
    let job = NewJob { queue, id, record, schedule, priority, idempotency_key: None };
    mq.engine().enqueue(vec![job], Duration::from_secs(5)).await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_of_an_unknown_kind_is_left_for_other_workers() {
    let bench = Bench::start(|builder| builder).await;
    let unknown = put(&bench.mq, Record::new("unheard of", &b"{}"[..]).encode()).await;
    // The version byte of a newer mq.
    let newer = put(&bench.mq, vec![9, 1, 2, 3]).await;
    for id in [unknown, newer] {
        let info = job_in(&bench.mq, id, State::Scheduled).await;
        let wait_ms = info.at_ms.unwrap() - bench.mq.engine().ping().await.unwrap();
        assert!((5_000..=15_000).contains(&wait_ms), "{wait_ms}");
        assert_eq!((info.attempts, info.errors.len()), (0, 0));
    }
    let report = bench.stop().await;
    assert_eq!((report.handed_back, report.dead), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_that_does_not_decode_is_dead_at_once_with_its_bytes() {
    let bench = Bench::start(|builder| builder).await;
    let payload: &[u8] = b"{\"what\": 9007199254740993} \xff";
    let broken = put(&bench.mq, Record::new("task", payload).encode()).await;
    let dead = job_in(&bench.mq, broken, State::Dead).await;
    assert_eq!(dead.payload, payload);
    assert_eq!(dead.death.as_ref().unwrap().reason, DeathReason::Malformed);
    assert_eq!(dead.attempts, 0);
    assert!(dead.last_error().unwrap().contains("does not decode as `task`"), "{dead:?}");

    let damaged = vec![1, 200, 200];
    let id = put(&bench.mq, damaged.clone()).await;
    let dead = job_in(&bench.mq, id, State::Dead).await;
    assert_eq!((dead.payload, dead.death.unwrap().reason), (damaged, DeathReason::Malformed));
    let report = bench.stop().await;
    assert_eq!((report.dead, report.done), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_a_dead_worker_run_again_and_poison_is_bounded() {
    let release = Arc::new(Notify::new());
    let server = RedisServer::start();
    let mq = client(&server).await;
    let queue = QueueName::new("default").unwrap();
    let poison = mq.enqueue(task("poison")).await.unwrap().id;
    let notes = Notes::default();
    let builder = || {
        let builder = Worker::builder(&mq).queue("default", 1).lease(Duration::from_secs(1));
        builder.concurrency(1).state(notes.clone())
    };
    // Incarnations that take the job and are never heard of again.
    for round in 0..3 {
        let worker = mq_core::WorkerId::random();
        let (lease, about) = (Duration::from_secs(1), About::default());
        mq.engine().join(&queue, worker, lease, &about).await.unwrap();
        let mut number = 0;
        let taken = async || {
            number += 1;
            let claim = mq_core::Claim { queue: queue.clone(), worker, number };
            let queues = vec![QueueClaim { claim, limit: 1 }];
            let request = ClaimRequest { finishes: Vec::new(), limit: 1, queues };
            mq.engine().claim(request).await.unwrap().jobs.iter().any(|job| job.id == poison)
        };
        eventually(|| format!("round {round}: the claim of the job"), taken).await;
        // A worker that only keeps house: its one slot is taken.
        let release = Arc::clone(&release);
        mq.admin().pause("default").await.unwrap();
        let keeper = builder()
            .job_fn(move |_: Task, _: Context<Notes>| {
                let release = Arc::clone(&release);
                async move {
                    release.notified().await;
                    Ok::<_, String>(())
                }
            })
            .build()
            .unwrap()
            .spawn();
        let recovered = async || keeper.report().recovered == 1;
        eventually(|| format!("round {round}: the sweep"), recovered).await;
        within(keeper.stop(Duration::ZERO)).await.unwrap();
        mq.admin().resume("default").await.unwrap();
    }
    let dead = job_in(&mq, poison, State::Dead).await;
    assert_eq!(dead.death.unwrap().reason, DeathReason::Poison);
    assert_eq!((dead.interruptions, dead.attempts), (3, 0));
    consistent(&mq).await;
    drop(server);
}
