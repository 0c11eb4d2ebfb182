//! A store that lost its last second, as by a power loss or a fail-over, under live workers.

#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mq_core::engine::WorkerStats;
use mq_core::{Client, Context, QueueName};
use mq_testkit::RedisServer;
use mq_worker::{Worker, WorkerHandle};
use support::*;
use tokio::sync::Semaphore;

job!(Task { n: u32 }, "task");

const LEASE: Duration = Duration::from_secs(3);

/// Starts a worker whose jobs note their number and wait for a permit each.
fn start(mq: &Client, notes: &Notes, gate: &Arc<Semaphore>) -> WorkerHandle {
    let gate = Arc::clone(gate);
    let act = move |job: Task, cx: Context<Notes>| {
        let gate = Arc::clone(&gate);
        async move {
            cx.state().add(job.n.to_string());
            gate.acquire().await.map_err(|error| error.to_string())?.forget();
            Ok::<_, String>(())
        }
    };
    let builder = Worker::builder(mq).queue("default", 1).lease(LEASE);
    builder.state(notes.clone()).job_fn(act).build().unwrap().spawn()
}

fn queue() -> QueueName {
    QueueName::new("default").unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Kills the server, and starts it with what it had on its disk at an earlier time.
fn roll_back(server: &mut RedisServer, saved: &Path) {
    server.kill9();
    let log = server.dir().join("appendonlydir");
    fs::remove_dir_all(&log).unwrap();
    copy(saved, &log);
    server.restart();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_end_was_rolled_back_under_a_live_worker_runs_again() {
    let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mq = client(&server).await;
    let (notes, gate) = (Notes::default(), Arc::new(Semaphore::new(0)));
    let worker = start(&mq, &notes, &gate);
    let long = within(mq.enqueue(Task { n: 1 }).into_future()).await.unwrap().id;
    notes.has("1", 1).await;
    let short: Vec<_> = (2..5).map(|n| Task { n }).collect();
    within(mq.enqueue_all(short).into_future()).await.unwrap();
    eventually(|| format!("{:?}", notes.all()), async || notes.all().len() == 4).await;
    let saved = server.dir().join("saved");
    copy(&server.dir().join("appendonlydir"), &saved);
    // Three of the four end, whichever; the fourth is to be left alone.
    gate.add_permits(3);
    eventually(|| format!("{worker:?}"), async || worker.report().done == 3).await;
    roll_back(&mut server, &saved);
    let again = async || notes.all().len() == 7;
    eventually(|| format!("three to run again: {:?}", notes.all()), again).await;
    assert_eq!(worker.report().handed_back, 3, "{worker:?}");
    gate.add_permits(4);
    gone(&mq, long).await;
    eventually(|| format!("{worker:?}"), async || worker.report().done == 7).await;
    let report = within(worker.stop(Duration::from_secs(5))).await.unwrap();
    assert_eq!((report.fenced, report.recovered), (0, 0), "no lease was lost");
    nothing_left(&mq).await;
}

/// The only key that is called so.
async fn key(server: &RedisServer, pattern: &str) -> Option<String> {
    let redis::Value::Array(keys) = redis(server, &["KEYS", pattern]).await else { return None };
    keys.first().map(|key| redis::from_redis_value_ref(key).unwrap())
}

/// As after a rollback to when the housekeeper had taken a job over and not yet put it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_a_housekeeper_does_not_know_of_runs_again() {
    let server = RedisServer::start();
    let mq = client(&server).await;
    let (notes, gate) = (Notes::default(), Arc::new(Semaphore::new(9)));
    let worker = start(&mq, &notes, &gate);
    let housekeeper = || async {
        let workers = mq.engine().workers(&queue()).await.unwrap();
        workers.into_iter().find(|stats: &WorkerStats| stats.about.housekeeper)
    };
    eventually(|| "a housekeeper".into(), async || housekeeper().await.is_some()).await;
    let claims = format!("*:claims:{}", housekeeper().await.unwrap().worker);
    eventually(|| "its first sweep".into(), async || key(&server, &claims).await.is_some()).await;
    let claims = key(&server, &claims).await.unwrap();
    let is_second = async || {
        let last = redis(&server, &["HGET", &claims, "last"]).await;
        last == redis::Value::BulkString(b"2".to_vec())
    };
    eventually(|| "its second sweep".into(), is_second).await;
    within(mq.admin().pause("default")).await.unwrap();
    let id = within(mq.enqueue(Task { n: 1 }).into_future()).await.unwrap().id;
    let ready = key(&server, "*:ready").await.unwrap();
    redis(&server, &["LREM", &ready, "1", &id.to_string()]).await;
    redis(&server, &["HSET", &claims, "1", &id.to_string()]).await;
    within(mq.admin().resume("default")).await.unwrap();
    notes.has("1", 1).await;
    gone(&mq, id).await;
    let report = within(worker.stop(Duration::from_secs(5))).await.unwrap();
    assert_eq!((report.done, report.recovered, report.fenced), (1, 1, 0));
    nothing_left(&mq).await;
}
