//! Requests and replies of the data and time planes.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{About, EngineError, EngineErrorKind};
use crate::id::{Claim, JobId, WorkerId};
use crate::lifecycle::{Decision, Transition};
use crate::name::QueueName;
use crate::priority::Priority;
use crate::record::Record;

/// A job to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Where to.
    pub queue: QueueName,
    /// Minted by the client.
    pub id: JobId,
    /// The encoded [`Record`](crate::Record); engines keep it as it is.
    pub record: Vec<u8>,
    /// When it may run.
    pub schedule: Schedule,
    /// Which ready list; the same as in the record.
    pub priority: Priority,
    /// The key under which the job is known; the same as in the record.
    pub idempotency_key: Option<String>,
}

/// Farthest away that a new job may be scheduled: ten years.
pub const DELAY_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// When a new job may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Schedule {
    /// At once.
    #[default]
    Now,
    /// This long after the store has it, by the store's clock.
    After(Duration),
    /// At this time, in ms since 1970 on the store's clock; the past means at once.
    At(u64),
}

impl Schedule {
    fn is_too_far(&self, now_ms: u64) -> bool {
        match self {
            Self::Now => false,
            Self::After(delay) => *delay > DELAY_MAX,
            Self::At(at_ms) => at_ms.saturating_sub(now_ms) > DELAY_MAX.as_millis() as u64,
        }
    }
}

impl NewJob {
    /// Refuses jobs that are scheduled further away than [`DELAY_MAX`]: a mistake in a unit should
    /// be an error, and not a job that waits for ever. The check of every engine, before it stores
    /// anything.
    ///
    /// # Errors
    /// [`Invalid`](EngineErrorKind::Invalid).
    pub fn check_schedules(jobs: &[Self], now_ms: u64) -> Result<(), EngineError> {
        let Some(job) = jobs.iter().find(|job| job.schedule.is_too_far(now_ms)) else {
            return Ok(());
        };
        let text = format!(
            "a job for the queue `{}` is delayed by more than ten years: run it earlier",
            job.queue
        );
        Err(EngineError::new(EngineErrorKind::Invalid, text))
    }
}

/// What became of one job that was enqueued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnqueueReply {
    /// The job: the new one, or the one that was there.
    pub id: JobId,
    /// Whether another job was there under the same key.
    pub duplicate: bool,
}

/// What an acknowledged job survives (RELIABILITY P1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Durability {
    /// Crashes of producers and workers; not the loss of the store's process.
    Memory,
    /// Also a crash of the store's process; a power loss may take the last second.
    Disk1s,
    /// Also a power loss.
    Disk,
    /// Also the loss of the primary, if one of this many replicas takes over.
    Replicated(u32),
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Disk1s => f.write_str("disk within 1 s"),
            Self::Disk => f.write_str("disk"),
            Self::Replicated(count) => write!(f, "{count} replicas"),
        }
    }
}

/// Which jobs a worker wants, and what it has finished since it last asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimRequest {
    /// Applied before anything is claimed.
    pub finishes: Vec<Finish>,
    /// Free slots in all; at most [`BATCH_MAX`](super::BATCH_MAX) are filled.
    pub limit: usize,
    /// The queues, each once, most wanted first: the first one is emptied before the second is
    /// asked.
    pub queues: Vec<QueueClaim>,
}

impl ClaimRequest {
    /// Refuses a request that names a queue twice: the second claim would be taken for a repeat of
    /// the first, or for a late copy of it.
    ///
    /// # Errors
    /// [`Invalid`](EngineErrorKind::Invalid).
    pub fn check_queues(&self) -> Result<(), EngineError> {
        for (at, asked) in self.queues.iter().enumerate() {
            let queue = &asked.claim.queue;
            if self.queues[..at].iter().any(|earlier| earlier.claim.queue == *queue) {
                let text = format!("a claim names the queue `{queue}` twice: name each once");
                return Err(EngineError::new(EngineErrorKind::Invalid, text));
            }
        }
        Ok(())
    }
}

/// One queue in a [`ClaimRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueClaim {
    /// The claim that the jobs will belong to. Its number is greater than any used before by this
    /// worker on this queue, unless the request is a repeat.
    pub claim: Claim,
    /// At most so many from this queue.
    pub limit: usize,
}

/// Answer to a [`ClaimRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimReply {
    /// Per finish, in order.
    pub finished: Vec<Finished>,
    /// The jobs that are the worker's now, in the order they should start.
    pub jobs: Vec<Claimed>,
    /// Per queue of the request, in order.
    pub queues: Vec<QueueReply>,
    /// The store's time, ms since 1970.
    pub now_ms: u64,
}

