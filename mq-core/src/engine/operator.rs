//! Requests and replies of the operator plane.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::history::History;
use crate::id::{JobId, WorkerId};
use crate::lifecycle::State;
use crate::name::{QueueName, printable, quoted};
use crate::priority::Priority;
use crate::record::Record;

/// How much a bounded piece of maintenance did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Jobs or entries handled.
    pub done: usize,
    /// Whether it stopped at its limit.
    pub more: bool,
}

/// What [`prune`](super::Engine::prune) leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PruneLimits {
    /// Dead letters per queue; older ones go.
    pub dead_count: usize,
    /// Age of a dead letter, in ms; older ones go.
    pub dead_age_ms: u64,
    /// At most so many of each sort in one call, and at least one.
    pub batch: usize,
}

impl Default for PruneLimits {
    fn default() -> Self {
        let dead_age_ms = 90 * 24 * 60 * 60 * 1000;
        Self { dead_count: 10_000, dead_age_ms, batch: 500 }
    }
}

/// How fast [`retry`](super::Engine::retry) lets jobs run again: one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From one job to the next. The first job waits as long.
    pub step: Duration,
    /// How many jobs are ahead, from earlier requests of the same operation.
    pub ahead: u64,
}

impl Pace {
    /// One job after each `step`, with none ahead.
    pub fn every(step: Duration) -> Self {
        Self { step, ahead: 0 }
    }

    /// So many jobs a second, and at least one, behind so many others.
    pub fn per_second(rate: u32, ahead: usize) -> Self {
        Self { step: Duration::from_secs(1) / rate.max(1), ahead: ahead as u64 }
    }

    /// How long from now the job at this place of a request, from 0, is due.
    pub fn delay(self, place: usize) -> Duration {
        let nth = self.ahead.saturating_add(place as u64).saturating_add(1);
        self.step.saturating_mul(u32::try_from(nth).unwrap_or(u32::MAX))
    }
}

/// What a worker says about itself, for people.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct About {
    /// The machine's name.
    pub host: String,
    /// The process id.
    pub pid: u32,
    /// Start of the worker, ms since 1970.
    pub started_ms: u64,
    /// How many jobs it runs at a time.
    pub concurrency: usize,
    /// Version of mq.
    pub version: String,
    /// The kinds it has handlers for.
    pub kinds: Vec<String>,
    /// Whether this incarnation only keeps house (reaping) and runs no jobs.
    pub housekeeper: bool,
    /// Whether the worker has stopped claiming and waits for its jobs to end.
    pub stopping: bool,
}

/// A worker as the store sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WorkerStats {
    /// The incarnation.
    pub worker: WorkerId,
    /// The queue it is registered on.
    pub queue: QueueName,
    /// End of its lease, ms since 1970 on the store's clock.
    pub lease_until_ms: u64,
    /// What it says about itself.
    pub about: About,
    /// The jobs it holds, at most [`BATCH_MAX`](super::BATCH_MAX).
    pub running: Vec<JobId>,
    /// How many jobs it holds.
    pub running_count: usize,
}

impl WorkerStats {
    /// A worker with nothing known but its name and lease.
    pub fn new(worker: WorkerId, queue: QueueName, lease_until_ms: u64) -> Self {
        let about = About::default();
        Self { worker, queue, lease_until_ms, about, running: Vec::new(), running_count: 0 }
    }
}

/// Sizes and counters of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct QueueStats {
    /// Jobs that a worker could take now.
    pub ready: u64,
    /// The same by priority: high, normal, low.
    pub ready_by_priority: [u64; 3],
    /// Jobs that wait for their time and have not failed yet.
    pub scheduled: u64,
    /// Failed jobs that wait for their next attempt.
    pub retrying: u64,
    /// Jobs that workers hold.
    pub running: u64,
    /// Kept jobs that ended well.
    pub done: u64,
    /// Dead letters.
    pub dead: u64,
    /// Kept jobs that were cancelled.
    pub cancelled: u64,
    /// When the job that is next to run was enqueued, ms since 1970.
    pub oldest_ready_ms: Option<u64>,
    /// When the next scheduled job or retry is due, ms since 1970.
    pub next_due_ms: Option<u64>,
    /// Since when nobody may claim, ms since 1970.
    pub paused_since_ms: Option<u64>,
    /// Workers registered, housekeepers apart.
    pub workers: u64,
    /// Jobs enqueued since the queue exists.
    pub enqueued_total: u64,
    /// Jobs that ended well.
    pub done_total: u64,
    /// Attempts that failed.
    pub failed_total: u64,
    /// Jobs that became dead letters.
    pub dead_total: u64,
    /// Claims that ended with the death of their worker.
    pub interrupted_total: u64,
    /// Jobs enqueued in the last full minute.
    pub enqueued_last_minute: u64,
    /// Jobs that ended well in the last full minute.
    pub done_last_minute: u64,
    /// Attempts that failed in the last full minute.
    pub failed_last_minute: u64,
    /// The store's time, ms since 1970.
    pub now_ms: u64,
}

/// Which jobs to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRequest {
    /// The queue.
    pub queue: QueueName,
    /// The state; [`Scheduled`](State::Scheduled) covers retries.
    pub state: State,
    /// Where the last page ended; none starts at the beginning.
    pub cursor: Option<Cursor>,
    /// At most so many, and at least one.
    pub limit: usize,
}

