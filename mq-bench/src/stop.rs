//! The wish to stop, by Ctrl-C or SIGTERM: ends the measurement that is under way, so that its
//! store and its processes are gone and what was measured before is still shown.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::fail::Fail;
use crate::out;
use crate::runtime::{self, Threads};

static IS_ORDERED: AtomicBool = AtomicBool::new(false);

/// Listens from now on. A second signal ends this process at once.
pub(crate) fn listen() {
    std::thread::spawn(|| {
        runtime::run(Threads::One, async {
            mq::shutdown_signal().await;
            IS_ORDERED.store(true, Ordering::Relaxed);
            out::note("\nstopping; once more to end at once");
            mq::shutdown_signal().await;
            process::exit(130);
        })
    });
}

/// An error once somebody wants this to stop.
pub(crate) fn check() -> Result<(), Fail> {
    match IS_ORDERED.load(Ordering::Relaxed) {
        true => Err(Fail::new("stopped by a signal")),
        false => Ok(()),
    }
}
