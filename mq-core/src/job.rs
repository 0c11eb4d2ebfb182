//! What makes a type a job.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backoff::Backoff;
use crate::lifecycle::Policy;
use crate::name::QueueName;
use crate::priority::Priority;

/// A unit of work as data: what is stored when it is enqueued.
///
/// Implemented by `#[derive(Job)]`, which sets the kind and the options; how the work is done is
/// its [`Handler`](crate::Handler)'s matter, which may live in another crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a job",
    label = "expected a type with `#[derive(Job)]`",
    note = "add `#[derive(serde::Serialize, serde::Deserialize, mq::Job)]` to the type"
)]
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// What a successful attempt yields.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// The stable name under which jobs of this type are stored.
    const KIND: &'static str;

    /// Names that the type had before; jobs stored under them still run.
    const WAS: &'static [&'static str] = &[];

    /// What holds for jobs of this type unless an enqueue says otherwise.
    const OPTIONS: JobOptions = JobOptions::DEFAULT;
}

/// What holds for all jobs of a type.
///
/// ```
/// use std::time::Duration;
/// use mq_core::JobOptions;
/// const OPTIONS: JobOptions =
///     JobOptions::DEFAULT.queue("mail").max_attempts(10).timeout(Duration::from_secs(30));
/// assert_eq!(OPTIONS.queue, "mail");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobOptions {
    /// The queue. Default: `default`.
    pub queue: &'static str,
    /// Failed attempts after which a job is a dead letter. Default: 25.
    pub max_attempts: u32,
    /// Time limit of one attempt. Default: 30 minutes.
    pub timeout: Duration,
    /// The delay before each retry. Default: [`Backoff::DEFAULT`].
    pub backoff: Backoff,
    /// Which jobs of the queue go first. Default: [`Priority::Normal`].
    pub priority: Priority,
    /// How long a job is kept after success or cancellation. Default: not at all.
    pub retention: Option<Duration>,
    /// Whether the handler blocks its thread and must run off the async ones. Default: no.
    pub blocking: bool,
}

impl JobOptions {
    /// The defaults of DESIGN section 8.
    pub const DEFAULT: Self = Self {
        queue: QueueName::DEFAULT,
        max_attempts: Policy::DEFAULT.max_attempts,
        timeout: Duration::from_secs(30 * 60),
        backoff: Backoff::DEFAULT,
        priority: Priority::Normal,
        retention: None,
        blocking: false,
    };

    /// Sets [`queue`](Self::queue).
    #[must_use]
    pub const fn queue(self, queue: &'static str) -> Self {
        Self { queue, ..self }
    }

    /// Sets [`max_attempts`](Self::max_attempts).
    #[must_use]
    pub const fn max_attempts(self, max_attempts: u32) -> Self {
        Self { max_attempts, ..self }
    }

    /// Sets [`timeout`](Self::timeout).
    #[must_use]
    pub const fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets [`backoff`](Self::backoff).
    #[must_use]
    pub const fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// Sets [`priority`](Self::priority).
    #[must_use]
    pub const fn priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// Sets [`retention`](Self::retention).
    #[must_use]
    pub const fn retention(self, retention: Duration) -> Self {
        Self { retention: Some(retention), ..self }
    }

    /// Sets [`blocking`](Self::blocking).
    #[must_use]
    pub const fn blocking(self, blocking: bool) -> Self {
        Self { blocking, ..self }
    }
}

impl Default for JobOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}
