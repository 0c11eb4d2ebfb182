//! The producer's side: from a typed job to a stored one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::admin::Admin;
use crate::connect::{self, ConnectError};
use crate::engine::{BATCH_MAX, Durability, Engine, NewJob};
use crate::enqueue::{Enqueue, EnqueueAll, EnqueueError, EnqueueSet, Enqueued, JobSet};
use crate::job::Job;

/// Most bytes of a serialized job, unless the client is told otherwise.
pub const PAYLOAD_MAX: usize = 1024 * 1024;
/// How long an enqueue tries to reach the store, unless the client is told otherwise.
pub const ENQUEUE_DEADLINE: Duration = Duration::from_secs(5);
/// Bytes after which a batch is sent although it has fewer than [`BATCH_MAX`] jobs.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// A handle on a store of jobs: enqueues them, and is what workers and [`Admin`] are made from.
///
/// Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    engine: Arc<dyn Engine>,
    deadline: Duration,
    payload_max: usize,
}

impl Client {
    /// Opens the store that a URL names, such as `sqlite:jobs.db` or `redis://127.0.0.1:6379`, and
    /// checks that it is set up so that no job gets lost.
    ///
    /// # Errors
    /// See [`ConnectError`]; its text says what to do.
    pub async fn connect(url: impl AsRef<str>) -> Result<Self, ConnectError> {
        Ok(Self::with_engine(connect::connect(url.as_ref()).await?))
    }

    /// A client of an engine that is open already.
    pub fn with_engine(engine: Arc<dyn Engine>) -> Self {
        Self { engine, deadline: ENQUEUE_DEADLINE, payload_max: PAYLOAD_MAX }
    }

    /// How long an enqueue may try to reach the store before it fails. Default: 5 s.
    #[must_use]
    pub fn enqueue_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Most bytes that a serialized job may have. Default: 1 MiB. Jobs wait in the store's memory:
    /// put large data elsewhere and a reference to it into the job.
    ///
    /// It holds for workers as well: a stored job that is larger than their client allows is a dead
    /// letter before it is decoded.
    #[must_use]
    pub fn payload_max(self, bytes: usize) -> Self {
        Self { payload_max: bytes, ..self }
    }

    /// Stores a job. Await the result; options go in between:
    /// `mq.enqueue(job).delay(minute).await?`.
    pub fn enqueue<J: Job>(&self, job: J) -> Enqueue<J> {
        Enqueue::new(self.clone(), job)
    }

    /// Stores many jobs of one type, in chunks that fit one request each.
    pub fn enqueue_all<'a, J, I>(&self, jobs: I) -> EnqueueAll<'a, J, I::IntoIter>
    where
        J: Job,
        I: IntoIterator<Item = J>,
    {
        EnqueueAll::new(self.clone(), jobs.into_iter())
    }

    /// Stores jobs of several types. Up to 1,000 of them and 4 MiB go in one request, and those of
    /// one queue become visible together; larger sets take several, and nothing of a set is sent if
    /// one of its jobs is at fault.
    pub fn enqueue_set(&self, set: JobSet) -> EnqueueSet {
        EnqueueSet::new(self.clone(), set)
    }

    /// The operator's side: queues, jobs, workers, and verbs on them.
    pub fn admin(&self) -> Admin {
        Admin::new(self.clone())
    }

    /// What an acknowledged job survives, as verified within the last minute.
    pub fn durability(&self) -> Durability {
        self.engine.durability()
    }

    /// What an operator should mend about the store: one sentence each, with what to type.
    pub fn warnings(&self) -> Vec<String> {
        self.engine.warnings()
    }

    /// The store itself, for those who extend mq.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// What [`payload_max`](Self::payload_max) was set to, in bytes.
    pub fn payload_limit(&self) -> usize {
        self.payload_max
    }

    /// Sends one batch.
    pub(crate) async fn send(&self, jobs: Vec<NewJob>) -> Result<Vec<Enqueued>, EnqueueError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let replies = self.engine.enqueue(jobs, self.deadline).await?;
        let durability = self.engine.durability();
        Ok(replies.into_iter().map(|reply| Enqueued::new(reply, durability)).collect())
    }

    /// Sends any number of jobs, batch after batch.
    pub(crate) async fn send_all(
        &self,
        jobs: impl Iterator<Item = Result<NewJob, EnqueueError>> + Send,
    ) -> Result<Vec<Enqueued>, EnqueueError> {
        let mut enqueued = Vec::new();
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut failure = None;
        for job in jobs {
            match job {
                Ok(job) => {
                    bytes += job.record.len();
                    batch.push(job);
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
            if batch.len() >= BATCH_MAX || bytes >= BATCH_BYTES {
                bytes = 0;
                match self.send(std::mem::take(&mut batch)).await {
                    Ok(receipts) => enqueued.extend(receipts),
                    Err(error) => return Err(EnqueueError::partial(enqueued, error)),
                }
            }
        }
        match self.send(batch).await {
            Ok(receipts) => enqueued.extend(receipts),
            Err(error) => return Err(EnqueueError::partial(enqueued, error)),
        }
        match failure {
            Some(error) => Err(EnqueueError::partial(enqueued, error)),
            None => Ok(enqueued),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("engine", &self.engine).finish_non_exhaustive()
    }
}
