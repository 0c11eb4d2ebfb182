//! What a handler knows about its attempt, and what it may ask for.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::client::Client;
use crate::id::{Claim, JobId};
use crate::name::QueueName;
use crate::outcome::Verdict;
use crate::signal::{Flag, Signal};

/// Given to a handler with each attempt: facts about the job, shared state, signals, verdicts.
///
/// Cheap to clone and without a lifetime, so it can move into closures and subtasks.
pub struct Context<S = ()> {
    attempt: Arc<Attempt>,
    state: Arc<S>,
}

/// The part of a [`Context`] that does not depend on the type of the state.
#[derive(Debug)]
pub struct Attempt {
    /// The job.
    pub id: JobId,
    /// Its kind, as stored.
    pub kind: Cow<'static, str>,
    /// Its fencing token.
    pub claim: Claim,
    /// Which attempt this is, from 1.
    pub number: u32,
    /// After how many failed attempts the job is a dead letter.
    pub max_attempts: u32,
    /// The user's labels.
    pub tags: Vec<String>,
    /// W3C trace context of the producer.
    pub traceparent: Option<String>,
    /// For enqueueing follow-ups.
    pub client: Client,
    /// Fires when the worker begins to stop.
    pub stopping: Signal,
    /// Fires when this attempt should end: timeout, cancellation, lost lease, end of grace.
    pub cancelled: Flag,
    mark: Mutex<Option<Mark>>,
}

/// What the handler has said about its own attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Applies if the handler returns an error.
    Verdict(Verdict),
    /// Applies whatever the handler returns.
    Snooze(Duration),
}

/// What a worker knows of an attempt before it starts.
#[derive(Debug)]
pub struct AttemptFacts {
    /// See [`Attempt::id`].
    pub id: JobId,
    /// See [`Attempt::kind`].
    pub kind: Cow<'static, str>,
    /// See [`Attempt::claim`].
    pub claim: Claim,
    /// See [`Attempt::number`].
    pub number: u32,
    /// See [`Attempt::max_attempts`].
    pub max_attempts: u32,
    /// See [`Attempt::tags`].
    pub tags: Vec<String>,
    /// See [`Attempt::traceparent`].
    pub traceparent: Option<String>,
}

impl Attempt {
    /// An attempt that is about to start.
    pub fn new(facts: AttemptFacts, client: Client, stopping: Signal) -> Self {
        let AttemptFacts { id, kind, claim, number, max_attempts, tags, traceparent } = facts;
        Self {
            id,
            kind,
            claim,
            number,
            max_attempts,
            tags,
            traceparent,
            client,
            stopping,
            cancelled: Flag::new(),
            mark: Mutex::new(None),
        }
    }

    /// What the handler has said about the attempt so far.
    pub fn mark(&self) -> Option<Mark> {
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_mark(&self, mark: Mark) {
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner) = Some(mark);
    }
}

impl<S> Context<S> {
    /// Joins an attempt and a state. Workers do this; tests may, too.
    pub fn new(attempt: Arc<Attempt>, state: Arc<S>) -> Self {
        Self { attempt, state }
    }

    /// The job's identity: the same for all its attempts.
    pub fn id(&self) -> JobId {
        self.attempt.id
    }

    /// The job's kind, as it was stored.
    pub fn kind(&self) -> &str {
        &self.attempt.kind
    }

    /// The queue that the job came from.
    pub fn queue(&self) -> &QueueName {
        &self.attempt.claim.queue
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt.number
    }

    /// After how many failed attempts the job is a dead letter.
    pub fn max_attempts(&self) -> u32 {
        self.attempt.max_attempts
    }

    /// Whether a failure of this attempt is the job's end.
    pub fn is_last_attempt(&self) -> bool {
        self.attempt.number >= self.attempt.max_attempts
    }

    /// The labels given at enqueueing.
    pub fn tags(&self) -> &[String] {
        &self.attempt.tags
    }

    /// When the job was enqueued, by its producer's clock.
    pub fn enqueued_at(&self) -> DateTime<Utc> {
        self.attempt.id.created_at()
    }

    /// A text that is the same for all attempts of this job and differs from all other jobs': hand
    /// it to payment providers and other services that drop repeated requests by such a key.
    pub fn idempotency_key(&self) -> String {
        format!("mq-{}", self.attempt.id)
    }

    /// The fencing token of this attempt. A resource that remembers the last one it saw per job can
    /// refuse writes of an attempt that was superseded.
    pub fn fence(&self) -> &Claim {
        &self.attempt.claim
    }

    /// W3C trace context of the producer, if it had one.
    pub fn traceparent(&self) -> Option<&str> {
        self.attempt.traceparent.as_deref()
    }

    /// The shared state that the worker was built with.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// For enqueueing follow-up jobs.
    pub fn client(&self) -> &Client {
        &self.attempt.client
    }

    /// Waits until the worker begins to stop. A long job should then finish soon, or give itself
    /// back with [`snooze`](Self::snooze). Cancel safe.
    pub async fn stopping(&self) {
        self.attempt.stopping.fired().await;
    }

    /// Whether the worker has begun to stop.
    pub fn is_stopping(&self) -> bool {
        self.attempt.stopping.is_fired()
    }

    /// Waits until this attempt should end at once: its time is up, an operator cancelled the job,
    /// or the job belongs to another worker by now. Cancel safe.
    pub async fn cancelled(&self) {
        self.attempt.cancelled.fired().await;
    }

    /// Whether this attempt should end at once. For handlers that block, which cannot await.
    pub fn is_cancelled(&self) -> bool {
        self.attempt.cancelled.is_fired()
    }

    /// Says that no further attempt can help, and hands the same error back:
    /// `return Err(cx.discard(error))` sends the job to the dead letters.
    pub fn discard<E>(&self, error: E) -> E {
        self.attempt.set_mark(Mark::Verdict(Verdict::Discard));
        error
    }

    /// Chooses the delay before the next attempt, and hands the same error back:
    /// `return Err(cx.retry_in(delay, error))`. The failed attempt counts.
    pub fn retry_in<E>(&self, delay: Duration, error: E) -> E {
        self.attempt.set_mark(Mark::Verdict(Verdict::RetryIn(delay)));
        error
    }

    /// Asks to be run again after `delay`, whatever the handler returns; no attempt is burnt.
    pub fn snooze(&self, delay: Duration) {
        self.attempt.set_mark(Mark::Snooze(delay));
    }
}

impl<S> Clone for Context<S> {
    fn clone(&self) -> Self {
        Self { attempt: Arc::clone(&self.attempt), state: Arc::clone(&self.state) }
    }
}

impl<S> fmt::Debug for Context<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("id", &self.attempt.id)
            .field("kind", &self.attempt.kind)
            .field("attempt", &self.attempt.number)
            .finish_non_exhaustive()
    }
}
