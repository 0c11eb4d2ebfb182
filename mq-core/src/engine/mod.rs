//! The contract between mq and a store. What a method means is said here, once; an engine crate
//! says only how.
//!
//! Rules for every engine:
//!
//! * **One job, one place.** A job that exists is in exactly one [`State`](crate::State).
//! * **Every way out of `running` is fenced.** A [`Finish`] names its
//!   [`Claim`](crate::Claim); if that claim does not hold the job any more, nothing changes and the
//!   answer is [`Finished::Fenced`].
//! * **Everything may be sent twice.** A connection can break after a request was applied. Every
//!   method must bring the same result when its request is repeated: `enqueue` by job id, `claim`
//!   and `reap` by claim number, the others by the state they find.
//! * **Time is the store's.** [`After`](Schedule::After) counts from the store's clock, and replies
//!   say what it shows.
//! * **Everything is bounded.** A method that could have much to do takes a limit and says whether
//!   more is left.
//! * **Check first, write after.** A request that cannot be carried out changes nothing.
//! * **A damaged queue is alone with it.** Requests about several queues say for each whether it is
//!   damaged, and are carried out for the others.
//!
//! No method is optional. Engines differ in latency, never in meaning.

mod data;
mod error;
mod operator;
mod transaction;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use self::data::{
    Beat, BeatReply, ClaimReply, ClaimRequest, Claimed, DELAY_MAX, Durability, EnqueueReply,
    Finish, Finished, Holding, NewJob, QueueClaim, QueueReply, ReapReply, ReapRequest, Schedule,
    WaitReply,
};
pub use self::error::{EngineError, EngineErrorKind};
pub use self::operator::{
    About, Act, AuditReport, Cursor, Finding, FindingKind, ListRequest, Pace, Page, Progress,
    PruneLimits, QueueStats, Stored, WorkerStats, total,
};
pub use self::transaction::Transaction;
use crate::id::{JobId, WorkerId};
use crate::name::QueueName;

/// Most jobs in one request, and most results in one reply.
///
/// A request for more jobs than this is cut down to it; one that brings more is refused as
/// [`Invalid`](EngineErrorKind::Invalid) and changes nothing.
pub const BATCH_MAX: usize = 1_000;

