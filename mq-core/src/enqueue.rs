//! The awaitable builders behind `mq.enqueue(…)`.

mod bounded;
mod transaction;

use std::borrow::Cow;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use chrono::{DateTime, TimeZone};

use self::bounded::Bounded;
use crate::client::Client;
use crate::engine::{
    DELAY_MAX, Durability, EngineError, EngineErrorKind, EnqueueReply, NewJob, Schedule,
};
use crate::id::JobId;
use crate::job::Job;
use crate::name::{self, NameError, QueueName};
use crate::priority::Priority;
use crate::record::Record;
use crate::seal::SealError;

/// Most tags of one job.
pub const TAGS_MAX: usize = 32;
/// Room that is made for a payload before its size is known.
const PAYLOAD_USUAL: usize = 112;

/// The receipt of a stored job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enqueued {
    /// The job: the new one, or the one that was there under the same key.
    pub id: JobId,
    /// Whether the job was there already.
    pub duplicate: bool,
    /// What the job survives from now on.
    pub durability: Durability,
}

impl Enqueued {
    pub(crate) fn new(reply: EnqueueReply, durability: Durability) -> Self {
        Self { id: reply.id, duplicate: reply.duplicate, durability }
    }
}

/// A job was not stored, or perhaps not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnqueueError {
    /// The job does not serialize.
    #[error("the job `{kind}` does not serialize")]
    Encode {
        /// Its kind.
        kind: &'static str,
        /// The serializer's words.
        source: serde_json::Error,
    },
    /// The serialized job is larger than the client allows; nothing was sent.
    #[error(
        "the job `{kind}` has {size} bytes, at most {max} are allowed: store the data elsewhere \
         and put a reference into the job, or raise `Client::payload_max`"
    )]
    TooLarge {
        /// Its kind.
        kind: &'static str,
        /// Its serialized size.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// A queue name, key or tag that mq does not accept; nothing was sent.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The job could not be sealed; it was not sent. See [`Client::sealed`].
    #[error("the job could not be sealed")]
    Seal(#[source] SealError),
    /// An option that makes no sense; nothing was sent.
    #[error("{0}")]
    Option(String),
    /// The store is at its memory or disk limit; the job was not stored.
    #[error("the store is full: workers can still drain it, add memory or wait")]
    Full(#[source] EngineError),
    /// The store was not reached in time; the job was surely not stored.
    #[error("the store was not reached in time, the job was not stored")]
    Unavailable(#[source] EngineError),
    /// The store was lost in the middle: perhaps the job was stored, perhaps not. Enqueueing again
    /// is safe if the job has an `idempotency_key`.
    #[error("the store was lost in the middle, the job may or may not have been stored")]
    Unknown(#[source] EngineError),
    /// The store refused, for example for lack of permission.
    #[error("the store refused the job")]
    Engine(#[source] EngineError),
    /// Some of many jobs were stored before one was not.
    #[error("{} jobs were stored, then: {source}", enqueued.len())]
    Partial {
        /// The receipts of those that were stored: always the first ones.
        enqueued: Vec<Enqueued>,
        /// What happened to the next.
        source: Box<EnqueueError>,
    },
}

impl EnqueueError {
    /// Whether the same enqueue may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Full(_) | Self::Unavailable(_) | Self::Unknown(_) => true,
            Self::Partial { source, .. } => source.is_retryable(),
            _ => false,
        }
    }

    pub(crate) fn partial(enqueued: Vec<Enqueued>, source: Self) -> Self {
        if enqueued.is_empty() {
            return source;
        }
        Self::Partial { enqueued, source: Box::new(source) }
    }
}

impl From<EngineError> for EnqueueError {
    fn from(error: EngineError) -> Self {
        match error.kind() {
            EngineErrorKind::Full => Self::Full(error),
            EngineErrorKind::Unavailable => Self::Unavailable(error),
            EngineErrorKind::Unknown => Self::Unknown(error),
            _ => Self::Engine(error),
        }
    }
}

/// What an enqueue says beyond the job itself.
#[derive(Debug, Clone, Default)]
struct Options {
    queue: Option<String>,
    schedule: Schedule,
    priority: Option<Priority>,
    idempotency_key: Option<String>,
    tags: Vec<String>,
    max_attempts: Option<u32>,
    timeout: Option<Duration>,
    retention: Option<Duration>,
    traceparent: Option<String>,
}

impl Options {
    fn check(&self, kind: &'static str) -> Result<(), EnqueueError> {
        if let Some(key) = &self.idempotency_key {
            name::check("idempotency key", key)?;
        }
        for tag in &self.tags {
            name::check("tag", tag)?;
        }
        if let Some(traceparent) = &self.traceparent {
            name::check("traceparent", traceparent)?;
        }
        let problem = if self.tags.len() > TAGS_MAX {
            format!("the job `{kind}` has {} tags, at most {TAGS_MAX} are allowed", self.tags.len())
        } else if matches!(self.schedule, Schedule::After(delay) if delay > DELAY_MAX) {
            // A time is left to the store, whose clock decides how far away that is.
            format!("the job `{kind}` is delayed by more than ten years: run it earlier")
        } else if self.max_attempts == Some(0) {
            format!("the job `{kind}` has `max_attempts` 0: it needs at least 1 to run at all")
        } else if self.timeout == Some(Duration::ZERO) {
            format!("the job `{kind}` has a `timeout` of 0, so no attempt could succeed")
        } else {
            return Ok(());
        };
        Err(EnqueueError::Option(problem))
    }

    fn prepare<J: Job>(&self, job: &J, payload_max: usize) -> Result<NewJob, EnqueueError> {
        self.check(J::KIND)?;
        let queue = QueueName::new(self.queue.as_deref().unwrap_or(J::OPTIONS.queue))?;
        let priority = self.priority.unwrap_or(J::OPTIONS.priority);
        let record = Record {
            max_attempts: self.max_attempts,
            timeout: self.timeout,
            retention: self.retention.or(J::OPTIONS.retention),
            priority,
            idempotency_key: self.idempotency_key.as_deref().map(Cow::Borrowed),
            tags: self.tags.iter().map(|tag| Cow::Borrowed(tag.as_str())).collect(),
            traceparent: self.traceparent.as_deref().map(Cow::Borrowed),
            ..Record::new(J::KIND, &b""[..])
        };
        let record = record.header(PAYLOAD_USUAL);
        let header = record.len();
        let mut record = Bounded::behind(record, payload_max);
        serde_json::to_writer(&mut record, job)
            .map_err(|source| EnqueueError::Encode { kind: J::KIND, source })?;
        let too_large =
            |size| EnqueueError::TooLarge { kind: J::KIND, size: size - header, max: payload_max };
        let record = record.finish().map_err(too_large)?;
        Ok(NewJob {
            queue,
            id: JobId::new(),
            record,
            schedule: self.schedule,
            priority,
            idempotency_key: self.idempotency_key.clone(),
        })
    }
}

/// The options that all enqueues share.
macro_rules! options {
    () => {
        /// Puts it into another queue than its type says.
        pub fn queue(mut self, queue: impl Into<String>) -> Self {
            self.options.queue = Some(queue.into());
            self
        }

        /// Runs it no earlier than this long from when the store has it.
        pub fn delay(mut self, delay: Duration) -> Self {
            self.options.schedule = Schedule::After(delay);
            self
        }

        /// Runs it no earlier than at this time, by the store's clock. The past means at once.
        pub fn at<Tz: TimeZone>(mut self, time: DateTime<Tz>) -> Self {
            let at_ms = u64::try_from(time.timestamp_millis()).unwrap_or(0);
            self.options.schedule = Schedule::At(at_ms);
            self
        }

        /// Puts it before or behind others of its queue.
        pub fn priority(mut self, priority: Priority) -> Self {
            self.options.priority = Some(priority);
            self
        }

        /// Labels it, for people and for [`Admin`](crate::Admin); may be called several times.
        pub fn tag(mut self, tag: impl Into<String>) -> Self {
            self.options.tags.push(tag.into());
            self
        }

        /// Overrides after how many failed attempts it is a dead letter.
        pub fn max_attempts(mut self, max_attempts: u32) -> Self {
            self.options.max_attempts = Some(max_attempts);
            self
        }

        /// Overrides the time limit of one attempt.
        pub fn timeout(mut self, timeout: Duration) -> Self {
            self.options.timeout = Some(timeout);
            self
        }

        /// Overrides how long it is kept after success or cancellation.
        pub fn retention(mut self, retention: Duration) -> Self {
            self.options.retention = Some(retention);
            self
        }

        /// Hands the producer's W3C trace context on to the handler.
        pub fn traceparent(mut self, traceparent: impl Into<String>) -> Self {
            self.options.traceparent = Some(traceparent.into());
            self
        }
    };
}

/// A job on its way into the store; see [`Client::enqueue`].
#[derive(Debug)]
#[must_use = "a job is not enqueued until this is awaited"]
pub struct Enqueue<J> {
    client: Client,
    job: J,
    options: Options,
    /// Taken where `J: Job` is known, so that a type that is no job gives one error, there, and not
    /// a second one about what cannot be awaited.
    prepare: fn(&Options, &J, usize) -> Result<NewJob, EnqueueError>,
}

impl<J: Job> Enqueue<J> {
    pub(crate) fn new(client: Client, job: J) -> Self {
        Self { client, job, options: Options::default(), prepare: Options::prepare::<J> }
    }
}

impl<J> Enqueue<J> {
    options!();

    /// Makes enqueueing it again harmless: as long as a job of this key exists in the queue, and
    /// for 24 h after, the same key answers with that job.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.options.idempotency_key = Some(key.into());
        self
    }
}

impl<J> IntoFuture for Enqueue<J> {
    type Output = Result<Enqueued, EnqueueError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        // Encoded before the first await, so that a job need not be `Sync` or live on.
        let Self { client, job, options, prepare } = self;
        let prepared = prepare(&options, &job, client.payload_limit());
        drop(job);
        Box::pin(async move {
            let receipts = client.send(vec![prepared?]).await?;
            receipts.into_iter().next().ok_or_else(|| no_receipt().into())
        })
    }
}

fn no_receipt() -> EngineError {
    let text = "the engine answered with no receipt; please report this";
    EngineError::new(EngineErrorKind::Invalid, text)
}

/// Many jobs on their way into the store; see [`Client::enqueue_all`]. The options hold for each.
#[must_use = "jobs are not enqueued until this is awaited"]
pub struct EnqueueAll<'a, J, I> {
    client: Client,
    jobs: I,
    options: Options,
    key_by: Option<KeyBy<'a, J>>,
}

