//! What the loop does when there is nothing to send and nothing to ask for.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mq_core::QueueName;
use mq_core::clock::now;
use mq_core::engine::{EngineError, EngineErrorKind, WaitReply};
use mq_core::failpoint::point;

use super::Puller;
use super::asking::Appetite;
use crate::shutdown::Phase;

/// Longest wait for a wake-up, after which the queues are asked anyway.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// A wait that is under way, and for which queues. Made once per idle time and not once per
/// outcome, because each one is a command to the store.
pub(super) struct Waiting {
    queues: Vec<usize>,
    future: Pin<Box<dyn Future<Output = Result<WaitReply, EngineError>> + Send>>,
}

impl Puller {
    /// Waits for whatever comes first: an outcome, a wake-up, a due time, the end.
    pub(super) async fn idle(&mut self) {
        let phase = self.shared.stop.phase();
        if !matches!(phase, Phase::Serving | Phase::Quiet) {
            // Told to stop since the loop has looked: the end to wait for is that of the grace now.
            return;
        }
        self.arm(phase);
        let due = self.next_due(phase).into_iter().chain(self.withheld.due()).min();
        let due_sleep = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        let woken = tokio::select! {
            () = self.shared.outcomes.rung() => None,
            () = self.shared.stop.left(phase) => None,
            () = due_sleep => None,
            reply = wake_up(&mut self.waiting) => Some(reply),
        };
        match woken {
            Some(reply) => self.woken(reply).await,
            None => self.feed_due(),
        }
    }

    /// Starts or keeps the wait for those queues that could use a wake-up; ends it when that set
    /// has changed, because a wake-up that this worker cannot follow is missed by another one.
    fn arm(&mut self, phase: Phase) {
        let mut queues = Vec::new();
        if phase == Phase::Serving {
            let waits = |&queue: &usize| {
                matches!(self.lines[queue].appetite, Appetite::Dry { .. })
                    && self.slots.room(queue) > 0
            };
            queues.extend((0..self.lines.len()).filter(waits));
        }
        if queues.is_empty() {
            self.waiting = None;
        } else if self.waiting.as_ref().is_none_or(|waiting| waiting.queues != queues) {
            let names: Vec<QueueName> =
                queues.iter().map(|&queue| self.lines[queue].name.clone()).collect();
            point("wait.asking");
            let engine = Arc::clone(&self.engine);
            let future = Box::pin(async move { engine.wait(&names, WAIT_MAX).await });
            self.waiting = Some(Waiting { queues, future });
        }
    }

    async fn woken(&mut self, reply: Result<WaitReply, EngineError>) {
        let queues = self.waiting.take().map(|waiting| waiting.queues).unwrap_or_default();
        match reply {
            Ok(WaitReply::Woken(name)) => {
                if let Some(queue) = self.shared.members.place(&name) {
                    self.lines[queue].appetite = Appetite::Hungry;
                }
            }
            Ok(_) => self.feed(&queues),
            Err(error) if error.kind() == EngineErrorKind::Damaged => {
                let error = error.to_string();
                queues.iter().for_each(|&queue| self.leave_alone(queue, "wait", &error));
            }
            Err(error) => {
                // Perhaps only the waiting is broken, so ask.
                self.pause(&error).await;
                self.feed(&queues);
            }
        }
    }

    fn feed(&mut self, queues: &[usize]) {
        for &queue in queues {
            if matches!(self.lines[queue].appetite, Appetite::Dry { .. }) {
                self.lines[queue].appetite = Appetite::Hungry;
            }
        }
    }

    /// Makes queues hungry whose time has come.
    fn feed_due(&mut self) {
        let at = now();
        for queue in 0..self.lines.len() {
            if self.due(queue).is_some_and(|due| due <= at) {
                self.lines[queue].appetite = Appetite::Hungry;
            }
        }
    }

    /// When the next queue that has room must be asked without a wake-up.
    fn next_due(&self, phase: Phase) -> Option<Instant> {
        if phase != Phase::Serving {
            return None;
        }
        let roomy = (0..self.lines.len()).filter(|&queue| self.slots.room(queue) > 0);
        roomy.filter_map(|queue| self.due(queue)).min()
    }

    fn due(&self, queue: usize) -> Option<Instant> {
        match self.lines[queue].appetite {
            Appetite::Paused { until } | Appetite::Damaged { until } => Some(until),
            Appetite::Dry { due } => due,
            Appetite::Hungry => None,
        }
    }
}

async fn wake_up(waiting: &mut Option<Waiting>) -> Result<WaitReply, EngineError> {
    match waiting {
        Some(waiting) => waiting.future.as_mut().await,
        None => std::future::pending().await,
    }
}
