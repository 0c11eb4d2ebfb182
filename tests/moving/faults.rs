//! An engine whose n-th call fails, with or without its effect, or finds that somebody meddles.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mq::engine::{
    About, Act, AuditReport, Beat, BeatReply, ClaimReply, ClaimRequest, Claimed, Durability,
    Engine, EngineError, EngineErrorKind, EnqueueReply, Finish, Finished, ListRequest, NewJob,
    Pace, Page, Progress, PruneLimits, QueueStats, ReapReply, ReapRequest, Stored, WaitReply,
    WorkerStats,
};
use mq::{Client, JobId, QueueName, WorkerId};

use crate::passing::passes_on;
use crate::scene::{Hand, queue};

/// What happens at which call, counted over all engines that share it.
#[derive(Debug)]
pub(crate) struct Fault {
    at: usize,
    calls: AtomicUsize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Fails { has_effect: bool },
    Meddles { source: Arc<dyn Engine>, taken: Mutex<Option<(Hand, Vec<Claimed>)>> },
}

impl Fault {
    pub(crate) fn new(at: usize, has_effect: bool) -> Arc<Self> {
        let kind = Kind::Fails { has_effect };
        Arc::new(Self { at, calls: AtomicUsize::new(0), kind })
    }

    /// Somebody resumes the queue `a` of the source, and a worker takes five jobs.
    pub(crate) fn meddling(at: usize, source: &Arc<dyn Engine>) -> Arc<Self> {
        let kind = Kind::Meddles { source: Arc::clone(source), taken: Mutex::default() };
        Arc::new(Self { at, calls: AtomicUsize::new(0), kind })
    }

    /// The worker and what it took; none if there were fewer calls.
    pub(crate) fn into_taken(self: Arc<Self>) -> Option<(Hand, Vec<Claimed>)> {
        let Kind::Meddles { taken, .. } = &self.kind else { return None };
        taken.lock().unwrap().take()
    }
}

/// An engine with a fault in front of it.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<dyn Engine>,
    fault: Arc<Fault>,
}

impl Faulty {
    pub(crate) fn on(client: &Client, fault: &Arc<Fault>) -> Client {
        let (inner, fault) = (Arc::clone(client.engine()), Arc::clone(fault));
        Client::with_engine(Arc::new(Self { inner, fault }))
    }

    async fn pass<T>(
        &self,
        call: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        if self.fault.calls.fetch_add(1, Ordering::SeqCst) != self.fault.at {
            return call.await;
        }
        match &self.fault.kind {
            Kind::Fails { has_effect } => {
                if *has_effect {
                    call.await?;
                }
                Err(EngineError::new(EngineErrorKind::Unknown, "as the test wants it"))
            }
            Kind::Meddles { source, taken } => {
                source.resume(&queue("a")).await?;
                let hand = Hand::join(source, "a", Duration::from_secs(600)).await;
                let jobs = hand.take(5).await;
                *taken.lock().unwrap() = Some((hand, jobs));
                call.await
            }
        }
    }
}

passes_on! { Faulty {
    async fn claim(&self, request: ClaimRequest) -> Result<ClaimReply, EngineError> {
        self.pass(self.inner.claim(request)).await
    }

    async fn finish(&self, finishes: Vec<Finish>) -> Result<Vec<Finished>, EngineError> {
        self.pass(self.inner.finish(finishes)).await
    }

    async fn wait(&self, queues: &[QueueName], timeout: Duration)
        -> Result<WaitReply, EngineError> {
        self.pass(self.inner.wait(queues, timeout)).await
    }

    fn detached(&self) -> Arc<dyn Engine> {
        self.inner.detached()
    }
} }
