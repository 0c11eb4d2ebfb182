//! What a history is made of.

use mq_core::engine::Durability;
use mq_core::{JobId, Priority, QueueName, WorkerId};
use serde::{Deserialize, Serialize};

/// One line of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was written: ns on the monotonic clock, which all processes of one machine share.
    /// Elsewhere than on Unix the wall clock stands in.
    pub at_ns: u64,
    /// The process that wrote it.
    pub process: u32,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What can happen.
///
/// A pair of events brackets each request: what is between them may have had its effect at any
/// instant. A request whose answer is [`InDoubt`](Event::InDoubt), or that has none because its
/// process died, may have its effect even later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    // ---- producers ----
    /// A producer is about to enqueue this job.
    Sent {
        /// The job.
        id: JobId,
        /// Where to.
        queue: QueueName,
        /// In which ready list.
        #[serde(default, skip_serializing_if = "is_normal")]
        priority: Priority,
        /// For when: ms since 1970 on the store's clock. None if at once or after a delay.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due_ms: Option<u64>,
        /// How long after the store has it, which only the store can turn into a time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delay_ms: Option<u64>,
        /// Under which idempotency key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// The store has acknowledged it.
    Acked {
        /// The job that was sent.
        id: JobId,
        /// What it survives now.
        level: Durability,
        /// The job that had the key already, in whose place this one was not stored.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instead: Option<JobId>,
    },
    /// The store surely does not have it.
    Refused {
        /// The job.
        id: JobId,
        /// Which class of error.
        why: String,
    },
    /// The answer was lost: perhaps stored, perhaps not, perhaps later.
    InDoubt {
        /// The job.
        id: JobId,
    },

    // ---- claims: written by the process that asked, when the answer came ----
    /// A job was given to a worker, or to one that sweeps.
    Claimed {
        /// The job.
        id: JobId,
        /// The token: the worker and the number of its claim.
        claim: String,
        /// The queue, without which the token is not complete.
        queue: QueueName,
        /// Attempts that have failed or ended before, as the store has them.
        attempts: u32,
        /// Interruptions before, as the store has them.
        interruptions: u32,
        /// The store's time, ms since 1970.
        now_ms: u64,
        /// Whether it was taken over from a worker that was found gone.
        #[serde(default, skip_serializing_if = "is_false")]
        reaped: bool,
    },
    /// A worker is about to make itself known on a queue.
    Joining {
        /// The worker.
        worker: WorkerId,
        /// The queue.
        queue: QueueName,
        /// Its lease in ms.
        lease_ms: u64,
    },
    /// The store has made it known, and so its lease has begun.
    Joined {
        /// The worker.
        worker: WorkerId,
        /// The queue.
        queue: QueueName,
    },
    /// A worker is about to extend its lease.
    Extending {
        /// The worker.
        worker: WorkerId,
        /// The queue.
        queue: QueueName,
    },
    /// The store has extended it, at some instant since it was asked.
    Extended {
        /// The worker.
        worker: WorkerId,
        /// The queue.
        queue: QueueName,
    },
    /// A worker leaves a queue.
    Leaving {
        /// The worker.
        worker: WorkerId,
        /// The queue.
        queue: QueueName,
    },
    /// A worker has learnt that it was fenced out, by a beat or by a claim.
    Lost {
        /// The worker.
        worker: WorkerId,
        /// The queue.
        queue: QueueName,
    },
    /// A sweep has found these workers gone and fenced them out.
    Reaped {
        /// The sweep's claim.
        claim: String,
        /// The queue.
        queue: QueueName,
        /// Who is gone.
        workers: Vec<WorkerId>,
    },

    // ---- attempts ----
    /// A handler starts.
    Started {
        /// The job.
        id: JobId,
        /// Which claim it runs under.
        claim: String,
    },
    /// Something that a handler did to the outside world and not through mq.
    Effect {
        /// The job.
        id: JobId,
        /// Which claim it runs under.
        claim: String,
        /// What it did.
        what: String,
    },
    /// A handler has ended.
    Ended {
        /// The job.
        id: JobId,
        /// Which claim it ran under.
        claim: String,
        /// Whether it succeeded.
        ok: bool,
    },
    /// A process is about to tell the store what becomes of a job.
    Finishing {
        /// The job.
        id: JobId,
        /// Under which claim.
        claim: String,
        /// Where the job is to go.
        to: Destination,
        /// Whether the attempt counts as failed.
        #[serde(default, skip_serializing_if = "is_false")]
        failed: bool,
        /// When it is due again, ms since 1970 on the store's clock.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due_ms: Option<u64>,
    },
    /// The store has answered that.
    Finished {
        /// The job.
        id: JobId,
        /// Under which claim.
        claim: String,
        /// What it said.
        answer: Answer,
    },

    // ---- people and faults ----
    /// A process was started. Faults of one that had the same number before do not hit it.
    Spawned {
        /// Its number.
        child: u32,
    },
    /// An operator is about to ask for something to be done with a job.
    Operating {
        /// The job.
        id: JobId,
        /// The verb, as the method of the engine is called.
        verb: String,
    },
    /// What the store said to that.
    Operated {
        /// The job.
        id: JobId,
        /// The verb, as the method of the engine is called.
        verb: String,
        /// What came of it.
        did: Did,
    },
    /// A fault begins.
    FaultBegan {
        /// A number that no other fault of this history has.
        fault: u64,
        /// Its kind, such as `kill worker`, [`PASTS_TAKEN`](super::PASTS_TAKEN)
        /// or [`TIMES_TAKEN`](super::TIMES_TAKEN).
        kind: String,
        /// The processes that it hits; none if it hits the store, and so all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        processes: Vec<u32>,
    },
    /// It is over. A fault without an end, such as a kill, lasts for ever.
    FaultEnded {
        /// Its number.
        fault: u64,
    },
    /// The store lost what it had done after that instant, as a power loss makes it.
    RolledBack {
        /// The monotonic clock at the last thing that it surely kept.
        to_ns: u64,
    },
    /// Something else worth knowing.
    Note {
        /// What.
        text: String,
    },
}

