//! Operators' verbs on keys that these tests write themselves: the layout is checked as well, and
//! any damage can be made.

mod audit;
mod list;
mod transfer;
mod verbs;

use std::sync::Arc;

use mq_core::engine::Stored;
use mq_core::{History, JobId, QueueName, Record, WorkerId};
use mq_testkit::{shared_url, unique_prefix};
use redis::Value;

use super::answer::{ask, bytes};
use super::locate::get;
use crate::engine::RedisEngine;
use crate::link::Request;

/// A time long ago, far enough from 0 to look like one.
const THEN_MS: u64 = 1_700_000_000_000;

async fn engine() -> Arc<RedisEngine> {
    let url = format!("{}/?prefix={}", shared_url(), unique_prefix());
    Arc::new(crate::driver::open(&url).await.unwrap())
}

/// A queue of one test's own, and a worker on it.
struct Kit {
    engine: Arc<RedisEngine>,
    queue: QueueName,
    worker: WorkerId,
}

impl Kit {
    /// A queue on a prefix that nobody else has.
    async fn new() -> Self {
        let kit = Self::on(engine().await, "a {queue}");
        kit.register(kit.worker, i64::MAX as u64 / 8192).await;
        kit.list().await;
        kit
    }

    fn on(engine: Arc<RedisEngine>, queue: &str) -> Self {
        let queue = QueueName::new(queue).unwrap();
        Self { engine, queue, worker: WorkerId::random() }
    }

    /// Another queue on the same prefix.
    fn beside(&self, queue: &str) -> Self {
        Self::on(self.engine.clone(), queue)
    }

    /// Puts the queue into the list of queues.
    async fn list(&self) {
        let mut listing = redis::cmd("SADD");
        listing.arg(self.engine.keys.queues()).arg(self.queue.as_str());
        let mut request = Request::new();
        request.cmd(listing);
        ask(&self.engine, &request).await.unwrap();
    }

    fn key(&self, name: &str) -> String {
        let jobs = self.engine.keys.queue(&self.queue).jobs();
        jobs.replace("jobs", name)
    }

    /// Sends `COMMAND key argument ...`, the key by its name in the queue.
    async fn raw(&self, name: &str, key: &str, args: &[&[u8]]) -> Value {
        let mut cmd = redis::cmd(name);
        cmd.arg(self.key(key));
        for arg in args {
            cmd.arg(*arg);
        }
        let mut request = Request::new();
        request.cmd(cmd);
        ask(&self.engine, &request).await.unwrap().next().unwrap()
    }

    async fn number(&self, name: &str, key: &str, args: &[&[u8]]) -> Option<u64> {
        super::answer::number(self.raw(name, key, args).await)
    }

    async fn bytes(&self, name: &str, key: &str, args: &[&[u8]]) -> Option<Vec<u8>> {
        bytes(self.raw(name, key, args).await)
    }

    async fn register(&self, worker: WorkerId, until_ms: u64) {
        let until = until_ms.to_string();
        self.raw("ZADD", "workers", &[until.as_bytes(), &worker.to_text()]).await;
    }

    /// Stores a record, and nothing else.
    async fn record(&self, record: &Record<'_>) -> JobId {
        let id = JobId::new();
        self.raw("HSET", "jobs", &[&id.to_text(), &record.encode()]).await;
        id
    }

    /// Stores a history of a job that failed three times.
    async fn fail(&self, id: JobId) -> History {
        let mut history = History::default();
        history.attempts = 3;
        history.push_error(THEN_MS, "boom");
        self.raw("HSET", "history", &[&id.to_text(), &history.encode()]).await;
        history
    }

    /// Puts a job into a place: the name of a list, a sorted set, or `running`.
    async fn place(&self, id: JobId, place: &str) {
        let text = id.to_text();
        match place {
            "absent" => drop(self.raw("HDEL", "jobs", &[&text]).await),
            "running" => {
                let worker = self.worker;
                self.hold(worker, &text).await;
            }
            list if list.starts_with("ready") => {
                self.raw("RPUSH", list, &[&text]).await;
                self.raw("ZADD", "wake", &[b"0", b"0"]).await;
            }
            set => {
                let score = THEN_MS.to_string();
                self.raw("ZADD", set, &[score.as_bytes(), &text]).await;
            }
        }
    }

    /// Writes a receipt, under a number of its own.
    async fn hold(&self, worker: WorkerId, ids: &[u8]) {
        let claims = format!("claims:{worker}");
        let number = self.number("HINCRBY", &claims, &[b"last", b"1"]).await.unwrap();
        self.raw("HSET", &claims, &[number.to_string().as_bytes(), ids]).await;
    }

    /// A plain job in a place.
    async fn job(&self, place: &str) -> JobId {
        let id = self.record(&Record::new("kind", &b"payload"[..])).await;
        self.place(id, place).await;
        id
    }

    async fn stored(&self, id: JobId) -> Option<Stored> {
        get(&self.engine, &self.queue, &[id]).await.unwrap().remove(0)
    }

    /// The state of a job, as a word; `absent` if there is none.
    async fn state(&self, id: JobId) -> &'static str {
        self.stored(id).await.map_or("absent", |job| job.state.as_str())
    }

    /// Asserts that nothing is wrong with the queue.
    async fn assert_sound(&self) {
        let report = super::audit::audit(&self.engine, &self.queue, false).await.unwrap();
        assert_eq!(report.findings, [], "of {:?}", self.queue);
    }
}
