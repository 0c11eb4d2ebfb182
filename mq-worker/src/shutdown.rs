//! The way down, as a type with three states after the running one.
//!
//! * **Serving**: claims and runs jobs, until it is told to be quiet or to stop.
//! * **Quiet**, by [`Stop::quiet`]: claims nothing; jobs run on and their ends are sent, until it
//!   is told to stop.
//! * **Draining**, by [`Stop::order`]: as quiet, and handlers see `stopping`, until nothing runs
//!   any more, the grace is over, or [`Stop::now`].
//! * **Handing back**: cancels what still runs, gives it back at the front of its queue, and leaves
//!   the queues, until all is sent or the last deadline is over.
//!
//! A state is never left backwards. What each state does is in `pull`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mq_core::clock::now;
use mq_core::signal::Signal;

/// What the worker has been told about its end.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    quiet: Signal,
    ordered: Signal,
    at_once: Signal,
    /// The end of the grace.
    deadline: Mutex<Option<Instant>>,
}

/// See the head of this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Serving,
    Quiet,
    Draining,
    HandingBack,
}

impl Stop {
    pub(crate) fn quiet(&self) {
        self.quiet.fire();
    }

    /// Orders the stop. A second order can only bring the deadline forward.
    pub(crate) fn order(&self, grace: Duration) {
        let mut deadline = self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = now().checked_add(grace);
        *deadline = match (*deadline, wanted) {
            (Some(earlier), Some(wanted)) => Some(earlier.min(wanted)),
            (earlier, wanted) => earlier.or(wanted),
        };
        drop(deadline);
        self.quiet.fire();
        self.ordered.fire();
    }

    /// Ends the grace.
    pub(crate) fn now(&self) {
        self.order(Duration::ZERO);
        self.at_once.fire();
    }

    pub(crate) fn phase(&self) -> Phase {
        if self.ordered.is_fired() {
            let over = self.deadline().is_some_and(|deadline| now() >= deadline);
            if over { Phase::HandingBack } else { Phase::Draining }
        } else if self.quiet.is_fired() {
            Phase::Quiet
        } else {
            Phase::Serving
        }
    }

    /// The end of the grace, once the stop is ordered; none for a grace without end.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What handlers see as `stopping`.
    pub(crate) fn ordered(&self) -> &Signal {
        &self.ordered
    }

    /// Waits until the phase is another one than `phase`. Cancel safe.
    pub(crate) async fn left(&self, phase: Phase) {
        match phase {
            Phase::Serving => self.quiet.fired().await,
            Phase::Quiet => self.ordered.fired().await,
            Phase::Draining => {
                let over = async {
                    match self.deadline() {
                        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = self.at_once.fired() => {}
                    () = over => {}
                }
            }
            Phase::HandingBack => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_follow_each_other_and_an_order_is_never_put_off() {
        let stop = Stop::default();
        assert_eq!(stop.phase(), Phase::Serving);
        stop.quiet();
        assert_eq!(stop.phase(), Phase::Quiet);
        stop.order(Duration::from_secs(60));
        assert_eq!(stop.phase(), Phase::Draining);
        let deadline = stop.deadline();
        stop.order(Duration::from_secs(600));
        assert_eq!(stop.deadline(), deadline);
        stop.now();
        assert_eq!(stop.phase(), Phase::HandingBack);
    }

    #[tokio::test]
    async fn a_phase_that_is_over_is_left_at_once() {
        let stop = Stop::default();
        stop.now();
        stop.left(Phase::Serving).await;
        stop.left(Phase::Quiet).await;
        stop.left(Phase::Draining).await;
    }
}