type KeyBy<'a, J> = Box<dyn Fn(&J) -> String + Send + 'a>;

impl<J: Job, I: Iterator<Item = J>> EnqueueAll<'_, J, I> {
    pub(crate) fn new(client: Client, jobs: I) -> Self {
        Self { client, jobs, options: Options::default(), key_by: None }
    }

    options!();
}

impl<'a, J: Job, I: Iterator<Item = J>> EnqueueAll<'a, J, I> {
    /// Gives each job a key of its own; see [`Enqueue::idempotency_key`].
    pub fn idempotency_key_by(mut self, key: impl Fn(&J) -> String + Send + 'a) -> Self {
        self.key_by = Some(Box::new(key));
        self
    }

    fn prepared(self) -> impl Iterator<Item = Result<NewJob, EnqueueError>> + use<'a, J, I> {
        let Self { client, jobs, mut options, key_by } = self;
        let payload_max = client.payload_limit();
        jobs.map(move |job| {
            if let Some(key_by) = &key_by {
                options.idempotency_key = Some(key_by(&job));
            }
            options.prepare(&job, payload_max)
        })
    }
}

impl<J, I> fmt::Debug for EnqueueAll<'_, J, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnqueueAll").field("options", &self.options).finish_non_exhaustive()
    }
}

impl<'a, J, I> IntoFuture for EnqueueAll<'a, J, I>
where
    J: Job,
    I: Iterator<Item = J> + Send + 'a,
{
    type Output = Result<Vec<Enqueued>, EnqueueError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        let client = self.client.clone();
        Box::pin(async move { client.send_all(self.prepared()).await })
    }
}

