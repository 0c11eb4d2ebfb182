//! The producer's side: from a typed job to a stored one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::admin::Admin;
use crate::connect::{self, ConnectError};
use crate::engine::{BATCH_MAX, Durability, Engine, NewJob};
use crate::enqueue::{Enqueue, EnqueueAll, EnqueueError, EnqueueSet, Enqueued, JobSet};
use crate::job::Job;
use crate::seal::{self, Sealer};

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
    /// A number, which is half as large as a `Duration` and so makes room for the sealer: every job
    /// that runs has a client, and those of programs that seal nothing shall not pay for it.
    deadline_ns: u64,
    payload_max: usize,
    /// Boxed, because a pointer to it is half as large as one to a `dyn Sealer`.
    sealer: Option<Arc<Box<dyn Sealer>>>,
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
        let deadline_ns = in_ns(ENQUEUE_DEADLINE);
        Self { engine, deadline_ns, payload_max: PAYLOAD_MAX, sealer: None }
    }

    /// How long an enqueue may try to reach the store before it fails. Default: 5 s.
    #[must_use]
    pub fn enqueue_deadline(self, deadline: Duration) -> Self {
        Self { deadline_ns: in_ns(deadline), ..self }
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

    /// Seals every job that this client and its clones enqueue, and opens sealed jobs for handlers,
    /// [`Admin`] and whatever else is made from it. With the feature `seal` of mq,
    /// `mq::seal::Keys` is a sealer.
    ///
    /// Sealed once, as it is enqueued: retries, transfers and moves to other stores leave every
    /// byte as it is. Kinds, tags, keys and error texts are not hidden. A worker that lacks the key
    /// of a job leaves it alone for 15 s, as one whose kind it does not know; a job whose seal does
    /// not fit, or one without a seal, becomes a dead letter with all its bytes.
    #[must_use]
    pub fn sealed(self, sealer: impl Sealer) -> Self {
        Self { sealer: Some(Arc::new(Box::new(sealer))), ..self }
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

    /// What seals and opens its jobs, for those who extend mq.
    pub fn sealer(&self) -> Option<&dyn Sealer> {
        self.sealer.as_ref().map(|sealer| &***sealer)
    }

    /// Seals a job that is about to be handed to the [`engine`](Self::engine) directly, if the
    /// client seals. Enqueueing does this by itself.
    ///
    /// # Errors
    /// [`EnqueueError::Seal`].
    pub fn seal(&self, job: &mut NewJob) -> Result<(), EnqueueError> {
        if let Some(sealer) = self.sealer() {
            job.record = seal::seal(sealer, job.id, &job.record).map_err(EnqueueError::Seal)?;
        }
        Ok(())
    }

    /// What [`payload_max`](Self::payload_max) was set to, in bytes.
    pub fn payload_limit(&self) -> usize {
        self.payload_max
    }

    /// Sends one batch.
    pub(crate) async fn send(&self, mut jobs: Vec<NewJob>) -> Result<Vec<Enqueued>, EnqueueError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        jobs.iter_mut().try_for_each(|job| self.seal(job))?;
        let deadline = from_ns(self.deadline_ns);
        let replies = self.engine.enqueue(jobs, deadline).await?;
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

/// Times above 584 years are all the longest.
fn in_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn from_ns(ns: u64) -> Duration {
    if ns == u64::MAX { Duration::MAX } else { Duration::from_nanos(ns) }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("engine", &self.engine).finish_non_exhaustive()
    }
}
