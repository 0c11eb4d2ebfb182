//! Which queues are asked, under which names and numbers.

use std::time::{Duration, Instant};

use mq_core::clock::now;
use mq_core::engine::{EngineErrorKind, QueueClaim};
use mq_core::telemetry::TARGET_WORKER;
use mq_core::{Claim, QueueName, WorkerId};

use super::Puller;
use crate::error::RunError;

/// How long a paused or a damaged queue is left alone. Not blocked on: jobs that are enqueued
/// during the pause would wake this worker each time.
pub(super) const RECHECK: Duration = Duration::from_secs(2);

/// One queue as the loop sees it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: QueueName,
    /// The number of the next claim of the present incarnation.
    pub(super) next_number: u64,
    pub(super) appetite: Appetite,
}

/// Whether it makes sense to ask a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appetite {
    /// It may have jobs.
    Hungry,
    /// It had none; ask again then, unless woken before.
    Dry { due: Option<Instant> },
    /// Nobody may take from it; look again then.
    Paused { until: Instant },
    /// It could not be read; look again then.
    Damaged { until: Instant },
}

impl Appetite {
    /// After a reply that was made at `now_ms` on the store's clock. Counted from now, when the
    /// reply is here, so the next job is asked for at its time or a little later, never before.
    pub(super) fn dry(next_due_ms: Option<u64>, now_ms: u64) -> Self {
        let until_due = |due_ms: u64| Duration::from_millis(due_ms.saturating_sub(now_ms).max(1));
        Self::Dry { due: next_due_ms.and_then(|due_ms| now().checked_add(until_due(due_ms))) }
    }

    pub(super) fn paused() -> Self {
        Self::Paused { until: now() + RECHECK }
    }

    pub(super) fn damaged() -> Self {
        Self::Damaged { until: now() + RECHECK }
    }

    /// Whether it is not to be asked yet, also not along with others.
    fn is_left_alone(self) -> bool {
        matches!(self, Self::Paused { until } | Self::Damaged { until } if until > now())
    }
}

impl Line {
    pub(super) fn new(name: QueueName) -> Self {
        Self { name, next_number: 1, appetite: Appetite::Hungry }
    }
}

impl Puller {
    /// The claims of the next request, with the places of their queues: all that have room, in the
    /// order of this turn, if any of them may have jobs.
    ///
    /// Queues that were empty are asked along, because nobody listens for their wake-up while
    /// others keep this worker busy; one that has nothing costs the store about a microsecond.
    pub(super) fn ask(&mut self) -> Vec<(usize, QueueClaim)> {
        let hungry = |queue: usize| {
            self.lines[queue].appetite == Appetite::Hungry && self.slots.room(queue) > 0
        };
        if self.slots.free() == 0 || !(0..self.lines.len()).any(hungry) {
            return Vec::new();
        }
        let mut order = std::mem::take(&mut self.order);
        self.slots.order(&mut self.rng, &mut order);
        let mut asked = Vec::with_capacity(order.len());
        for &queue in &order {
            let line = &self.lines[queue];
            let limit = self.slots.room(queue);
            if limit == 0 || line.appetite.is_left_alone() {
                continue;
            }
            if let Some(worker) = self.shared.members.worker(queue) {
                let number = line.next_number;
                let claim = Claim { queue: line.name.clone(), worker, number };
                asked.push((queue, QueueClaim { claim, limit }));
            }
        }
        self.order = order;
        asked
    }

    /// Joins the queues where this worker has no incarnation; false if the store was not reached.
    ///
    /// # Errors
    /// When the store refuses a worker that has never worked, which waiting will not change. One
    /// sound queue is enough to work.
    pub(super) async fn join_lost(&mut self) -> Result<bool, RunError> {
        let mut damaged = None;
        for queue in 0..self.lines.len() {
            let is_damaged = matches!(self.lines[queue].appetite, Appetite::Damaged { .. });
            if self.shared.members.worker(queue).is_some()
                || is_damaged && self.lines[queue].appetite.is_left_alone()
            {
                continue;
            }
            let name = self.lines[queue].name.clone();
            let worker = WorkerId::random();
            let lease = self.shared.config.lease;
            match self.engine.join(&name, worker, lease, &self.shared.about()).await {
                Ok(()) => {
                    self.retrying.succeeded();
                    self.lines[queue] = Line::new(name.clone());
                    self.joined_before = true;
                    self.shared.members.joined(queue, worker);
                    tracing::info!(target: TARGET_WORKER, queue = %name, %worker, "joined a queue");
                }
                Err(source) if source.kind() == EngineErrorKind::Damaged => {
                    self.leave_alone(queue, "join", &source.to_string());
                    damaged.get_or_insert(RunError::Join { queue: name, source });
                }
                Err(source) if !source.is_retryable() && !self.joined_before => {
                    return Err(RunError::Join { queue: name, source });
                }
                Err(error) => {
                    self.pause(&error).await;
                    return Ok(false);
                }
            }
        }
        match damaged {
            Some(error) if !self.joined_before => Err(error),
            _ => Ok(true),
        }
    }

    /// Asks a queue that a request has found damaged no more for a while.
    pub(super) fn leave_alone(&mut self, queue: usize, request: &'static str, error: &str) {
        let line = &mut self.lines[queue];
        line.appetite = Appetite::damaged();
        self.shared.damage.tell(&line.name, request, error);
    }
}
