//! The one place where time is read.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::lifecycle::LATEST_MS;

/// An estimate of the store's clock: this process's monotonic clock plus what the store's replies
/// have said.
///
/// Workers never use their own wall clock for due times or leases, so theirs need not agree
/// (RELIABILITY P10). Until a reply has been seen, the local wall clock stands in.
#[derive(Debug)]
pub struct ServerClock {
    started: Instant,
    /// Server time in ms at `started`.
    origin_ms: AtomicI64,
    /// Whether `origin_ms` comes from a server and not from the local clock.
    heard: AtomicBool,
    /// Whether it stands still between replies.
    held: AtomicBool,
}

/// A difference beyond this is no delay of a reply, but a clock that was set.
const STEP_MS: i64 = 10_000;

impl ServerClock {
    /// A clock that has not heard from a server yet.
    pub fn new() -> Self {
        Self {
            started: now(),
            origin_ms: AtomicI64::new(wall_ms() as i64),
            heard: AtomicBool::new(false),
            held: AtomicBool::new(false),
        }
    }

    /// Makes it stand still between replies: for a store whose time moves by hand, where a job that
    /// is to be retried in 2 s must be due in 2 s, and not in the ms more that the handler took.
    pub fn hold(&self) {
        self.held.store(true, Ordering::Relaxed);
    }

    fn elapsed_ms(&self) -> i64 {
        if self.held.load(Ordering::Relaxed) {
            0
        } else {
            self.started.elapsed().as_millis() as i64
        }
    }

    /// Takes over what a reply said the time was.
    ///
    /// Replies arrive late, never early: one that says an earlier time than expected was held up,
    /// perhaps by a handler that blocked this process. So an earlier time is believed only by an
    /// eighth of the difference, a later one at once, and one that is far off (the server's clock
    /// was set) at once as well.
    pub fn learn(&self, server_ms: u64) {
        // A server can say anything.
        let said = server_ms.min(LATEST_MS) as i64 - self.elapsed_ms();
        let known = self.origin_ms.load(Ordering::Relaxed);
        let late_by = known - said;
        let origin = if self.heard.swap(true, Ordering::Relaxed) && (0..STEP_MS).contains(&late_by)
        {
            known - (late_by + 7) / 8
        } else {
            said
        };
        self.origin_ms.store(origin, Ordering::Relaxed);
    }

    /// The server's time now, in ms since 1970.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.origin_ms.load(Ordering::Relaxed) + self.elapsed_ms()).unwrap_or(0)
    }
}

impl Default for ServerClock {
    fn default() -> Self {
        Self::new()
    }
}

/// This process's monotonic time.
#[expect(clippy::disallowed_methods, reason = "the one home of this call")]
pub fn now() -> Instant {
    Instant::now()
}

/// This process's wall clock, in ms since 1970. For people's eyes and as a first guess; never for
/// a decision about a job.
pub fn wall_ms() -> u64 {
    (wall_ns() / 1_000_000) as u64
}

/// This process's wall clock, in ns since 1970.
#[expect(clippy::disallowed_methods, reason = "the one home of this call")]
pub(crate) fn wall_ns() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn off(clock: &ServerClock, server_ms: u64) -> i64 {
        clock.now_ms() as i64 - server_ms as i64
    }

    #[test]
    fn late_replies_are_believed_slowly_and_everything_else_at_once() {
        let clock = ServerClock::new();
        clock.learn(1_000_000);
        assert!(off(&clock, 1_000_000) < 100, "a server's word counts more than our own clock");
        clock.learn(1_004_000);
        assert!((0..100).contains(&off(&clock, 1_004_000)));
        clock.learn(1_000_000);
        assert!((3_000..4_000).contains(&off(&clock, 1_000_000)));
        clock.learn(900_000);
        assert!((0..100).contains(&off(&clock, 900_000)));
    }

    #[test]
    fn a_server_may_say_any_time() {
        let clock = ServerClock::new();
        for server_ms in [u64::MAX, 1 << 63, i64::MAX as u64, 0, u64::MAX] {
            clock.learn(server_ms);
            assert!(off(&clock, server_ms.min(LATEST_MS)) < 100, "{server_ms}");
        }
    }

    #[test]
    fn a_clock_that_is_held_says_what_the_store_said() {
        let clock = ServerClock { started: now() - Duration::from_secs(9), ..ServerClock::new() };
        clock.hold();
        for server_ms in [1_000_000, 1_000_001, 1_060_000] {
            clock.learn(server_ms);
            assert_eq!(clock.now_ms(), server_ms);
        }
    }
}
