//! What a worker survives.

#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mq_core::clock::now;
use mq_core::{Client, Context, State};
use mq_testkit::RedisServer;
use mq_worker::{Worker, WorkerHandle};
use support::*;

job!(Task { n: u32 }, "task");

async fn act(job: Task, cx: Context<Notes>) -> Result<(), String> {
    cx.state().add(job.n.to_string());
    Ok(())
}

fn start(mq: &Client, notes: &Notes) -> WorkerHandle {
    let builder = Worker::builder(mq).queue("default", 1).lease(Duration::from_secs(3));
    builder.state(notes.clone()).job_fn(act).build().unwrap().spawn()
}

async fn enqueue(mq: &Client, range: std::ops::Range<u32>) {
    within(mq.enqueue_all(range.map(|n| Task { n })).into_future()).await.unwrap();
}

async fn all_ran(notes: &Notes, count: usize) {
    let distinct = || notes.all().into_iter().collect::<BTreeSet<_>>().len();
    eventually(|| format!("{} of {count} jobs", distinct()), async || distinct() >= count).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_restarts_and_everything_goes_on() {
    let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mq = client(&server).await;
    let notes = Notes::default();
    let worker = start(&mq, &notes);
    enqueue(&mq, 0..2000).await;
    let some = async || notes.all().len() > 100;
    eventually(|| "the first jobs".into(), some).await;
    server.restart();
    let back = now();
    all_ran(&notes, 2000).await;
    enqueue(&mq, 2000..2100).await;
    all_ran(&notes, 2100).await;
    assert!(back.elapsed() < Duration::from_secs(15), "{:?}", back.elapsed());
    let report = within(worker.stop(Duration::from_secs(5))).await.unwrap();
    assert_eq!(report.failed, 0);
    nothing_left(&mq).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_scripts_and_killed_connections_are_not_noticed() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let worker = start(&mq, &notes);
    enqueue(&mq, 0..3000).await;
    for round in 0..10 {
        redis(&server, &["SCRIPT", "FLUSH"]).await;
        redis(&server, &["CLIENT", "KILL", "TYPE", "normal"]).await;
        let enough = async || notes.all().len() > round * 100;
        eventually(|| format!("round {round}"), enough).await;
    }
    all_ran(&notes, 3000).await;
    eventually(|| format!("{worker:?}"), async || worker.report().done == 3000).await;
    // No lease was lost, so nothing ran twice.
    assert_eq!(notes.all().len(), 3000);
    let report = within(worker.stop(Duration::from_secs(5))).await.unwrap();
    assert_eq!((report.done, report.fenced), (3000, 0));
    nothing_left(&mq).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_was_emptied_is_joined_again() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let worker = start(&mq, &notes);
    enqueue(&mq, 0..1).await;
    all_ran(&notes, 1).await;
    redis(&server, &["FLUSHALL"]).await;
    enqueue(&mq, 1..100).await;
    all_ran(&notes, 100).await;
    within(worker.stop(Duration::from_secs(5))).await.unwrap();
    nothing_left(&mq).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_that_block_every_thread_longer_than_the_lease_lose_nothing() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let lease = Duration::from_secs(1);
    let blocks = move |job: Task, cx: Context<Notes>| async move {
        cx.state().add(job.n.to_string());
        // Not `sleep`: this must not give the thread back.
        let (_never, blocked) = std::sync::mpsc::channel::<()>();
        let _ = blocked.recv_timeout(lease * 3);
        Ok::<_, String>(())
    };
    // A runtime of its own, so that this test can go on while all threads of it are blocked.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let worker = runtime
        .spawn({
            let (server_url, notes) = (server.url(), notes.clone());
            async move {
                let mq = Client::connect(server_url).await.unwrap();
                let builder = Worker::builder(&mq).queue("default", 1).lease(lease).concurrency(4);
                builder.state(notes).job_fn(blocks).build().unwrap().spawn()
            }
        })
        .await
        .unwrap();
    // Another worker that would take the jobs over if the leases ended.
    let other = {
        let builder = Worker::builder(&mq).queue("other", 1).queue("default", 1);
        let builder = builder.queue_concurrency("default", 1).concurrency(1).lease(lease);
        builder.state(notes.clone()).job_fn(act).build().unwrap()
    };
    enqueue(&mq, 0..4).await;
    eventually(|| "two jobs to block".into(), async || notes.all().len() >= 2).await;
    let other = other.spawn();
    eventually(|| format!("{worker:?}"), async || worker.report().done == 4).await;
    assert_eq!(notes.all().len(), 4, "nothing ran twice: {:?}", notes.all());
    let handle = runtime.handle().clone();
    let report = handle.spawn(worker.stop(Duration::from_secs(5))).await.unwrap().unwrap();
    assert_eq!((report.fenced, report.failed), (0, 0));
    assert_eq!(other.report().recovered, 0);
    within(other.stop(Duration::from_secs(5))).await.unwrap();
    nothing_left(&mq).await;
    runtime.shutdown_background();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_a_worker_that_died_run_again() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let notes = Notes::default();
    let hang = |job: Task, cx: Context<Notes>| async move {
        cx.state().add(format!("hangs {}", job.n));
        std::future::pending::<Result<(), String>>().await
    };
    // Its runtime ends without a word, as by `kill -9`; the keeper's thread ends with it.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.spawn({
        let (url, notes) = (server.url(), notes.clone());
        async move {
            let mq = Client::connect(url).await.unwrap();
            let builder = Worker::builder(&mq).queue("default", 1).lease(Duration::from_secs(1));
            let worker = builder.state(notes).job_fn(hang).build().unwrap();
            worker.run_until(std::future::pending::<()>()).await
        }
    });
    enqueue(&mq, 0..3).await;
    eventually(|| "the jobs to start".into(), async || notes.all().len() == 3).await;
    runtime.shutdown_background();
    let died = now();
    let worker = {
        let builder = Worker::builder(&mq).queue("default", 1).lease(Duration::from_secs(1));
        builder.state(notes.clone()).job_fn(act).build().unwrap().spawn()
    };
    all_ran(&notes, 6).await;
    assert!(died.elapsed() < Duration::from_secs(8), "{:?}", died.elapsed());
    within(worker.stop(Duration::from_secs(5))).await.unwrap();
    nothing_left(&mq).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_lease_is_lost_is_told_and_its_outcome_does_not_count() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let told = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&told);
    let first = Arc::new(AtomicBool::new(true));
    let handler = move |job: Task, cx: Context<Notes>| {
        let (told, first) = (Arc::clone(&told), Arc::clone(&first));
        async move {
            cx.state().add(job.n.to_string());
            if first.swap(false, Ordering::SeqCst) {
                cx.cancelled().await;
                told.store(true, Ordering::SeqCst);
            }
            Ok::<_, String>(())
        }
    };
    let notes = Notes::default();
    let builder = Worker::builder(&mq).queue("default", 1).lease(Duration::from_secs(1));
    let worker = builder.state(notes.clone()).job_fn(handler).build().unwrap().spawn();
    let id = mq.enqueue(Task { n: 1 }).retention(Duration::from_secs(60)).await.unwrap().id;
    notes.has("1", 1).await;
    // Somebody takes the worker off the queue behind its back.
    let queue = mq_core::QueueName::new("default").unwrap();
    for stats in mq.engine().workers(&queue).await.unwrap() {
        mq.engine().leave(&queue, stats.worker).await.unwrap();
    }
    notes.has("1", 2).await;
    job_in(&mq, id, State::Done).await;
    assert!(seen.load(Ordering::SeqCst));
    let fenced = async || worker.report().fenced == 1;
    eventually(|| format!("{worker:?}"), fenced).await;
    let report = within(worker.stop(Duration::from_secs(5))).await.unwrap();
    assert_eq!(report.done, 1);
    consistent(&mq).await;
}
