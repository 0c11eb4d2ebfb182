//! Code around every attempt: logging, metrics, tracing, limits of one's own.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::context::Attempt;
use crate::handler::{BoxFuture, ErasedHandler};
use crate::id::{Claim, JobId};
use crate::name::QueueName;
use crate::outcome::Outcome;

/// An attempt on its way to its handler.
pub struct JobRequest {
    attempt: Arc<Attempt>,
    payload: Vec<u8>,
}

impl JobRequest {
    /// An attempt with the payload's bytes.
    pub fn new(attempt: Arc<Attempt>, payload: Vec<u8>) -> Self {
        Self { attempt, payload }
    }

    /// The job.
    pub fn id(&self) -> JobId {
        self.attempt.id
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        &self.attempt.kind
    }

    /// The queue that it came from.
    pub fn queue(&self) -> &QueueName {
        &self.attempt.claim.queue
    }

    /// Whether this attempt should end at once; see
    /// [`Context::is_cancelled`](crate::Context::is_cancelled).
    pub fn is_cancelled(&self) -> bool {
        self.attempt.cancelled.is_fired()
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt.number
    }

    /// After how many failed attempts the job is a dead letter.
    pub fn max_attempts(&self) -> u32 {
        self.attempt.max_attempts
    }

    /// The fencing token of this attempt; see [`Context::fence`](crate::Context::fence).
    pub fn fence(&self) -> &Claim {
        &self.attempt.claim
    }

    /// The labels given at enqueueing.
    pub fn tags(&self) -> &[String] {
        &self.attempt.tags
    }

    /// W3C trace context of the producer, if it had one.
    pub fn traceparent(&self) -> Option<&str> {
        self.attempt.traceparent.as_deref()
    }

    /// The serialized job. Private data of users: do not log it.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Replaces the serialized job, for example by its decrypted form.
    pub fn set_payload(&mut self, payload: Vec<u8>) {
        self.payload = payload;
    }

    /// The attempt and the payload's bytes.
    pub fn into_parts(self) -> (Arc<Attempt>, Vec<u8>) {
        (self.attempt, self.payload)
    }
}

impl fmt::Debug for JobRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobRequest")
            .field("id", &self.attempt.id)
            .field("kind", &self.attempt.kind)
            .field("attempt", &self.attempt.number)
            .field("payload_len", &self.payload.len())
            .finish()
    }
}

/// Wraps every attempt that a worker runs.
///
/// ```
/// use mq_core::{JobRequest, Middleware, Next, Outcome};
///
/// struct Log;
/// impl Middleware for Log {
///     async fn call(&self, request: JobRequest, next: Next<'_>) -> Outcome {
///         let kind = request.kind().to_owned();
///         let outcome = next.run(request).await;
///         eprintln!("{kind}: {outcome:?}");
///         outcome
///     }
/// }
/// ```
pub trait Middleware: Send + Sync + 'static {
    /// Runs the attempt by `next.run(request)`, or does not; the outcome it returns counts.
    fn call(&self, request: JobRequest, next: Next<'_>) -> impl Future<Output = Outcome> + Send;
}

/// A [`Middleware`] whose type is forgotten.
pub trait ErasedMiddleware: Send + Sync + 'static {
    /// See [`Middleware::call`].
    fn call<'a>(&'a self, request: JobRequest, next: Next<'a>) -> BoxFuture<'a, Outcome>;
}

impl<M: Middleware> ErasedMiddleware for M {
    fn call<'a>(&'a self, request: JobRequest, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        Box::pin(Middleware::call(self, request, next))
    }
}

/// The rest of the way to the handler.
pub struct Next<'a> {
    layers: &'a [Arc<dyn ErasedMiddleware>],
    handler: &'a dyn ErasedHandler,
    state: Arc<dyn Any + Send + Sync>,
}

impl<'a> Next<'a> {
    /// All layers, outermost first, around a handler.
    pub fn new(
        layers: &'a [Arc<dyn ErasedMiddleware>],
        handler: &'a dyn ErasedHandler,
        state: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        Self { layers, handler, state }
    }

    /// Goes on to the next layer, or to the handler.
    pub async fn run(self, request: JobRequest) -> Outcome {
        match self.layers.split_first() {
            Some((layer, rest)) => layer.call(request, Next { layers: rest, ..self }).await,
            None => self.handler.call(request, self.state).await,
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("layers", &self.layers.len()).finish_non_exhaustive()
    }
}