/// State of one queue after a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueReply {
    /// More jobs are ready.
    More,
    /// Nothing more is ready; the next scheduled job or retry is due then, if there is one.
    Empty {
        /// ms since 1970 on the store's clock.
        next_due_ms: Option<u64>,
    },
    /// Nobody may claim from it now.
    Paused,
    /// The worker is not registered there (any more): its lease ended and its jobs were taken
    /// over, or the store lost its data. It must join with a new [`WorkerId`].
    Lost,
    /// What is stored of it is not what mq put there, for the reason given. The claim was perhaps
    /// carried out: the same one is to be repeated when somebody may have mended the queue.
    Damaged(String),
}

/// A job that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The job.
    pub id: JobId,
    /// The token for [`Finish`].
    pub claim: Claim,
    /// The encoded [`Record`](crate::Record), as it was enqueued.
    pub record: Vec<u8>,
    /// The encoded [`History`](crate::History), if the job has one.
    pub history: Option<Vec<u8>>,
}

/// The end of a claim on one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// The job.
    pub id: JobId,
    /// The token from [`Claimed`].
    pub claim: Claim,
    /// What becomes of the job.
    pub transition: Transition,
    /// The history to store; none leaves the stored one.
    pub history: Option<Vec<u8>>,
    /// Whether the job had a stored history when it was claimed.
    pub had_history: bool,
    /// The job's priority, from its record.
    pub priority: Priority,
    /// The job's key, from its record.
    pub idempotency_key: Option<String>,
    /// Whether the attempt failed, for the counters: an interrupted job is retried as well.
    pub failed: bool,
    /// How long the attempt ran, for the sample of recent completions.
    pub run_time: Duration,
}

impl Finish {
    /// The end of a claim whose worker did not come to one, as the rules decide it. A record that
    /// cannot be read has the usual priority and no key.
    pub fn interrupted(job: Claimed, decision: Decision) -> Self {
        let record = Record::decode(&job.record).ok();
        Self {
            id: job.id,
            claim: job.claim,
            transition: decision.transition,
            history: decision.history.map(|history| history.encode()),
            had_history: job.history.is_some(),
            priority: record.as_ref().map_or_else(Default::default, |record| record.priority),
            idempotency_key: record.and_then(|record| record.idempotency_key.map(Into::into)),
            failed: false,
            run_time: Duration::ZERO,
        }
    }
}

/// Answer to a [`Finish`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Finished {
    /// The transition was made.
    Applied,
    /// The claim does not hold the job and never will again, while the worker itself is in good
    /// standing: this finish was applied before, or the job was removed by an operator.
    Already,
    /// The worker's lease had ended; the job is somebody else's. Nothing was changed.
    Fenced,
    /// The job's queue is damaged, see [`QueueReply::Damaged`]. Nothing was changed: the same
    /// finish is to be repeated when somebody may have mended the queue.
    Damaged,
}

/// Sign of life of one worker on one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// The queue.
    pub queue: QueueName,
    /// The worker.
    pub worker: WorkerId,
    /// The lease from now on.
    pub lease: Duration,
    /// News about the worker for people, if it changed.
    pub about: Option<About>,
    /// Whether to name the claims that hold jobs. That costs the store a look at each of them, so
    /// not every beat asks for it.
    pub names_claims: bool,
}

/// Answer to a [`Beat`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BeatReply {
    /// The lease is extended.
    Extended {
        /// Jobs on this queue that somebody asked to cancel; only some may be this worker's.
        cancels: Vec<JobId>,
        /// This worker's claims that hold jobs, in no order, if the beat asked. A store that was
        /// rolled back may name some of which the worker knows nothing any more.
        claims: Vec<Holding>,
        /// The store's time, ms since 1970.
        now_ms: u64,
    },
    /// The lease had ended; see [`QueueReply::Lost`].
    Lost,
    /// The queue is damaged, and the lease perhaps not extended; see [`QueueReply::Damaged`].
    Damaged(String),
}

/// A claim that holds jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holding {
    /// The number in the [`Claim`].
    pub number: u64,
    /// How many jobs it holds.
    pub jobs: usize,
}

/// Why [`wait`](super::Engine::wait) returned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitReply {
    /// This queue may have work.
    Woken(QueueName),
    /// The time is up.
    TimedOut,
}

/// A sweep for workers that are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReapRequest {
    /// The claim that the jobs will belong to, numbered as in [`QueueClaim`].
    pub claim: Claim,
    /// At most so many jobs.
    pub limit: usize,
    /// The lease that workers of this fleet use, for the rule about the store being away.
    pub lease: Duration,
}

/// Answer to a [`ReapRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReapReply {
    /// Jobs whose worker is gone, now the reaper's.
    pub jobs: Vec<Claimed>,
    /// The workers that were found gone by this sweep.
    pub workers: Vec<WorkerId>,
    /// Whether the next sweep should follow at once.
    pub more: bool,
    /// Whether the reaper itself is not registered (any more).
    pub lost: bool,
    /// The store's time, ms since 1970.
    pub now_ms: u64,
}
