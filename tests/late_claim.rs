//! A claim whose answer comes when its worker has heard that it was lost.
#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

#[path = "support/log.rs"]
mod log;
#[path = "support/passing.rs"]
mod passing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mq::engine::{
    About, Act, AuditReport, Beat, BeatReply, ClaimReply, ClaimRequest, Durability, Engine,
    EngineError, EnqueueReply, Finish, Finished, ListRequest, NewJob, Pace, Page, Progress,
    PruneLimits, QueueStats, ReapReply, ReapRequest, Stored, WaitReply, WorkerStats,
};
use mq::prelude::*;
use mq::{JobId, QueueName, WorkerId};

use crate::log::Log;
use crate::passing::passes_on;

const LIMIT: Duration = Duration::from_secs(30);

/// Keeps the answer to the first claim that brings a job until its worker knows that it is lost.
#[derive(Debug)]
struct Slow {
    inner: Arc<dyn Engine>,
    log: Log,
    was_slow: AtomicBool,
}

impl Slow {
    async fn pass<T>(&self, call: impl Future<Output = T>) -> T {
        call.await
    }

    async fn lose(&self, queue: &QueueName, worker: WorkerId) {
        self.inner.leave(queue, worker).await.unwrap();
        while !self.log.text().contains("the lease was lost") {
            // sleep: the test has a time limit.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

passes_on! { Slow {
    async fn claim(&self, request: ClaimRequest) -> Result<ClaimReply, EngineError> {
        let reply = self.inner.claim(request).await?;
        if let Some(job) = reply.jobs.first()
            && !self.was_slow.swap(true, Ordering::SeqCst)
        {
            self.lose(&job.claim.queue, job.claim.worker).await;
        }
        Ok(reply)
    }

    async fn finish(&self, finishes: Vec<Finish>) -> Result<Vec<Finished>, EngineError> {
        self.inner.finish(finishes).await
    }

    async fn wait(&self, queues: &[QueueName], timeout: Duration)
        -> Result<WaitReply, EngineError> {
        self.inner.wait(queues, timeout).await
    }

    fn detached(&self) -> Arc<dyn Engine> {
        self.inner.detached()
    }
} }

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(state = Arc<AtomicUsize>)]
struct Once {}

impl Handler<Arc<AtomicUsize>> for Once {
    type Error = String;

    async fn run(self, cx: Context<Arc<AtomicUsize>>) -> Result<(), String> {
        cx.state().fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_known_to_be_lost_starts_nothing() {
    let log = Log::default();
    let writer = log.clone();
    let logged = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    logged.init();
    let store = Client::connect("sqlite::memory:").await.unwrap();
    let inner = Arc::clone(store.engine());
    let slow = Slow { inner, log: log.clone(), was_slow: AtomicBool::new(false) };
    let mq = Client::with_engine(Arc::new(slow));
    let starts = Arc::new(AtomicUsize::new(0));
    let worker = Worker::builder(&mq).discover().state(Arc::clone(&starts));
    let worker = worker.lease(Duration::from_secs(3)).build().unwrap().spawn();
    let id = mq.enqueue(Once {}).await.unwrap().id;
    let done = async {
        while mq.admin().job(id).await.unwrap().is_some() {
            // sleep: there is a time limit.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, done).await.unwrap();
    worker.stop(Duration::from_secs(1)).await.unwrap();
    assert_eq!(starts.load(Ordering::SeqCst), 1, "{}", log.text());
}
