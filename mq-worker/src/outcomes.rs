//! Finished jobs on their way from their tasks to the loop.

use std::sync::{Mutex, PoisonError};

use mq_core::engine::Finish;
use tokio::sync::Notify;

use crate::report::Class;

/// A job whose end is decided but not yet known to the store.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) finish: Finish,
    pub(crate) class: Class,
    /// The place of its queue, if it held a slot there.
    pub(crate) slot: Option<usize>,
}

/// A pile that tasks put on and the loop takes away whole. Never holds more than the worker has
/// slots, because no slot is free again before the loop has taken the job that held it.
///
/// Not a channel: one lock per batch on the taking side, and one wake-up per batch on the other.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    pile: Mutex<Vec<Settled>>,
    bell: Notify,
}

impl Outcomes {
    pub(crate) fn push(&self, settled: Settled) {
        let mut pile = self.pile.lock().unwrap_or_else(PoisonError::into_inner);
        pile.push(settled);
        let first = pile.len() == 1;
        drop(pile);
        if first {
            self.ring();
        }
    }

    /// Swaps the pile for an empty vector.
    pub(crate) fn take(&self, into: &mut Vec<Settled>) {
        debug_assert!(into.is_empty());
        std::mem::swap(into, &mut *self.pile.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Makes the loop look around, also for other news than outcomes.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits for the bell; one that rang before counts. Cancel safe.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }
}