/// A place between two pages. Opaque, printable, and good for as long as the queue exists; jobs
/// that come or go meanwhile may be missed or seen twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// A page of jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The jobs.
    pub jobs: Vec<Stored>,
    /// Where the next page begins; none if this is the last.
    pub next: Option<Cursor>,
}

/// A job as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The job.
    pub id: JobId,
    /// Its queue.
    pub queue: QueueName,
    /// Where it is.
    pub state: State,
    /// The encoded [`Record`](crate::Record).
    pub record: Vec<u8>,
    /// The encoded [`History`](crate::History), if it has one.
    pub history: Option<Vec<u8>>,
    /// What the state's time is, ms since 1970: due time of a scheduled job, time of death of a
    /// dead one, end of the retention of a done or cancelled one.
    pub at_ms: Option<u64>,
    /// Who holds it, if it runs.
    pub worker: Option<WorkerId>,
    /// Whether somebody asked to cancel it while it ran.
    pub cancel_requested: bool,
}

/// For [`import`](super::Engine::import): what an engine must know of the bytes, read in one place
/// so that no two engines disagree. A record that cannot be read is of normal priority and has no
/// key.
impl Stored {
    /// The priority in the record.
    pub fn priority(&self) -> Priority {
        Record::decode(&self.record).map_or(Priority::Normal, |record| record.priority)
    }

    /// The idempotency key in the record.
    pub fn idempotency_key(&self) -> Option<String> {
        let record = Record::decode(&self.record).ok()?;
        record.idempotency_key.map(|key| key.into_owned())
    }

    /// Whether a scheduled job counts as a retry: it has failed, or lost its worker. The two are
    /// told apart for figures and fairness only, so it does no harm that one which was put off
    /// after it had failed becomes a retry on its way.
    pub fn is_retry(&self) -> bool {
        let past = self.history.as_deref().map(History::decode).unwrap_or_default();
        self.state == State::Scheduled && (past.attempts > 0 || !past.interruptions.is_empty())
    }
}

/// What an operator's verb did to one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case", tag = "result", content = "state")]
#[non_exhaustive]
pub enum Act {
    /// It was done.
    Applied,
    /// The job is already so; nothing was changed.
    Already,
    /// The worker that runs the job has been asked.
    Requested,
    /// The verb does not apply to a job in this state; nothing was changed.
    Refused(State),
    /// There is no such job in this queue.
    NotFound,
}

/// What [`audit`](super::Engine::audit) found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct AuditReport {
    /// Jobs that were looked at.
    pub jobs: u64,
    /// Disagreements, at most [`BATCH_MAX`](super::BATCH_MAX).
    pub findings: Vec<Finding>,
    /// How many of them were mended.
    pub repaired: u64,
}

/// One disagreement between two structures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The class.
    pub kind: FindingKind,
    /// The job, key or worker concerned.
    pub subject: String,
    /// What is wrong, for people.
    pub detail: String,
}

impl QueueStats {
    /// Jobs that are still to end: ready, scheduled, retrying and running ones.
    pub fn open(&self) -> u64 {
        total(&[self.ready, self.scheduled, self.retrying, self.running])
    }

    /// Jobs that there are, in whatever state.
    pub fn all(&self) -> u64 {
        total(&[self.open(), self.done, self.dead, self.cancelled])
    }
}

/// Sizes are what a store says, which may be damaged: a sum is never less than its parts.
pub fn total(sizes: &[u64]) -> u64 {
    sizes.iter().copied().fold(0, u64::saturating_add)
}

impl Finding {
    /// A finding. Both texts may have parts of what was found and are made
    /// [printable](crate::name::printable).
    pub fn new(kind: FindingKind, subject: impl AsRef<str>, detail: impl AsRef<str>) -> Self {
        Self { kind, subject: printable(subject.as_ref()), detail: quoted(detail.as_ref()) }
    }
}

impl FindingKind {
    /// Whether [`audit`](super::Engine::audit) mends findings of this class when it is asked to.
    pub fn is_mended(self) -> bool {
        self != Self::Foreign
    }
}

/// Classes of disagreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// A record that is in no state. Repair puts it where its history says that it ended: to the
    /// dead letters, or to the done jobs for the rest of a day; otherwise it becomes ready.
    Nowhere,
    /// A job that is in two states. Repair leaves it where it was furthest: running, else ready,
    /// else scheduled, else where it is kept.
    Twice,
    /// An entry without a record. Repair removes the entry.
    NoRecord,
    /// A history, level, key, cancellation or note that belongs to no job, or to one that it cannot
    /// belong to, or what is left of a worker that is not registered. Repair removes it.
    Orphan,
    /// Claims of a worker that is not registered. Repair registers it with an ended lease, so that
    /// the next sweep takes its jobs over.
    Unleased,
    /// A job that waits, and whose record no worker could decode. Repair sends it to the dead
    /// letters, with all its bytes.
    Unreadable,
    /// An element of a structure, a number or a place that mq did not write. Repair removes it, and
    /// the report says what it was; a record under what is no id becomes a dead letter with a new
    /// id.
    Garbage,
    /// A key of a type that mq did not give it. Repair renames it, so that nothing of it is lost;
    /// what is missing then is found like any other damage.
    WrongType,
    /// A key that would vanish by itself, or would stay for ever. Repair puts that right.
    Expiry,
    /// Jobs are ready and no marker would wake a worker. Repair sets it.
    Asleep,
    /// A queue with jobs that is missing in the list of queues. Repair lists it.
    Unlisted,
    /// A key under a name that mq does not know. Not repaired: it is somebody's.
    Foreign,
}
