//! What the tests on a real server share.

#![allow(
    dead_code,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    reason = "each test file uses a part, and nobody else does"
)]
#![allow(clippy::unwrap_used, reason = "not in a function that is marked as a test")]

use std::sync::Arc;
use std::time::Duration;

use mq_core::connect::{ConnectError, Driver};
use mq_core::engine::{Engine, EngineError, EnqueueReply, NewJob, Schedule};
use mq_core::{JobId, Priority, QueueName, clock};
use mq_redis as _;
use mq_testkit::RedisServer;
use redis::{FromRedisValue, Value};

/// Longer than anything takes that goes well.
pub const PLENTY: Duration = Duration::from_secs(30);

pub async fn try_connect(url: &str) -> Result<Arc<dyn Engine>, ConnectError> {
    let mut drivers = mq_core::inventory::iter::<Driver>.into_iter();
    let driver = drivers.find(|driver| driver.schemes.contains(&"redis")).unwrap();
    (driver.connect)(url.to_owned()).await
}

pub async fn connect(server: &RedisServer) -> Arc<dyn Engine> {
    try_connect(&server.url()).await.unwrap()
}

pub async fn connect_with(server: &RedisServer, query: &str) -> Arc<dyn Engine> {
    try_connect(&format!("{}?{query}", server.url())).await.unwrap()
}

pub fn queue(name: &str) -> QueueName {
    QueueName::new(name).unwrap()
}

pub fn job(name: &str) -> NewJob {
    NewJob {
        queue: queue(name),
        id: JobId::new(),
        record: b"record".to_vec(),
        schedule: Schedule::Now,
        priority: Priority::Normal,
        idempotency_key: None,
    }
}

pub fn keyed(name: &str, key: &str) -> NewJob {
    NewJob { idempotency_key: Some(key.to_owned()), ..job(name) }
}

/// A plain connection beside the engine's, for looking and for mischief.
pub struct Admin(redis::Connection);

impl Admin {
    pub fn of(server: &RedisServer) -> Self {
        let client = redis::Client::open(server.url()).unwrap();
        Self(client.get_connection().unwrap())
    }

    pub fn ask<T: FromRedisValue>(&mut self, command: &str) -> T {
        let mut parts = command.split(' ');
        let mut cmd = redis::cmd(parts.next().unwrap());
        for part in parts {
            cmd.arg(part);
        }
        cmd.query(&mut self.0).unwrap()
    }

    pub fn tell(&mut self, command: &str) {
        self.ask::<Value>(command);
    }

    /// Ids in the ready list of a queue, and how many records the queue has.
    pub fn stored(&mut self, queue: &str) -> (Vec<String>, usize) {
        let ready = self.ask(&format!("LRANGE mq:{{{queue}}}:ready 0 -1"));
        (ready, self.ask(&format!("HLEN mq:{{{queue}}}:jobs")))
    }
}

/// Enqueues many jobs at the same time, one caller each.
pub fn enqueue_each(
    engine: &Arc<dyn Engine>,
    jobs: impl IntoIterator<Item = NewJob>,
    deadline: Duration,
) -> Vec<Pending> {
    let start = |job: NewJob| {
        let engine = engine.clone();
        let id = job.id;
        let reply = tokio::spawn(async move { engine.enqueue(vec![job], deadline).await });
        Pending { id, reply }
    };
    jobs.into_iter().map(start).collect()
}

pub struct Pending {
    pub id: JobId,
    pub reply: tokio::task::JoinHandle<Result<Vec<EnqueueReply>, EngineError>>,
}

/// Repeats a check until it holds.
pub async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let deadline = clock::now() + PLENTY;
    while !check().await {
        assert!(clock::now() < deadline, "never came true: {what}");
        // sleep: polls with a deadline.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The ids of jobs that must be stored exactly once, and that nothing else is there.
pub fn assert_each_once(admin: &mut Admin, queue: &str, ids: &[JobId]) {
    let (mut ready, records) = admin.stored(queue);
    let mut expected: Vec<String> = ids.iter().map(JobId::to_string).collect();
    ready.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ready.len(), expected.len(), "jobs in the ready list");
    assert_eq!(ready, expected);
    assert_eq!(records, expected.len());
}
