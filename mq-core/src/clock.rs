//! The one place where time is read.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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
}

impl ServerClock {
    /// A clock that has not heard from a server yet.
    pub fn new() -> Self {
        Self { started: now(), origin_ms: AtomicI64::new(wall_ms() as i64) }
    }

    /// Takes over what a reply said the time was. Replies arrive late, never early, so the newest
    /// one is the best estimate unless it lags behind what is already known by a network delay.
    pub fn learn(&self, server_ms: u64) {
        let origin = server_ms as i64 - self.started.elapsed().as_millis() as i64;
        self.origin_ms.store(origin, Ordering::Relaxed);
    }

    /// The server's time now, in ms since 1970.
    pub fn now_ms(&self) -> u64 {
        let elapsed = self.started.elapsed().as_millis() as i64;
        u64::try_from(self.origin_ms.load(Ordering::Relaxed) + elapsed).unwrap_or(0)
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
#[expect(clippy::disallowed_methods, reason = "the one home of this call")]
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    since.as_millis() as u64
}
