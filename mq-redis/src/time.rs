//! The time that scripts work with: the server's, unless a test says otherwise.

use std::sync::Arc;
#[cfg(feature = "testclock")]
use std::sync::atomic::{AtomicU64, Ordering};

use mq_core::clock::ServerClock;

/// What is known about the server's time, and what every script is told about it. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Time {
    server: Arc<ServerClock>,
    /// The test's clock in ms since 1970; 0 while there is none.
    #[cfg(feature = "testclock")]
    set_ms: Arc<AtomicU64>,
}

/// The time for one request.
#[derive(Debug, Clone)]
pub(crate) struct Now {
    /// The argument `now` of a script: empty, so that the script asks the server, or a test's time.
    pub(crate) arg: Vec<u8>,
    /// The time as far as it is known here, in ms since 1970; for figures, never for due times.
    pub(crate) guess_ms: u64,
}

impl Time {
    /// The time for a request that is made now.
    pub(crate) fn now(&self) -> Now {
        match self.set_ms() {
            Some(ms) => Now { arg: ms.to_string().into_bytes(), guess_ms: ms },
            None => Now { arg: Vec::new(), guess_ms: self.server.now_ms() },
        }
    }

    /// Takes over what a reply said the server's time was, in ms since 1970.
    pub(crate) fn learn(&self, server_ms: u64) {
        if self.set_ms().is_none() {
            self.server.learn(server_ms);
        }
    }

    /// The test's time in ms since 1970, if a test has set one.
    #[cfg(feature = "testclock")]
    pub(crate) fn set_ms(&self) -> Option<u64> {
        let ms = self.set_ms.load(Ordering::SeqCst);
        (ms != 0).then_some(ms)
    }

    /// None: only tests have a clock of their own.
    #[cfg(not(feature = "testclock"))]
    pub(crate) fn set_ms(&self) -> Option<u64> {
        None
    }

    /// From now on the time is this, in ms since 1970.
    #[cfg(feature = "testclock")]
    pub(crate) fn set(&self, ms: u64) {
        self.set_ms.store(ms, Ordering::SeqCst);
    }
}
