//! What the tests of the file share.
#![allow(dead_code, reason = "each test compiles this file and uses what it needs")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use mq_core::connect::ConnectError;
use mq_core::engine::{
    About, Beat, BeatReply, ClaimRequest, Claimed, Engine, Finish, Finished, NewJob, QueueClaim,
    ReapRequest, Schedule,
};
use mq_core::lifecycle::Transition;
use mq_core::{Claim, JobId, Priority, QueueName, Record, WorkerId, clock};
use mq_sqlite::SqliteEngine;
use rusqlite::Connection;

pub(crate) fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

pub(crate) fn path(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("jobs.db")
}

pub(crate) fn url(directory: &tempfile::TempDir) -> String {
    format!("sqlite:{}", path(directory).display())
}

pub(crate) async fn connect(url: &str) -> SqliteEngine {
    SqliteEngine::connect(url).await.expect("connect")
}

/// Why a file is not used.
pub(crate) async fn unfit(url: &str) -> String {
    match SqliteEngine::connect(url).await {
        Err(ConnectError::Unfit(text)) => text,
        other => panic!("expected to be refused, got {other:?}"),
    }
}

pub(crate) fn queue() -> QueueName {
    QueueName::new("q").expect("a name")
}

pub(crate) fn job() -> NewJob {
    NewJob {
        queue: queue(),
        id: JobId::new(),
        record: Record::new("kind", b"payload".as_slice()).encode(),
        schedule: Schedule::Now,
        priority: Priority::Normal,
        idempotency_key: None,
    }
}

/// Runs statements on a connection of their own, as another program would.
pub(crate) fn outside(path: &Path, sql: &str) {
    Connection::open(path).expect("open").execute_batch(sql).expect("the statements");
}

/// Asks again and again until it is so.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = clock::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(clock::now() < deadline, "not in time: {what}");
        // sleep: between two looks
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A worker on the queue, as the engine sees it.
pub(crate) struct Worker {
    engine: SqliteEngine,
    id: WorkerId,
    number: std::cell::Cell<u64>,
}

impl Worker {
    pub(crate) async fn join(engine: &SqliteEngine, lease: Duration) -> Self {
        let id = WorkerId::random();
        engine.join(&queue(), id, lease, &About::default()).await.expect("join");
        Self { engine: engine.clone(), id, number: std::cell::Cell::new(0) }
    }

    pub(crate) fn id(&self) -> WorkerId {
        self.id
    }

    fn next(&self) -> Claim {
        self.number.set(self.number.get() + 1);
        Claim { queue: queue(), worker: self.id, number: self.number.get() }
    }

    pub(crate) async fn claim(&self, limit: usize) -> Vec<Claimed> {
        let queues = vec![QueueClaim { claim: self.next(), limit }];
        let request = ClaimRequest { limit, queues, ..ClaimRequest::default() };
        self.engine.claim(request).await.expect("claim").jobs
    }

    pub(crate) async fn finish(&self, jobs: &[Claimed], transition: Transition) {
        let finish = |job: &Claimed| Finish {
            id: job.id,
            claim: job.claim.clone(),
            transition,
            history: None,
            had_history: false,
            priority: Priority::Normal,
            idempotency_key: None,
            failed: false,
            run_time: Duration::ZERO,
        };
        let answers = self.engine.finish(jobs.iter().map(finish).collect()).await.expect("finish");
        assert!(answers.iter().all(|answer| *answer == Finished::Applied), "{answers:?}");
    }

    pub(crate) async fn beat(&self, lease: Duration) {
        let beat =
            Beat { queue: queue(), worker: self.id, lease, about: None, names_claims: false };
        let replies = self.engine.extend(vec![beat]).await.expect("beat");
        assert!(matches!(replies[..], [BeatReply::Extended { .. }]), "{replies:?}");
    }

    /// Takes the jobs of the dead over; how many they were.
    pub(crate) async fn reap(&self, lease: Duration) -> usize {
        let request = ReapRequest { claim: self.next(), limit: 100, lease };
        self.engine.reap(request).await.expect("reap").jobs.len()
    }
}
