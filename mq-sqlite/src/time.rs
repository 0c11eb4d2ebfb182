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
        let ms = latest(&self.latest_ms, last.ms.max(self.wall_ms()));
        Now { ms, lease_ms: lease_ms(&self.origin_ms, elapsed_ms, last.lease_ms) }
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

/// What the clock of leases shows, given how long this process has run and what the clock has shown
/// last.
///
/// Another process may be ahead of this one, because the wall clock was set in between. What it has
/// shown, less what this one has run, is its origin to within a millisecond, both being cut to
/// whole ones: taken as it is, each would put the other ahead, and the clock would run up to twice
/// as fast while they take turns.
fn lease_ms(origin_ms: &AtomicI64, elapsed_ms: i64, last_ms: i64) -> i64 {
    let seen_ms = last_ms - elapsed_ms - 1;
    let known_ms = origin_ms.load(Ordering::SeqCst);
    let origin_ms = if seen_ms > known_ms { latest(origin_ms, seen_ms) } else { known_ms };
    last_ms.max(origin_ms + elapsed_ms)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Processes that began at these times, in µs, take turns for ten seconds, each after so many
    /// µs. What the clock shows at the end; it must not go back.
    fn after_ten_seconds(origins_ms: &[i64], began_us: &[i64], turn_us: i64) -> i64 {
        let origins: Vec<_> = origins_ms.iter().map(|ms| AtomicI64::new(*ms)).collect();
        let mut last_ms = 0;
        for (turn, now_us) in (0..=10_000_000).step_by(turn_us as usize).enumerate() {
            let process = turn % origins.len();
            let elapsed_ms = (now_us - began_us[process]) / 1_000;
            let now_ms = lease_ms(&origins[process], elapsed_ms, last_ms);
            assert!(now_ms >= last_ms, "{now_ms} after {last_ms}");
            last_ms = now_ms;
        }
        last_ms
    }

    #[test]
    fn processes_that_take_turns_do_not_drive_the_clock_of_leases_on() {
        for turn_us in [50, 100, 300, 700, 1_000, 1_300] {
            for began_us in [[-500, -1_200, -3_900], [-1, -999, -500], [0, 0, 0]] {
                let origins_ms = began_us.map(|us: i64| us.div_euclid(1_000));
                let shown_ms = after_ten_seconds(&origins_ms, &began_us, turn_us);
                assert!((9_997..=10_001).contains(&shown_ms), "{shown_ms} at {turn_us} µs");
            }
        }
    }

    #[test]
    fn who_is_behind_follows_who_is_ahead() {
        // The second one began after the wall clock was set an hour forward.
        let shown_ms = after_ten_seconds(&[0, 3_600_000], &[0, 0], 500);
        assert!((3_609_998..=3_610_001).contains(&shown_ms), "{shown_ms}");
        let behind = AtomicI64::new(0);
        lease_ms(&behind, 5, 3_600_000);
        assert!(lease_ms(&behind, 10, 0) >= 3_600_004, "also when nobody else is left");
    }
}
