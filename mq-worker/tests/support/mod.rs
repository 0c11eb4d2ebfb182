//! What the worker's tests share: jobs, a notebook that handlers write into, and patience.
#![allow(dead_code, reason = "each test file uses a part")]

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mq_core::clock::now;
use mq_core::{Client, JobId};
use mq_redis as _;
use mq_testkit::RedisServer;

/// Longest time that anything in these tests may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A job type by hand; the derive lives in a crate above this one.
#[macro_export]
macro_rules! job {
    ($name:ident { $($field:ident: $type:ty),* }, $kind:literal) => {
        $crate::job!($name { $($field: $type),* }, $kind, mq_core::JobOptions::DEFAULT);
    };
    ($name:ident { $($field:ident: $type:ty),* }, $kind:literal, $options:expr) => {
        #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
        struct $name { $($field: $type),* }
        impl mq_core::Job for $name {
            type Output = ();
            const KIND: &'static str = $kind;
            const OPTIONS: mq_core::JobOptions = $options;
        }
    };
}

/// What happened, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<(Instant, String)>>>);

impl Notes {
    pub(crate) fn add(&self, note: impl Into<String>) {
        self.0.lock().unwrap().push((now(), note.into()));
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(_, note)| note.clone()).collect()
    }

    pub(crate) fn count(&self, wanted: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|(_, note)| note == wanted).count()
    }

    pub(crate) fn when(&self, wanted: &str) -> Option<Instant> {
        let notes = self.0.lock().unwrap();
        notes.iter().find(|(_, note)| note == wanted).map(|(when, _)| *when)
    }

    /// Waits until a note is there that often.
    pub(crate) async fn has(&self, wanted: &str, times: usize) {
        let what = || format!("{times} × `{wanted}`, notes: {:?}", self.all());
        eventually(what, async || self.count(wanted) >= times).await;
    }
}

/// Polls a condition until it holds.
pub(crate) async fn eventually(what: impl Fn() -> String, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = now() + PATIENCE;
    while !holds().await {
        assert!(now() < deadline, "waited in vain for: {}", what());
        // sleep: polls with a deadline.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn client(server: &RedisServer) -> Client {
    within(Client::connect(server.url())).await.unwrap()
}

/// Bounds a future, so that a test that hangs says where.
#[track_caller]
pub(crate) fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let place = std::panic::Location::caller();
    async move {
        let result = tokio::time::timeout(PATIENCE, future).await;
        result.unwrap_or_else(|_| panic!("took too long, see {place}"))
    }
}

/// Waits until a job is in a state, and returns what is known about it.
pub(crate) async fn job_in(
    client: &Client,
    id: JobId,
    state: mq_core::State,
) -> mq_core::admin::JobInfo {
    let deadline = now() + PATIENCE;
    loop {
        let info = within(client.admin().job(id)).await.unwrap();
        match info {
            Some(info) if info.state == state => return info,
            other => assert!(now() < deadline, "{id} did not become {state}: {other:?}"),
        }
        // sleep: polls with a deadline.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a job is gone from the store.
pub(crate) async fn gone(client: &Client, id: JobId) {
    let what = || format!("job {id} to be gone");
    eventually(what, async || within(client.admin().job(id)).await.unwrap().is_none()).await;
}

/// Nothing is left in any queue, and nothing is in two places.
pub(crate) async fn nothing_left(client: &Client) {
    for queue in within(client.admin().queues()).await.unwrap() {
        let stats = queue.stats;
        let left = [stats.ready, stats.scheduled, stats.retrying, stats.running];
        assert_eq!(left, [0; 4], "{}: {stats:?}", queue.name);
    }
    consistent(client).await;
}

pub(crate) async fn consistent(client: &Client) {
    for (queue, report) in within(client.admin().audit(false)).await.unwrap() {
        assert!(report.findings.is_empty(), "{queue}: {report:?}");
    }
}

/// One command to a server, by a connection of its own.
pub(crate) async fn redis(server: &RedisServer, words: &[&str]) -> redis::Value {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    command.query_async(&mut connection).await.unwrap()
}
