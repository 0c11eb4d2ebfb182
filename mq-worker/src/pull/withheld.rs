//! Ends of jobs that the store could not take yet, because their queue is damaged. The others must
//! not wait for them.

use std::mem;
use std::time::Instant;

use mq_core::clock::now;

use super::asking::RECHECK;
use crate::outcomes::Settled;

/// Kept until the queue may have been mended; then they are sent with the others.
#[derive(Default)]
pub(super) struct Withheld {
    ends: Vec<Settled>,
    until: Option<Instant>,
}

impl Withheld {
    pub(super) fn add(&mut self, end: Settled) {
        self.ends.push(end);
        self.until = Some(now() + RECHECK);
    }

    /// When they are to be sent again, if there are some.
    pub(super) fn due(&self) -> Option<Instant> {
        self.until
    }

    /// Those that are to be sent again now.
    pub(super) fn take_due(&mut self) -> Vec<Settled> {
        if self.until.is_some_and(|until| until <= now()) { self.take_all() } else { Vec::new() }
    }

    pub(super) fn take_all(&mut self) -> Vec<Settled> {
        self.until = None;
        mem::take(&mut self.ends)
    }

    pub(super) fn all(&self) -> &[Settled] {
        &self.ends
    }
}
