//! An engine that passes everything on and counts the requests of one worker.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mq::engine::{
    About, Act, AuditReport, Beat, BeatReply, ClaimReply, ClaimRequest, Durability, Engine,
    EngineError, EnqueueReply, Finish, Finished, ListRequest, NewJob, Pace, Page, Progress,
    PruneLimits, QueueStats, ReapReply, ReapRequest, Stored, WaitReply, WorkerStats,
};
use mq::{JobId, QueueName, WorkerId};
use tokio::sync::Notify;

use crate::support::passes_on;

/// What a worker does on its engine.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Requests that claim, with or without finishes.
    pub(crate) claims: AtomicU64,
    /// Requests that only finish.
    pub(crate) finishes: AtomicU64,
    /// Jobs that the worker must end until [`done`](Self::done) rings.
    left: AtomicU64,
    done: Notify,
    wake: Notify,
    waits: Notify,
}

impl Seen {
    /// Wakes the worker and waits until it has ended so many jobs.
    pub(crate) async fn drained(&self, jobs: u64) {
        self.left.store(jobs, Ordering::Relaxed);
        self.wake.notify_one();
        self.done.notified().await;
    }

    /// Waits until the worker waits.
    pub(crate) async fn idle(&self) {
        self.waits.notified().await;
    }

    fn ended(&self, finished: &[Finished]) {
        if finished.is_empty() {
            return;
        }
        assert!(finished.iter().all(|end| *end == Finished::Applied), "{finished:?}");
        let before = self.left.fetch_sub(finished.len() as u64, Ordering::Relaxed);
        if before == finished.len() as u64 {
            self.done.notify_one();
        }
    }
}

/// Takes away what depends on time: how long a job ran, what the keeper of leases does, and
/// wake-ups other than those of the test.
#[derive(Debug)]
pub(crate) struct Passing {
    inner: Arc<dyn Engine>,
    seen: Arc<Seen>,
    /// The keeper's handle gets no answer.
    is_mute: bool,
}

impl Passing {
    pub(crate) fn new(inner: Arc<dyn Engine>, seen: &Arc<Seen>) -> Self {
        Self { inner, seen: Arc::clone(seen), is_mute: false }
    }

    async fn pass<T>(&self, call: impl Future<Output = T>) -> T {
        if self.is_mute { pending().await } else { call.await }
    }
}

/// How long a job ran is told in digits, and a slow machine has more of them.
fn timeless(mut finishes: Vec<Finish>) -> Vec<Finish> {
    for finish in &mut finishes {
        finish.run_time = Duration::ZERO;
    }
    finishes
}

passes_on! { Passing {
    async fn claim(&self, mut request: ClaimRequest) -> Result<ClaimReply, EngineError> {
        request.finishes = timeless(request.finishes);
        self.seen.claims.fetch_add(1, Ordering::Relaxed);
        let reply = self.inner.claim(request).await?;
        self.seen.ended(&reply.finished);
        Ok(reply)
    }

    async fn finish(&self, finishes: Vec<Finish>) -> Result<Vec<Finished>, EngineError> {
        self.seen.finishes.fetch_add(1, Ordering::Relaxed);
        let finished = self.inner.finish(timeless(finishes)).await?;
        self.seen.ended(&finished);
        Ok(finished)
    }

    async fn wait(&self, names: &[QueueName], _: Duration) -> Result<WaitReply, EngineError> {
        self.seen.waits.notify_one();
        self.seen.wake.notified().await;
        Ok(WaitReply::Woken(names[0].clone()))
    }

    fn detached(&self) -> Arc<dyn Engine> {
        let (inner, seen) = (Arc::clone(&self.inner), Arc::clone(&self.seen));
        Arc::new(Self { inner, seen, is_mute: true })
    }
} }
