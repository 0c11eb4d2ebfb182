//! The two clocks of the store. Both are kept in the file, so that all processes agree, and
//! neither ever goes back.
//!
//! *Its time* is this machine's wall clock, or the latest time that was ever seen if that is later:
//! jobs are due by it. A wall clock that is set back delays jobs and starts none early.
//!
//! *The time of leases* goes by the processes' monotonic clocks and begins at the wall clock. A
//! wall clock that is set forward must not make everybody look dead, and one that is set back must
//! not keep the dead alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use mq_core::clock;

/// What both clocks show, in ms since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    pub(crate) ms: i64,
    pub(crate) lease_ms: i64,
}

/// The clocks as one process drives them. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Time {
    started: Instant,
    /// What the clock of leases showed at `started`, as far as is known by now.
    origin_ms: Arc<AtomicI64>,
    /// The latest time that was ever told.
    latest_ms: Arc<AtomicI64>,
    #[cfg(feature = "testclock")]
    test: Arc<Test>,
}

/// What a test has done to the clocks.
#[cfg(feature = "testclock")]
#[derive(Debug, Default)]
struct Test {
    /// Both clocks stand still at this time; 0 while they do not.
    set_ms: AtomicI64,
    /// How far the wall clock was set.
    shift_ms: AtomicI64,
}

impl Time {
    pub(crate) fn new() -> Self {
        Self {
            started: clock::now(),
            origin_ms: Arc::new(AtomicI64::new(clock::wall_ms() as i64)),
            latest_ms: Arc::default(),
            #[cfg(feature = "testclock")]
            test: Arc::default(),
        }
    }

    /// The time for a transaction, given the latest one that the store has seen.
    pub(crate) fn now(&self, last: Now) -> Now {
        if let Some(ms) = self.set_ms() {
            return Now { ms, lease_ms: ms };
        }
        let elapsed_ms = self.started.elapsed().as_millis() as i64;
        // Another process may be ahead of this one, because the wall clock was set in between.
        let origin_ms = latest(&self.origin_ms, last.lease_ms - elapsed_ms);
        let ms = latest(&self.latest_ms, last.ms.max(self.wall_ms()));
        Now { ms, lease_ms: origin_ms + elapsed_ms }
    }

    #[cfg(not(feature = "testclock"))]
    fn set_ms(&self) -> Option<i64> {
        None
    }

    #[cfg(not(feature = "testclock"))]
    fn wall_ms(&self) -> i64 {
        clock::wall_ms() as i64
    }
}

/// The later of what is known and what is seen.
fn latest(known: &AtomicI64, seen: i64) -> i64 {
    known.fetch_max(seen, Ordering::SeqCst).max(seen)
}

#[cfg(feature = "testclock")]
impl Time {
    fn set_ms(&self) -> Option<i64> {
        let ms = self.test.set_ms.load(Ordering::SeqCst);
        (ms != 0).then_some(ms)
    }

    fn wall_ms(&self) -> i64 {
        clock::wall_ms() as i64 + self.test.shift_ms.load(Ordering::SeqCst)
    }

    /// From now on both clocks show this time, in ms since 1970.
    pub(crate) fn set(&self, ms: u64) {
        self.test.set_ms.store(ms as i64, Ordering::SeqCst);
    }

    /// Sets the wall clock forward or back.
    pub(crate) fn shift_wall(&self, by_ms: i64) {
        self.test.shift_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}
