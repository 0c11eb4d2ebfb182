//! The loop for those who want only what is due; see `crate::due`.

use std::time::Instant;

use mq_core::clock::now;
use mq_core::engine::{Beat, BeatReply, EngineError};
use tokio::time::sleep;

use super::Puller;
use super::asking::Appetite;
use crate::error::RunError;
use crate::execute;

impl Puller {
    /// Runs jobs until none is due or about `limit` attempts have ended, then leaves.
    pub(crate) async fn run_due(mut self, limit: u64) -> Result<(), RunError> {
        loop {
            self.collect();
            if self.shared.tally.report().ended() >= limit {
                self.shared.stop.quiet();
            }
            if let Some(sent) = self.unanswered.take() {
                self.send(sent).await;
            } else if !self.join_lost().await? {
                // The store was not reached.
            } else if let Some(sent) = self.compose() {
                self.send(sent).await;
            } else if self.slots.used() > 0 {
                self.attend().await;
            } else {
                break;
            }
        }
        let unsent = self.hand_back().await;
        if unsent > 0 {
            let report = Box::new(self.shared.tally.report());
            return Err(RunError::Unsent { unsent, report });
        }
        Ok(())
    }

    /// Waits until a job ends. Meanwhile does what is the keeper's duty elsewhere: ends attempts
    /// whose time is up, and passes on what operators cancel.
    ///
    /// The time is put together from the waits, because the runtime of a test may have a clock of
    /// its own that is paused.
    async fn attend(&mut self) {
        let grace = self.shared.config.timeout_grace;
        let mut at = now();
        loop {
            let (disobedient, next) = self.shared.running.expire(at, grace);
            for held in disobedient {
                if let Some(task) = &held.abort {
                    task.abort();
                }
                execute::abandon(&self.shared, held);
            }
            let beat = at + self.shared.config.lease / 3;
            let next = next.map_or(beat, |alarm| alarm.min(beat));
            tokio::select! {
                () = self.shared.outcomes.rung() => break,
                () = sleep(next.saturating_duration_since(at)) => at = next,
            }
            if at >= beat
                && let Err(error) = self.beat(at).await
            {
                self.pause(&error).await;
            }
        }
        // Whatever has ended may have enqueued something anywhere.
        for line in &mut self.lines {
            if matches!(line.appetite, Appetite::Dry { .. }) {
                line.appetite = Appetite::Hungry;
            }
        }
    }

    /// Extends the leases, and cancels what operators want stopped.
    async fn beat(&mut self, at: Instant) -> Result<(), EngineError> {
        let lease = self.shared.config.lease;
        let beats = self.lines.iter().enumerate().filter_map(|(queue, line)| {
            let worker = self.shared.members.worker(queue)?;
            Some(Beat { queue: line.name.clone(), worker, lease, about: None, names_claims: false })
        });
        let beats: Vec<_> = beats.collect();
        let replies = self.engine.extend(beats.clone()).await?;
        for (beat, reply) in beats.iter().zip(replies) {
            let Some(queue) = self.shared.members.place(&beat.queue) else { continue };
            match reply {
                BeatReply::Extended { cancels, .. } => self.shared.cancel(queue, cancels, at),
                BeatReply::Lost => self.shared.lose(queue, beat.worker),
                _ => {}
            }
        }
        Ok(())
    }
}
