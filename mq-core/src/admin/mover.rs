//! How jobs are moved to another store so that a stop at any point loses and doubles none.
//!
//! A queue is paused at both ends. Then, page by page, its jobs are imported there and deleted
//! here. A stop in between leaves a job at both ends, where nobody can run it; the next move finds
//! it there ([`Act::Already`]) and deletes it here. So the destination is paused until its queue is
//! done: a job that could run there and be gone would be brought a second time.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::moving::{MoveError, MoveProgress, MoveReport, MoveSide, MovedQueue};
use super::reclaim::Reclaim;
use crate::clock;
use crate::engine::{Act, BATCH_MAX, Engine, EngineError, ListRequest, PruneLimits, Stored};
use crate::id::JobId;
use crate::lifecycle::State;
use crate::name::QueueName;

/// About so many bytes are on the way at a time.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// The first page: small, for nothing is known yet about the size of jobs.
const PAGE_LEN_FIRST: usize = 16;
/// How often running jobs are looked for.
const LOOK: Duration = Duration::from_millis(250);
/// More than a queue can have transfers under way, by the portions in which they are completed.
const SETTLE_MAX: usize = 1_000;
/// Running jobs are not among them: only their workers may end a claim.
const STATES: [State; 5] =
    [State::Ready, State::Scheduled, State::Dead, State::Done, State::Cancelled];

/// A move under way.
pub(super) struct Mover<'a> {
    from: &'a dyn Engine,
    to: &'a dyn Engine,
    patience: Duration,
    tell: Box<dyn FnMut(&MoveProgress) + Send + 'a>,
    page_len: usize,
    report: MoveReport,
}

/// A store that failed.
type Failure = (MoveSide, EngineError);

fn source(error: EngineError) -> Failure {
    (MoveSide::Source, error)
}

fn destination(error: EngineError) -> Failure {
    (MoveSide::Destination, error)
}

impl<'a> Mover<'a> {
    pub(super) fn new(
        from: &'a dyn Engine,
        to: &'a dyn Engine,
        patience: Duration,
        tell: Box<dyn FnMut(&MoveProgress) + Send + 'a>,
    ) -> Self {
        let report = MoveReport::default();
        Self { from, to, patience, tell, page_len: PAGE_LEN_FIRST, report }
    }

    /// Moves the queues named, or all.
    pub(super) async fn run(
        mut self,
        queues: Option<Vec<QueueName>>,
    ) -> Result<MoveReport, MoveError> {
        let outcome = self.all(queues).await;
        let report = self.report;
        match outcome {
            Ok(true) => Ok(report),
            Ok(false) => Err(MoveError::SameStore),
            Err((side, source)) => Err(MoveError::Store { side, report, source }),
        }
    }

    /// False, with nothing done, if both ends are one store.
    async fn all(&mut self, queues: Option<Vec<QueueName>>) -> Result<bool, Failure> {
        let here = self.from.identity().await.map_err(source)?;
        if here == self.to.identity().await.map_err(destination)? {
            return Ok(false);
        }
        let known = self.from.queues().await.map_err(source)?;
        for queue in queues.as_ref().unwrap_or(&known) {
            settle(self.from, queue).await.map_err(source)?;
        }
        // Again, because a transfer that was completed may have made a queue.
        let queues = match queues {
            Some(queues) => queues,
            None => self.from.queues().await.map_err(source)?,
        };
        for queue in &queues {
            // A pause would make a queue of a name that nobody used.
            let total = self.from.stats(queue).await.map_err(source)?.all();
            if total > 0 || known.contains(queue) {
                self.queue(queue).await?;
            }
        }
        for at in 0..self.report.queues.len() {
            let stats = self.from.stats(&self.report.queues[at].name).await.map_err(source)?;
            let queue = &mut self.report.queues[at];
            (queue.running, queue.left) = (stats.running, stats.all() - stats.running);
        }
        Ok(true)
    }

    async fn queue(&mut self, queue: &QueueName) -> Result<(), Failure> {
        let there = self.to.stats(queue).await.map_err(destination)?;
        let was_paused = self.from.stats(queue).await.map_err(source)?.paused_since_ms.is_some();
        self.from.pause(queue).await.map_err(source)?;
        let total = self.from.stats(queue).await.map_err(source)?.all();
        let is_paused = there.paused_since_ms.is_some();
        let name = queue.clone();
        self.report.queues.push(MovedQueue { name, moved: 0, running: 0, left: 0, is_paused });
        if total == 0 {
            // As after an earlier move; work that goes on there need not be held up.
            return Ok(());
        }
        self.to.pause(queue).await.map_err(destination)?;
        self.note(true);
        self.empty(queue, total).await?;
        // A pause moves along to a queue that was not in use there; one that was goes on as it did.
        let is_used = there.all() + there.workers + there.enqueued_total + there.done_total > 0;
        if !is_paused && (is_used || !was_paused) {
            self.to.resume(queue).await.map_err(destination)?;
            self.note(false);
        }
        Ok(())
    }

