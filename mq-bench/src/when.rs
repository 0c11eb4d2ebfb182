//! Times: the wall clock that all processes of a machine share, in µs, and a wait.

use std::time::Duration;

use mq_core::clock;
use rustix::time::{ClockId, clock_gettime};

/// Since 1970.
pub(crate) fn wall_us() -> u64 {
    let time = clock_gettime(ClockId::Realtime);
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1_000
}

/// Waits as long as something else is to go on by itself.
pub(crate) fn pause(time: Duration) {
    let end = clock::now() + time;
    loop {
        let left = end.saturating_duration_since(clock::now());
        if left.is_zero() {
            return;
        }
        // Something may wake it before its time.
        std::thread::park_timeout(left);
    }
}
