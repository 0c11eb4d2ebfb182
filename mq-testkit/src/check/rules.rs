//! What is handed to a check beside the history.

use std::collections::BTreeMap;
use std::time::Duration;

use mq_core::engine::Durability;
use mq_core::{JobId, QueueName, State};

/// What a run may be held to.
///
/// ```
/// use std::time::Duration;
/// use mq_testkit::Rules;
/// let recovery = Some(Duration::from_secs(20));
/// let rules = Rules { concurrency: Some(8), recovery, ..Rules::default() };
/// # let _ = rules;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// One worker with one slot did everything, so the order is strict: claims in the order of the
    /// acknowledgements, one execution at a time.
    pub order: bool,
    /// Most executions at a time in one process; none if that is not to be looked at.
    pub concurrency: Option<usize>,
    /// The lease of workers whose joining is not in the history.
    pub lease: Duration,
    /// Within what time of its worker's interruption a job must have been taken over; none if that
    /// is not to be looked at. The time in which the store was away does not count.
    pub recovery: Option<Duration>,
    /// Most failed attempts of any job; none if that is not to be looked at.
    pub max_attempts: Option<u32>,
    /// Interruptions after which a job must not run again. Those of the policy's window of 72 h
    /// are meant, and all that a history has are taken to be inside it. None for no limit.
    pub poison_limit: Option<u32>,
    /// How long before a cut of power acknowledgements may be lost, if their level is below
    /// [`respects`](Self::respects).
    pub loss_window: Duration,
    /// The lowest level of acknowledgement that all faults of the run respect: such acks are never
    /// lost. [`Memory`](Durability::Memory) if only workers and producers were hit.
    pub respects: Durability,
    /// The store's clock was set during the run. Claims are then put in order by their counters
    /// instead, and a job counts as due once the clock has shown its time.
    pub clock_steps: bool,
    /// The most that samples of these names may show at any time, such as `fds`; how much work a
    /// run has at a time only its author knows. What is at the end is held to the beginning.
    pub peaks: BTreeMap<String, u64>,
    /// Layers between the recorder's and the worker may turn one outcome into another, so how a
    /// handler ended is not compared with how its claim did.
    pub layers: bool,
    /// Each death of a process is in the history as a fault, so that silence explains nothing.
    pub deaths_recorded: bool,
}

impl Default for Rules {
    /// A lease of 15 s, jobs that are poison after 3 interruptions, no loss allowed, and nothing
    /// that depends on the run.
    fn default() -> Self {
        Self {
            order: false,
            concurrency: None,
            lease: Duration::from_secs(15),
            recovery: None,
            max_attempts: None,
            poison_limit: Some(3),
            loss_window: Duration::ZERO,
            respects: Durability::Memory,
            clock_steps: false,
            peaks: BTreeMap::new(),
            layers: false,
            deaths_recorded: false,
        }
    }
}

/// What the store had when the run was over and all its workers had stopped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Final {
    /// All jobs of all queues and states as the engine lists them. Jobs that ended and are not
    /// kept are in no list.
    pub api: Vec<(JobId, Place)>,
    /// The same, read from the store's own structures without mq; none if nobody did.
    pub raw: Option<Vec<(JobId, Place)>>,
    /// What an audit of the store has found.
    pub findings: Vec<String>,
    /// Resources of processes and of the store over time.
    pub samples: Vec<Sample>,
}

/// Where a job is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// In which queue.
    pub queue: QueueName,
    /// In which of its structures.
    pub state: State,
}

/// A measurement of something that must come back to where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When: ns on the history's clock.
    pub at_ns: u64,
    /// Of which process; 0 for the store itself.
    pub process: u32,
    /// What, with its unit: `rss_bytes`, `fds`, `threads`, `keys`.
    pub what: String,
    /// How much.
    pub value: u64,
}