/// Where a finish sends a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// Its end: it succeeded.
    Done,
    /// To the retries, or to the scheduled jobs: it will run again.
    Again,
    /// Back to the front of its list: it was not run, or not to its end.
    HandedBack,
    /// The dead letters.
    Dead,
    /// Its end: it was cancelled.
    Cancelled,
}

impl Destination {
    /// Whether a job that went there is not run again unless an operator says so.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Done | Self::Dead | Self::Cancelled)
    }
}

/// What the store says to a finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It was done.
    Applied,
    /// The claim does not hold the job any more, by its worker's own doing or an operator's.
    Already,
    /// The claim was superseded. Nothing was changed.
    Fenced,
    /// The answer was lost, or was an error.
    InDoubt,
}

/// What came of an operator's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Did {
    /// It was done.
    Applied,
    /// The worker that runs the job was asked, and says itself how it ends.
    Requested,
    /// Nothing was changed.
    Nothing,
    /// The answer was lost: perhaps done, perhaps not, perhaps later.
    InDoubt,
}

impl Event {
    /// The job that it is about, if it is about one.
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::Sent { id, .. }
            | Self::Acked { id, .. }
            | Self::Refused { id, .. }
            | Self::InDoubt { id }
            | Self::Claimed { id, .. }
            | Self::Started { id, .. }
            | Self::Effect { id, .. }
            | Self::Ended { id, .. }
            | Self::Finishing { id, .. }
            | Self::Finished { id, .. }
            | Self::Operating { id, .. }
            | Self::Operated { id, .. } => Some(*id),
            _ => None,
        }
    }
}

fn is_normal(priority: &Priority) -> bool {
    *priority == Priority::Normal
}

fn is_false(value: &bool) -> bool {
    !value
}
