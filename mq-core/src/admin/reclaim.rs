//! Takes back the jobs of workers that have died, where no worker is left to do it.

use std::time::Duration;

use crate::engine::{About, Claimed, Engine, EngineError, Finish, ReapRequest};
use crate::history::History;
use crate::id::{Claim, WorkerId};
use crate::lifecycle::{Ended, Policy, decide};
use crate::name::QueueName;
use crate::rng::Rng;

/// The lease that workers have unless they were told otherwise.
const LEASE: Duration = Duration::from_secs(15);
/// Most jobs of one sweep. Each has its record on board.
const REAP_MAX: usize = 250;

/// A housekeeper on one queue, like the one that every worker has. It knows no kinds of jobs, so
/// the default rules hold for how often a job may lose its worker.
pub(super) struct Reclaim<'a> {
    engine: &'a dyn Engine,
    queue: &'a QueueName,
    worker: Option<WorkerId>,
    number: u64,
}

impl<'a> Reclaim<'a> {
    pub(super) fn new(engine: &'a dyn Engine, queue: &'a QueueName) -> Self {
        Self { engine, queue, worker: None, number: 0 }
    }

    /// Takes the jobs of dead workers over, and puts each where its history says.
    pub(super) async fn sweep(&mut self) -> Result<(), EngineError> {
        let worker = *self.worker.get_or_insert_with(WorkerId::random);
        let about = About { housekeeper: true, ..About::default() };
        if let Err(error) = self.engine.join(self.queue, worker, LEASE, &about).await {
            self.worker = None;
            // The caller comes again.
            return if error.is_retryable() { Ok(()) } else { Err(error) };
        }
        loop {
            self.number += 1;
            let claim = Claim { queue: self.queue.clone(), worker, number: self.number };
            let request = ReapRequest { claim, limit: REAP_MAX, lease: LEASE };
            let reply = self.engine.reap(request).await?;
            if reply.lost {
                // Under a new name next time; numbers may go on.
                self.worker = None;
                return Ok(());
            }
            let now_ms = reply.now_ms;
            let ends: Vec<_> = reply.jobs.into_iter().map(|job| end(job, now_ms)).collect();
            if !ends.is_empty() {
                self.engine.finish(ends).await?;
            }
            if !reply.more {
                return Ok(());
            }
        }
    }

    /// Leaves the queue, if it was joined.
    pub(super) async fn leave(self) -> Result<(), EngineError> {
        match self.worker {
            Some(worker) => self.engine.leave(self.queue, worker).await,
            None => Ok(()),
        }
    }
}

fn end(job: Claimed, now_ms: u64) -> Finish {
    let past = job.history.as_deref().map_or_else(History::default, History::decode);
    let ended = Ended::Interrupted;
    let decision = decide(&Policy::DEFAULT, &past, &ended, now_ms, &mut Rng::random());
    Finish::interrupted(job, decision)
}
