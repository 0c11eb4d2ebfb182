//! Times: the wall clock that all processes of a machine share, in µs, and a wait.

use std::time::Duration;

use mq_core::clock;
use rustix::time::{ClockId, clock_gettime};

use crate::fail::Fail;
use crate::stop;

/// How often it is looked whether all shall stop.
const LOOK: Duration = Duration::from_millis(100);

/// Since 1970.
pub(crate) fn wall_us() -> u64 {
    let time = clock_gettime(ClockId::Realtime);
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1_000
}

/// Waits while something else goes on by itself, unless the whole measurement is to stop.
pub(crate) fn pause(time: Duration) -> Result<(), Fail> {
    let end = clock::now() + time;
    loop {
        stop::check()?;
        let left = end.saturating_duration_since(clock::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::park_timeout(left.min(LOOK));
    }
}