    /// Notes whether the queue at hand is paused at the destination.
    fn note(&mut self, is_paused: bool) {
        if let Some(queue) = self.report.queues.last_mut() {
            queue.is_paused = is_paused;
        }
    }

    /// Moves until nothing is left, or for as long as patience says after the first time round.
    async fn empty(&mut self, queue: &QueueName, total: u64) -> Result<(), Failure> {
        let mut reclaim = Reclaim::new(self.from, queue);
        let mut deadline: Option<Instant> = None;
        let mut left = total;
        loop {
            let moved = self.round(queue, left).await?;
            let stats = self.from.stats(queue).await.map_err(source)?;
            left = stats.all();
            let deadline = *deadline.get_or_insert_with(|| clock::now() + self.patience);
            if left == 0 || clock::now() >= deadline {
                break;
            }
            // Somebody may have ended the pause.
            self.from.pause(queue).await.map_err(source)?;
            if stats.running > 0 {
                reclaim.sweep().await.map_err(source)?;
            }
            if moved == 0 {
                sleep(LOOK).await;
            }
        }
        reclaim.leave().await.map_err(source)
    }

    /// Moves what waits or has ended; returns how many jobs that were.
    async fn round(&mut self, queue: &QueueName, total: u64) -> Result<u64, Failure> {
        let mut moved = 0;
        for state in STATES {
            let mut cursor = None;
            loop {
                let (queue, limit) = (queue.clone(), self.page_len);
                let request = ListRequest { queue, state, cursor, limit };
                let page = self.from.list(request).await.map_err(source)?;
                let carried = self.carry(page.jobs, total.saturating_sub(moved)).await?;
                moved += carried;
                cursor = match page.next {
                    None => break,
                    // What was moved is gone, so the next page begins where this one did.
                    Some(_) if carried > 0 => None,
                    next => next,
                };
            }
        }
        Ok(moved)
    }

    /// Brings one page over; returns how many jobs of it are at the destination alone.
    async fn carry(&mut self, jobs: Vec<Stored>, left: u64) -> Result<u64, Failure> {
        let Some(queue) = jobs.first().map(|job| job.queue.clone()) else { return Ok(0) };
        self.page_len = next_len(self.page_len, &jobs);
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        let acts = self.to.import(jobs).await.map_err(destination)?;
        let is_there = |act: &Act| matches!(act, Act::Applied | Act::Already);
        let there = ids.iter().zip(&acts).filter(|(_, act)| is_there(act));
        let there: Vec<JobId> = there.map(|(id, _)| *id).collect();
        let gone = self.from.delete(&queue, &there).await.map_err(source)?;
        let stays = there.iter().zip(&gone).filter(|(_, act)| matches!(act, Act::Refused(_)));
        let stays: Vec<JobId> = stays.map(|(id, _)| *id).collect();
        if !stays.is_empty() {
            // Somebody ended the pause and a worker has them: they are the source's again. One that
            // is not there any more may have been deleted by this very request, sent twice because
            // its answer was lost; so it stays at the destination.
            self.to.delete(&queue, &stays).await.map_err(destination)?;
        }
        let moved = (there.len() - stays.len()) as u64;
        if let Some(entry) = self.report.queues.last_mut() {
            entry.moved += moved;
            let left = left.saturating_sub(moved);
            (self.tell)(&MoveProgress { queue, moved: entry.moved, left });
        }
        Ok(moved)
    }
}

/// Completes transfers between queues of the source that were interrupted: a job that is between
/// two queues would be brought with both. Prunes nothing that is still to be kept.
async fn settle(from: &dyn Engine, queue: &QueueName) -> Result<(), EngineError> {
    let mut limits = PruneLimits::default();
    (limits.dead_count, limits.dead_age_ms) = (usize::MAX, u64::MAX);
    for _ in 0..SETTLE_MAX {
        if from.prune(queue, limits).await?.done == 0 {
            break;
        }
    }
    Ok(())
}

/// How many jobs the next page should have, going by the size of these.
fn next_len(len: usize, jobs: &[Stored]) -> usize {
    let size = |job: &Stored| job.record.len() + job.history.as_ref().map_or(0, Vec::len);
    let bytes: usize = jobs.iter().map(size).sum();
    let fitting = PAGE_BYTES * jobs.len() / bytes.max(1);
    // Not at once: the next ones may be larger.
    fitting.min(len * 4).clamp(1, BATCH_MAX)
}
