//! The time of the store: the latest that was ever seen or this machine's, whichever is later.

use std::sync::Arc;
#[cfg(feature = "testclock")]
use std::sync::atomic::{AtomicU64, Ordering};

use mq_core::clock;

/// The clock of a store. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Time {
    /// The test's clock in ms since 1970; 0 while there is none.
    #[cfg(feature = "testclock")]
    set_ms: Arc<AtomicU64>,
    #[cfg(not(feature = "testclock"))]
    _set_ms: Arc<()>,
}

impl Time {
    /// The time for a transaction, given the latest one that the store has seen.
    pub(crate) fn now_ms(&self, last_ms: i64) -> i64 {
        // Several processes share the file, and a clock that is set back must not undo a lease.
        self.set_ms().unwrap_or_else(|| last_ms.max(clock::wall_ms() as i64))
    }

    #[cfg(feature = "testclock")]
    fn set_ms(&self) -> Option<i64> {
        let ms = self.set_ms.load(Ordering::SeqCst);
        (ms != 0).then_some(ms as i64)
    }

    #[cfg(not(feature = "testclock"))]
    fn set_ms(&self) -> Option<i64> {
        None
    }

    /// From now on the time is this, in ms since 1970.
    #[cfg(feature = "testclock")]
    pub(crate) fn set(&self, ms: u64) {
        self.set_ms.store(ms, Ordering::SeqCst);
    }
}
