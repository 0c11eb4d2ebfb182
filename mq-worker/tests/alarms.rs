//! What a worker must say aloud, because nobody else would notice.
//!
//! One test, because its log is that of the whole process.

#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mq_core::{Client, Context, QueueName};
use mq_testkit::RedisServer;
use mq_worker::Worker;
use support::*;

job!(Task { n: u32 }, "task");

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn count(&self, text: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock().unwrap()).matches(text).count()
    }

    async fn says(&self, text: &str, times: usize) {
        eventually(|| format!("{times} × `{text}`"), async || self.count(text) == times).await;
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn act(job: Task, cx: Context<Notes>) -> Result<(), String> {
    cx.state().add(job.n.to_string());
    Ok(())
}

async fn run(mq: &Client, notes: &Notes, n: u32) {
    within(mq.enqueue(Task { n }).into_future()).await.unwrap();
    notes.has(&n.to_string(), 1).await;
}

/// Incarnations that the store knows: the worker's own and the one that keeps house.
async fn members(mq: &Client) -> usize {
    within(mq.engine().workers(&QueueName::new("default").unwrap())).await.unwrap().len()
}

async fn forget_the_workers(server: &RedisServer) {
    let keys = redis(server, &["KEYS", "*:workers"]).await;
    let keys: Vec<String> = redis::from_redis_value(keys).unwrap();
    assert_eq!(keys.len(), 1);
    redis(server, &["DEL", &keys[0]]).await;
}

/// F28: what was in a store that somebody empties is gone. Workers say so, and go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_lost_its_data_is_told_from_one_that_forgot_the_workers() {
    let (log, server) = (Log::default(), RedisServer::start());
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::ERROR)
        .with_writer(move || writer.clone())
        .init();
    let (mq, notes) = (client(&server).await, Notes::default());
    let builder = Worker::builder(&mq).queue("default", 1).lease(Duration::from_secs(3));
    let worker = builder.state(notes.clone()).job_fn(act).build().unwrap().spawn();
    run(&mq, &notes, 1).await;
    eventually(|| "both names".into(), async || members(&mq).await == 2).await;

    forget_the_workers(&server).await;
    log.says("the lease was lost", 1).await;
    run(&mq, &notes, 2).await;
    eventually(|| "both names again".into(), async || members(&mq).await == 2).await;

    for round in 1..=2 {
        redis(&server, &["FLUSHALL"]).await;
        log.says("the store has lost its data", round).await;
        run(&mq, &notes, 2 + round as u32).await;
    }
    within(worker.stop(Duration::from_secs(5))).await.unwrap();
    assert_eq!(log.count("the store has lost its data"), 2, "once each time");
}
