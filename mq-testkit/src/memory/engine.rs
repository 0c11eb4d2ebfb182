//! The contract on it: every method locks the store and is done at once.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mq_core::engine::{
    About, Act, AuditReport, BATCH_MAX, Beat, BeatReply, ClaimReply, ClaimRequest, Durability,
    Engine, EngineError, EngineErrorKind, EnqueueReply, Finish, Finished, ListRequest, NewJob,
    Pace, Page, Progress, PruneLimits, QueueStats, ReapReply, ReapRequest, Stored, WaitReply,
    WorkerStats,
};
use mq_core::{JobId, QueueName, WorkerId, clock};
use tokio::sync::Notify;

use super::state::Store;

/// A store of jobs in this process's memory, whose time stands still until it is told to move.
///
/// It keeps the whole contract of [`Engine`], checked by the same suite as the others, but keeps
/// no job longer than the process. Clones are the same store.
///
/// ```
/// # async fn example() -> Result<(), mq_core::EnqueueError> {
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// let engine = mq_testkit::MemoryEngine::new(1_750_000_000_000);
/// let mq = mq_core::Client::with_engine(Arc::new(engine.clone()));
/// engine.advance(Duration::from_secs(60));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryEngine {
    store: Arc<Mutex<Store>>,
    changed: Arc<Notify>,
}

impl MemoryEngine {
    /// An empty store, where it is `now_ms`: ms since 1970.
    pub fn new(now_ms: u64) -> Self {
        let identity = WorkerId::random().to_string();
        let store = Store { identity, now_ms, ..Store::default() };
        Self { store: Arc::new(Mutex::new(store)), changed: Arc::default() }
    }

    /// Moves time forward. Workers that wait for a job which is due by then are woken.
    pub fn advance(&self, by: Duration) {
        self.change(|store| store.advance(by));
    }

    /// The store's time: ms since 1970.
    pub fn now_ms(&self) -> u64 {
        self.store().now_ms
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        let result = change(&mut self.store());
        self.changed.notify_waiters();
        result
    }

    fn limited<T>(&self, len: usize, f: impl FnOnce(&mut Store) -> T) -> Result<T, EngineError> {
        if len > BATCH_MAX {
            let text = format!("a request of {len} is too large: at most {BATCH_MAX}");
            return Err(EngineError::new(EngineErrorKind::Invalid, text));
        }
        Ok(self.change(f))
    }
}

#[async_trait]
impl Engine for MemoryEngine {
    async fn enqueue(
        &self,
        jobs: Vec<NewJob>,
        _: Duration,
    ) -> Result<Vec<EnqueueReply>, EngineError> {
        NewJob::check_schedules(&jobs, self.now_ms())?;
        self.limited(jobs.len(), |store| jobs.into_iter().map(|job| store.enqueue(job)).collect())
    }

    async fn join(
        &self,
        queue: &QueueName,
        worker: WorkerId,
        lease: Duration,
        about: &About,
    ) -> Result<(), EngineError> {
        self.change(|store| store.join(queue, worker, lease, about));
        Ok(())
    }

    async fn claim(&self, request: ClaimRequest) -> Result<ClaimReply, EngineError> {
        request.check_queues()?;
        self.limited(request.finishes.len(), |store| store.claim(request))
    }

    async fn finish(&self, finishes: Vec<Finish>) -> Result<Vec<Finished>, EngineError> {
        self.limited(finishes.len(), |store| store.finish(&finishes))
    }

    async fn extend(&self, beats: Vec<Beat>) -> Result<Vec<BeatReply>, EngineError> {
        Ok(self.change(|store| beats.into_iter().map(|beat| store.beat(beat)).collect()))
    }

    async fn leave(&self, queue: &QueueName, worker: WorkerId) -> Result<(), EngineError> {
        self.change(|store| store.leave(queue, worker));
        Ok(())
    }

