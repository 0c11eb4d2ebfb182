//! What a worker is told, after it was checked.

use std::time::Duration;

use mq_core::QueueName;
use mq_core::engine::PruneLimits;

/// Settings of one worker; see [`WorkerBuilder`](crate::WorkerBuilder) for their meaning.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) queues: Vec<QueueConfig>,
    /// Ask the queues in the order named instead of drawing one by weight.
    pub(crate) strict: bool,
    pub(crate) concurrency: usize,
    /// From the order to stop until running jobs are handed back.
    pub(crate) grace: Duration,
    pub(crate) lease: Duration,
    /// From the cancellation of an attempt until it is abandoned.
    pub(crate) timeout_grace: Duration,
    /// Threads that handlers keep after they were aborted, until the worker gives up.
    pub(crate) lost_threads_max: usize,
    pub(crate) poison_limit: u32,
    pub(crate) prune: PruneLimits,
}

#[derive(Debug, Clone)]
pub(crate) struct QueueConfig {
    pub(crate) name: QueueName,
    pub(crate) weight: u32,
    /// Most jobs of this queue at a time in this process.
    pub(crate) limit: Option<usize>,
}

pub(crate) const GRACE: Duration = Duration::from_secs(25);
pub(crate) const LEASE: Duration = Duration::from_secs(15);
pub(crate) const LEASE_MIN: Duration = Duration::from_secs(1);
/// A longer lease would leave the jobs of a dead worker alone for longer than anybody wants.
pub(crate) const LEASE_MAX: Duration = Duration::from_secs(60 * 60);
pub(crate) const TIMEOUT_GRACE: Duration = Duration::from_secs(5);
/// An eighth of the threads that tokio makes for what blocks.
pub(crate) const LOST_THREADS_MAX: usize = 64;

/// Four times the CPUs: enough to keep them busy while most handlers wait for a network.
pub(crate) fn default_concurrency() -> usize {
    std::thread::available_parallelism().map_or(4, |cpus| cpus.get() * 4)
}