/// Jobs of several types, to be stored together.
///
/// ```text
/// mq.enqueue_set(JobSet::new().push(Resize { id }).push(Notify { id })).await?;
/// ```
#[derive(Debug, Default)]
pub struct JobSet {
    jobs: Vec<(&'static str, Result<NewJob, EnqueueError>)>,
}

impl JobSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a job, with what its type says.
    #[must_use]
    pub fn push<J: Job>(self, job: J) -> Self {
        self.push_with(job, |options| options)
    }

    /// Adds a job with options: `set.push_with(job, |o| o.delay(minute))`.
    #[must_use]
    pub fn push_with<J: Job>(
        mut self,
        job: J,
        options: impl FnOnce(JobSetOptions) -> JobSetOptions,
    ) -> Self {
        self.add_with(job, options);
        self
    }

    /// Adds a job to a set that is kept somewhere, with what its type says.
    pub fn add<J: Job>(&mut self, job: J) {
        self.add_with(job, |options| options);
    }

    /// Adds a job with options to a set that is kept somewhere.
    pub fn add_with<J: Job>(
        &mut self,
        job: J,
        options: impl FnOnce(JobSetOptions) -> JobSetOptions,
    ) {
        let options = options(JobSetOptions { options: Options::default() }).options;
        // The client's own limit is applied when the set is sent.
        self.jobs.push((J::KIND, options.prepare(&job, usize::MAX)));
        drop(job);
    }

    /// How many jobs it has.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }
}

/// The options of one job in a [`JobSet`].
#[derive(Debug)]
#[must_use]
pub struct JobSetOptions {
    options: Options,
}

impl JobSetOptions {
    options!();

    /// See [`Enqueue::idempotency_key`].
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.options.idempotency_key = Some(key.into());
        self
    }
}

/// A [`JobSet`] on its way into the store; see [`Client::enqueue_set`].
#[derive(Debug)]
#[must_use = "jobs are not enqueued until this is awaited"]
pub struct EnqueueSet {
    client: Client,
    set: JobSet,
}

impl EnqueueSet {
    pub(crate) fn new(client: Client, set: JobSet) -> Self {
        Self { client, set }
    }

    fn prepared(self) -> Result<Vec<NewJob>, EnqueueError> {
        let max = self.client.payload_limit();
        let mut jobs = Vec::with_capacity(self.set.jobs.len());
        for (kind, job) in self.set.jobs {
            let job = job?;
            let size = Record::decode(&job.record).map_or(0, |record| record.payload.len());
            if size > max {
                return Err(EnqueueError::TooLarge { kind, size, max });
            }
            jobs.push(job);
        }
        Ok(jobs)
    }
}

impl IntoFuture for EnqueueSet {
    type Output = Result<Vec<Enqueued>, EnqueueError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let client = self.client.clone();
        Box::pin(async move {
            let jobs = self.prepared()?;
            client.send_all(jobs.into_iter().map(Ok)).await
        })
    }
}