    async fn wait(&self, queues: &[QueueName], time: Duration) -> Result<WaitReply, EngineError> {
        let deadline = clock::now() + time;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(queue) = self.store().take_wake(queues) {
                return Ok(WaitReply::Woken(queue));
            }
            if tokio::time::timeout_at(deadline.into(), changed).await.is_err() {
                return Ok(WaitReply::TimedOut);
            }
        }
    }

    async fn promote(&self, queue: &QueueName, limit: usize) -> Result<Progress, EngineError> {
        let (done, more) = self.change(|store| store.promote(queue, limit));
        Ok(Progress { done, more })
    }

    async fn reap(&self, request: ReapRequest) -> Result<ReapReply, EngineError> {
        Ok(self.change(|store| store.reap(&request)))
    }

    async fn prune(&self, queue: &QueueName, limits: PruneLimits) -> Result<Progress, EngineError> {
        Ok(self.change(|store| store.prune(queue, limits)))
    }

    async fn queues(&self) -> Result<Vec<QueueName>, EngineError> {
        Ok(self.store().queues.keys().cloned().collect())
    }

    async fn stats(&self, queue: &QueueName) -> Result<QueueStats, EngineError> {
        Ok(self.store().stats(queue))
    }

    async fn workers(&self, queue: &QueueName) -> Result<Vec<WorkerStats>, EngineError> {
        Ok(self.store().workers(queue))
    }

    async fn list(&self, request: ListRequest) -> Result<Page, EngineError> {
        self.store().list(&request)
    }

    async fn get(
        &self,
        queue: &QueueName,
        ids: &[JobId],
    ) -> Result<Vec<Option<Stored>>, EngineError> {
        let store = self.store();
        Ok(ids.iter().map(|id| store.stored(queue, *id)).collect())
    }

    async fn retry(
        &self,
        queue: &QueueName,
        ids: &[JobId],
        pace: Option<Pace>,
    ) -> Result<Vec<Act>, EngineError> {
        self.limited(ids.len(), |store| {
            let acts = ids.iter().enumerate().map(|(at, id)| store.retry(queue, *id, pace, at));
            acts.collect()
        })
    }

    async fn run_now(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>, EngineError> {
        self.limited(ids.len(), |store| ids.iter().map(|id| store.run_now(queue, *id)).collect())
    }

    async fn delete(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>, EngineError> {
        self.limited(ids.len(), |store| ids.iter().map(|id| store.delete(queue, *id)).collect())
    }

    async fn cancel(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>, EngineError> {
        self.limited(ids.len(), |store| ids.iter().map(|id| store.cancel(queue, *id)).collect())
    }

    async fn discard(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>, EngineError> {
        self.limited(ids.len(), |store| ids.iter().map(|id| store.discard(queue, *id)).collect())
    }

    async fn transfer(
        &self,
        from: &QueueName,
        to: &QueueName,
        ids: &[JobId],
    ) -> Result<Vec<Act>, EngineError> {
        if from == to {
            let text = format!("the jobs are in queue `{from}` already");
            return Err(EngineError::new(EngineErrorKind::Invalid, text));
        }
        self.limited(ids.len(), |store| {
            ids.iter().map(|id| store.transfer(from, to, *id)).collect()
        })
    }

    async fn import(&self, jobs: Vec<Stored>) -> Result<Vec<Act>, EngineError> {
        self.limited(jobs.len(), |store| jobs.into_iter().map(|job| store.import(job)).collect())
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), EngineError> {
        self.change(|store| store.pause(queue));
        Ok(())
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), EngineError> {
        self.change(|store| store.resume(queue));
        Ok(())
    }

    async fn audit(&self, queue: &QueueName, _: bool) -> Result<AuditReport, EngineError> {
        Ok(self.store().audit(queue))
    }

    async fn identity(&self) -> Result<String, EngineError> {
        Ok(self.store().identity.clone())
    }

    fn database(&self) -> Option<String> {
        None
    }

    fn durability(&self) -> Durability {
        Durability::Memory
    }

    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    fn detached(&self) -> Arc<dyn Engine> {
        Arc::new(self.clone())
    }

    async fn ping(&self) -> Result<u64, EngineError> {
        Ok(self.store().now_ms)
    }
}

impl fmt::Debug for MemoryEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the jobs: payloads are users' data and would end up in logs.
        f.debug_struct("MemoryEngine").field("now_ms", &self.now_ms()).finish_non_exhaustive()
    }
}