/// A store of jobs.
///
/// Sealed by convention until 1.0: the trait may gain methods in any release.
#[async_trait]
pub trait Engine: Debug + Send + Sync + 'static {
    // ---- data plane: hot, batched ----

    /// Stores jobs. When this returns `Ok`, each is as safe as [`durability`](Self::durability)
    /// says. Jobs of one call and one queue become visible together.
    ///
    /// A job whose id is known already, or whose key belongs to a job that exists or ended less
    /// than 24 h ago (however it ended, deletion included), is not stored again: the reply names
    /// the job that is there, and calls it a duplicate if its id is another one.
    ///
    /// A job that is scheduled more than [`DELAY_MAX`] away is refused as
    /// [`Invalid`](EngineErrorKind::Invalid), and nothing of the call is stored.
    ///
    /// Concurrent calls share round trips. Gives up after `deadline`. Jobs of several queues may be
    /// stored one queue at a time; when only some are, the error is `Unknown`.
    ///
    /// # Errors
    /// [`Unavailable`](EngineErrorKind::Unavailable): surely not stored.
    /// [`Unknown`](EngineErrorKind::Unknown): perhaps stored; the engine goes on finding out, and
    /// a job it finds missing then is not stored later. [`Full`](EngineErrorKind::Full): the store
    /// is at its memory limit; nothing was stored.
    async fn enqueue(
        &self,
        jobs: Vec<NewJob>,
        deadline: Duration,
    ) -> Result<Vec<EnqueueReply>, EngineError>;

    /// Makes a worker incarnation known on a queue with a first lease. Must come before its first
    /// `claim` there; repeating it renews the lease. It does not bring back a worker that was
    /// fenced or has left, of which the last [`BATCH_MAX`] per queue are remembered: that one
    /// learns by its next claim or beat that it is lost.
    ///
    /// Without an answer it is not repeated under the same [`WorkerId`], neither by an engine nor
    /// by its caller, who takes a new one: a copy that arrives when the worker was forgotten would
    /// let late copies of its claims in.
    async fn join(
        &self,
        queue: &QueueName,
        worker: WorkerId,
        lease: Duration,
        about: &About,
    ) -> Result<(), EngineError>;

    /// First applies the finishes, then takes up to `limit` ready jobs from the queues, in the
    /// order given; due jobs are promoted on the way. One round trip for both.
    ///
    /// The jobs belong to the worker until it finishes them or is fenced by a sweep after its lease
    /// has ended; a worker that is late but was not swept is still itself. A repeat with the same
    /// number gives what the claim still holds, and nothing new from any of its queues; a lower
    /// number that was never used gives none. Not cancel safe: a caller that drops the future owns
    /// jobs that it does not know of, until its lease ends.
    async fn claim(&self, request: ClaimRequest) -> Result<ClaimReply, EngineError>;

    /// Ends claims on jobs, each by its transition; answers per job, in order. Of two ends of one
    /// job the first counts. Jobs that a worker releases together keep their order.
    async fn finish(&self, finishes: Vec<Finish>) -> Result<Vec<Finished>, EngineError>;

    /// Extends the leases of workers, all jobs of each at once, and brings the news for them.
    /// Answers per beat, in order.
    async fn extend(&self, beats: Vec<Beat>) -> Result<Vec<BeatReply>, EngineError>;

    /// Takes a worker off a queue at once instead of waiting for its lease to end. Jobs that it
    /// still holds are treated as if the lease had ended.
    async fn leave(&self, queue: &QueueName, worker: WorkerId) -> Result<(), EngineError>;

    /// Blocks until one of the queues may have work or the time is up; never polls. A wake-up is
    /// a hint: the caller claims to see. Cancel safe: a wake-up that got lost is made up for by
    /// the next `reap` or `promote` of any worker.
    async fn wait(&self, queues: &[QueueName], timeout: Duration)
    -> Result<WaitReply, EngineError>;

    // ---- time plane: idempotent, bounded; any worker may do them at any time ----

    /// Moves due jobs to their ready lists, scheduled ones and retries in turn, at most `limit`.
    async fn promote(&self, queue: &QueueName, limit: usize) -> Result<Progress, EngineError>;

    /// Takes jobs of workers whose lease has ended over to `reaper`, at most `limit`, under a new
    /// claim; from that instant the old workers are fenced out. The reaper decides what becomes of
    /// each and finishes it; if the reaper dies too, the next one takes over.
    ///
    /// A sweep that finds that nobody has swept for longer than half a lease gives all workers half
    /// a lease to report first: then the store itself was away, not they. So a fleet must sweep
    /// several times per lease, and beat every third of one. The jobs of a repeat are the same, the
    /// list of workers may be empty.
    async fn reap(&self, request: ReapRequest) -> Result<ReapReply, EngineError>;

    /// Removes what retention and bounds say: kept jobs whose time is up, the oldest dead letters,
    /// keys of jobs long gone. At most `limits.batch` of each.
    async fn prune(&self, queue: &QueueName, limits: PruneLimits) -> Result<Progress, EngineError>;

    // ---- operator plane ----

    /// All queues that ever had a job or a worker or were paused, sorted.
    async fn queues(&self) -> Result<Vec<QueueName>, EngineError>;

    /// Sizes and counters of one queue.
    async fn stats(&self, queue: &QueueName) -> Result<QueueStats, EngineError>;

    /// The workers of a queue with the jobs they hold, in the order in which they started. One that
    /// was fenced out is there until all its jobs are taken over, with a lease that ended in 1970.
    async fn workers(&self, queue: &QueueName) -> Result<Vec<WorkerStats>, EngineError>;

    /// Jobs of one state, page by page: ready in the order they will run, scheduled by due time,
    /// dead, done and cancelled latest first.
    async fn list(&self, request: ListRequest) -> Result<Page, EngineError>;

    /// Everything known about jobs of one queue; none for those that are not there.
    async fn get(
        &self,
        queue: &QueueName,
        ids: &[JobId],
    ) -> Result<Vec<Option<Stored>>, EngineError>;

    /// Runs dead, cancelled or scheduled jobs again, with all their attempts; their history and
    /// lifetime count stay. At a pace they are scheduled one after the other; without, they are
    /// ready at once.
    async fn retry(
        &self,
        queue: &QueueName,
        ids: &[JobId],
        pace: Option<Pace>,
    ) -> Result<Vec<Act>, EngineError>;

    /// Makes scheduled jobs and retries ready now; attempts stay as they are.
    async fn run_now(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>, EngineError>;

    /// Removes jobs that are not running, whatever their state.
    async fn delete(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>, EngineError>;

    /// Cancels jobs: one that waits ends at once, a running one is told through its worker's next
    /// beat ([`Act::Requested`]). A request outlives the claim: if the job is to be run again, its
    /// next worker is told.
    async fn cancel(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>, EngineError>;

    /// Sends jobs that wait to the dead letters, where they can be looked at and retried; their
    /// past says that an operator did it. They count as dead, and their keys hold.
    async fn discard(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>, EngineError>;

    /// Moves jobs that wait or are dead to another queue of the same store, keeping their id,
    /// history, due time and key. Interrupted half way, it is completed by any later `prune`, of
    /// whichever queue, for nobody may serve the one that the jobs leave; until then such a job is
    /// scheduled. It is put there once, however late that is. Repeated, it answers
    /// [`NotFound`](Act::NotFound) for jobs that have gone. To the same queue it is `Invalid`.
    async fn transfer(
        &self,
        from: &QueueName,
        to: &QueueName,
        ids: &[JobId],
    ) -> Result<Vec<Act>, EngineError>;

    /// Stores jobs as another store had them: in the state that they had there, with its time, and
    /// with record, history and request to cancel as they come. Ready ones go to the back of their
    /// lists, in the order given. The jobs of one queue become visible together, or in a few
    /// portions if they are large. None of them counts as enqueued.
    ///
    /// What a store keeps beside the record is read from it, the same way for all engines:
    /// [`Stored::priority`], [`Stored::idempotency_key`], [`Stored::is_retry`]. A key that another
    /// job has here stays with that one.
    ///
    /// A job that this queue has is left alone, in whatever state: [`Already`](Act::Already). So a
    /// repeat is harmless as long as nothing can take the jobs away in between; whoever moves jobs
    /// pauses the queue. A job that runs is [`Refused`](Act::Refused): its worker would go on.
    async fn import(&self, jobs: Vec<Stored>) -> Result<Vec<Act>, EngineError>;

    /// Stops workers from claiming from a queue. Running jobs go on; enqueueing goes on.
    ///
    /// A copy that the network delivers after another pause, resume or import of this queue changes
    /// nothing, and so for those two.
    async fn pause(&self, queue: &QueueName) -> Result<(), EngineError>;

    /// Ends a pause.
    async fn resume(&self, queue: &QueueName) -> Result<(), EngineError>;

    /// Recomputes a queue from all its structures and reports every disagreement; with `repair`,
    /// also mends it, never by dropping a job: see [`FindingKind`] for how. Works beside live
    /// traffic: a finding is looked at twice before it counts. Reads every record once, in bounded
    /// pages.
    async fn audit(&self, queue: &QueueName, repair: bool) -> Result<AuditReport, EngineError>;

    // ---- the store itself ----

    /// A name that the store was given when it was first asked for one: 22 random characters. All
    /// handles on one store say the same; two stores never do, unless one is a copy of the other.
    async fn identity(&self) -> Result<String, EngineError>;

    /// The same name, if the store is in a database in which an application can have transactions
    /// of its own; see [`Transaction`].
    fn database(&self) -> Option<String>;

    /// What an acknowledged job survives, as verified at connect and every minute since.
    fn durability(&self) -> Durability;

    /// What was found at start that an operator should mend: one sentence each, with what to type.
    fn warnings(&self) -> Vec<String>;

    /// Another handle on the same store that shares no connection and no task with this one. Its
    /// connections belong to the runtime that first uses it, so a thread with a runtime of its own
    /// can go on while this one's is blocked.
    fn detached(&self) -> Arc<dyn Engine>;

    /// Reaches the store and returns its time in ms since 1970.
    async fn ping(&self) -> Result<u64, EngineError>;
}
