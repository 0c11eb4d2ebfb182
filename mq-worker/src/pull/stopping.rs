//! The last two states of the loop; see `shutdown`.

use std::time::{Duration, Instant};

use mq_core::clock::now;
use mq_core::telemetry::TARGET_WORKER;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::Puller;
use crate::execute;
use crate::shutdown::Phase;

/// What handlers that obey a cancellation have to come to their end after the grace.
const LAST_WORDS: Duration = Duration::from_millis(250);
/// How long it may take from the table of running jobs to the pile of outcomes.
const SETTLE_MAX: Duration = Duration::from_secs(1);
/// How long tasks that were aborted may take to end before they count as blocking.
const ABORT_MAX: Duration = Duration::from_millis(100);
/// How long an unreachable store may hold up a worker that wants to stop.
const FLUSH_MAX: Duration = Duration::from_secs(5);
const LEAVE_MAX: Duration = Duration::from_secs(2);

impl Puller {
    /// Draining: jobs run on, their ends are sent.
    pub(super) async fn drain(&mut self) {
        self.waiting = None;
        while self.shared.stop.phase() == Phase::Draining {
            self.collect();
            if let Some(sent) = self.unanswered.take() {
                self.send(sent).await;
            } else if let Some(sent) = self.compose() {
                self.send(sent).await;
            } else if self.slots.used() == 0 {
                return;
            } else {
                tokio::select! {
                    () = self.shared.outcomes.rung() => {}
                    () = self.shared.stop.left(Phase::Draining) => {}
                }
            }
        }
    }

    /// Handing back: cancels what still runs, gives back what does not end, and leaves. Returns
    /// how many ends of jobs could not be sent.
    pub(super) async fn hand_back(&mut self) -> usize {
        self.shared.running.stop(LAST_WORDS);
        self.let_end(LAST_WORDS).await;
        let left = self.shared.running.take_all();
        self.shared.backlog.clear();
        let mut aborted = Vec::new();
        for held in left {
            aborted.extend(held.abort.clone());
            execute::abandon(&self.shared, held);
        }
        aborted.iter().for_each(AbortHandle::abort);
        // Somebody may have taken a job out of the table and not yet put its end on the pile.
        self.let_end(SETTLE_MAX).await;
        let unsent = self.flush(now() + FLUSH_MAX).await;
        let ended = async {
            while aborted.iter().any(|task| !task.is_finished()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = timeout(ABORT_MAX, ended).await;
        let blocking = aborted.iter().filter(|task| !task.is_finished()).count();
        if blocking > 0 {
            (0..blocking).for_each(|_| self.shared.tally.abandoned());
            tracing::error!(
                target: TARGET_WORKER, blocking,
                "handlers block their threads and cannot be stopped; their jobs were handed back, \
                 but the end of this process may have to wait for them"
            );
        }
        if unsent == 0 {
            self.leave().await;
        } else {
            tracing::error!(
                target: TARGET_WORKER, unsent,
                "the store did not take the ends of these jobs in time; they will be run again \
                 when the lease of this worker has ended"
            );
        }
        unsent
    }

    /// Waits until nothing runs any more, but no longer than this.
    async fn let_end(&mut self, limit: Duration) {
        let deadline = now() + limit;
        self.collect();
        while self.slots.used() > 0 && now() < deadline {
            let left = deadline.saturating_duration_since(now());
            let _ = timeout(left, self.shared.outcomes.rung()).await;
            self.collect();
        }
    }

    /// Sends everything that is settled, or as much as the time allows.
    async fn flush(&mut self, deadline: Instant) -> usize {
        self.settled.append(&mut self.withheld.take_all());
        loop {
            self.collect();
            let Some(sent) = self.unanswered.take().or_else(|| self.compose()) else {
                return self.withheld.all().len();
            };
            let count = sent.classes.len();
            let left = deadline.saturating_duration_since(now());
            // Dropping a claim midway is all right here: nobody comes after it.
            let in_time = timeout(left, self.send(sent)).await.is_ok();
            if !in_time || now() >= deadline {
                self.collect();
                let unanswered = self.unanswered.as_ref().map(|sent| sent.classes.len());
                let in_flight = if in_time { unanswered.unwrap_or(0) } else { count };
                let unsent = in_flight + self.settled.len() + self.withheld.all().len();
                // A claim without an answer may have brought jobs that nobody knows of.
                return if in_time && self.unanswered.is_none() { unsent } else { unsent.max(1) };
            }
        }
    }

    async fn leave(&mut self) {
        let all = async {
            for (queue, line) in self.lines.iter().enumerate() {
                let Some(worker) = self.shared.members.worker(queue) else { continue };
                // The keeper must not take the end of the lease for a loss.
                self.shared.members.lost(queue, worker);
                if let Err(error) = self.engine.leave(&line.name, worker).await {
                    let error = mq_core::chain_text(&error);
                    tracing::warn!(
                        target: TARGET_WORKER, queue = %line.name, error,
                        "could not leave a queue; the lease will end by itself"
                    );
                }
            }
        };
        if timeout(LEAVE_MAX, all).await.is_err() {
            tracing::warn!(target: TARGET_WORKER, "could not leave the queues in time");
        }
    }
}
