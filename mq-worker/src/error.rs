//! What can be wrong with a worker before it runs and when it stops.

use std::fmt;
use std::time::Duration;

use mq_core::engine::EngineError;
use mq_core::registry::RegistryProblem;
use mq_core::{NameError, QueueName};

use crate::report::Report;

/// A worker cannot be built; names everything that is wrong at once.
#[derive(Debug)]
pub struct BuildError {
    problems: Vec<BuildProblem>,
}

impl BuildError {
    pub(crate) fn new(problems: Vec<BuildProblem>) -> Self {
        Self { problems }
    }

    /// Everything that is wrong; never empty.
    pub fn problems(&self) -> &[BuildProblem] {
        &self.problems
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => write!(f, "the worker cannot be built: {only}"),
            many => {
                write!(f, "the worker cannot be built, {} things are wrong:", many.len())?;
                many.iter().try_for_each(|problem| write!(f, "\n  * {problem}"))
            }
        }
    }
}

impl std::error::Error for BuildError {}

/// One thing that is wrong with a worker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildProblem {
    /// Neither `.job…` nor `.discover()` brought a handler.
    #[error(
        "no jobs: call `.discover()` or `.job::<MyJob, _>()`; if you did discover, is the crate \
         that holds the jobs linked? add `use my_jobs as _;`"
    )]
    NoJobs,
    /// Something about the handlers or their states.
    #[error(transparent)]
    Registry(#[from] RegistryProblem),
    /// A queue's name.
    #[error(transparent)]
    QueueName(#[from] NameError),
    /// A queue named twice.
    #[error("the queue `{0}` is named twice: name it once, with the sum of the weights")]
    QueueTwice(QueueName),
    /// A weight of zero.
    #[error("the queue `{0}` has weight 0 and would never be asked: give it at least 1")]
    Weight(QueueName),
    /// A limit for a queue that the worker does not serve.
    #[error(
        "the queue `{0}` has a concurrency limit, but the worker does not serve it: add \
         `.queue(\"{0}\", 1)`"
    )]
    LimitWithoutQueue(QueueName),
    /// A limit of zero.
    #[error("the queue `{0}` has a concurrency limit of 0: give it at least 1, or leave it out")]
    LimitZero(QueueName),
    /// No slots at all.
    #[error("the concurrency is 0, so no job could run: give at least 1")]
    Concurrency,
    /// A lease outside of what works.
    #[error("the lease of {0:?} is not between 1 s and 1 h")]
    Lease(Duration),
    /// A worker that would give up at once.
    #[error("the limit of lost threads is 0: the first lost thread already ends the worker with 1")]
    LostThreads,
    /// Poison limit of zero.
    #[error("the poison limit is 0: the first interruption already makes a job dead with 1")]
    PoisonLimit,
}

/// A worker could not start, or stopped in a way that leaves work to others.
///
/// No job is lost in any of these cases.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The store refuses this worker.
    #[error("the worker cannot join the queue `{queue}`")]
    Join {
        /// Where it was refused.
        queue: QueueName,
        /// Why.
        source: EngineError,
    },
    /// The thread that keeps the leases could not be started.
    #[error("the thread that keeps the leases cannot be started")]
    Thread(#[source] std::io::Error),
    /// The store could not be told of everything before the worker had to stop.
    #[error(
        "the worker stopped, but the store did not take the ends of {unsent} jobs, which will be \
         run again when the lease of this worker has ended ({report})"
    )]
    Unsent {
        /// Jobs whose end the store does not know.
        unsent: usize,
        /// What was done until then.
        report: Box<Report>,
    },
    /// Handlers keep too many threads and cannot be stopped, so the worker has stopped: its jobs
    /// were given back and run again elsewhere. The end of `main`, and of the runtime, would wait
    /// for the handlers: leave by [`std::process::exit`].
    #[error(
        "handlers keep threads that they cannot be taken from, so the worker has stopped and given \
         its jobs back ({report}): end this process by `std::process::exit` and start another one"
    )]
    Blocked {
        /// What was done until then.
        report: Box<Report>,
    },
    /// The task of the worker was ended from outside, for example by its runtime's shutdown.
    #[error(
        "the worker's task was ended from outside, its jobs run again when its lease has ended"
    )]
    Killed,
}

impl RunError {
    /// What a process that ends for this may say to its supervisor: 70 if it had to give up because
    /// of its handlers (`EX_SOFTWARE` of `sysexits.h`), else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Blocked { .. } => 70,
            _ => 1,
        }
    }
}
