//! What to do when the store does not answer: wait a little longer each time, and say so rarely.

use std::time::{Duration, Instant};

use mq_core::clock::now;
use mq_core::engine::EngineError;
use mq_core::rng::Rng;
use mq_core::telemetry::TARGET_WORKER;
use mq_core::{Backoff, Jitter, chain_text};

/// Shorter at its longest than the 5 s in which the promise P7 has every worker back, with enough
/// of them left to connect. Full jitter, so that workers that were refused together do not come
/// back together.
const DELAYS: Backoff = Backoff::exponential(Duration::from_millis(50))
    .max(Duration::from_secs(4))
    .jitter(Jitter::Full);
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Consecutive failures of one sort of request.
#[derive(Debug)]
pub(crate) struct Retrying {
    what: &'static str,
    failures: u32,
    since: Option<Instant>,
    logged: Option<Instant>,
    rng: Rng,
}

impl Retrying {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, failures: 0, since: None, logged: None, rng: Rng::random() }
    }

    /// Notes a failure and says how long to wait before the next try.
    pub(crate) fn failed(&mut self, error: &EngineError) -> Duration {
        let now = now();
        self.failures = self.failures.saturating_add(1);
        let since = *self.since.get_or_insert(now);
        if self.logged.is_none_or(|logged| now - logged >= LOG_INTERVAL) {
            self.logged = Some(now);
            tracing::warn!(
                target: TARGET_WORKER,
                request = self.what,
                failures = self.failures,
                for_ms = (now - since).as_millis() as u64,
                error = %chain_text(error),
                "the store did not take a request, it will be repeated"
            );
        }
        DELAYS.delay(self.failures, &mut self.rng)
    }

    /// Notes a success.
    pub(crate) fn succeeded(&mut self) {
        if self.failures == 0 {
            return;
        }
        let for_ms = self.since.map_or(0, |since| (now() - since).as_millis() as u64);
        tracing::info!(
            target: TARGET_WORKER,
            request = self.what,
            failures = self.failures,
            for_ms,
            "the store takes requests again"
        );
        self.failures = 0;
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mq_core::engine::EngineErrorKind;

    #[test]
    fn a_worker_that_was_refused_a_hundred_times_asks_again_within_the_time_of_the_promise() {
        let error = EngineError::new(EngineErrorKind::Denied, "no");
        let mut retrying = Retrying::new("test");
        let delays: Vec<_> = (0..100).map(|_| retrying.failed(&error)).collect();
        assert!(delays[0] <= Duration::from_millis(50), "{delays:?}");
        assert!(delays.iter().all(|delay| *delay <= Duration::from_secs(4)), "{delays:?}");
        assert!(delays.iter().any(|delay| *delay >= Duration::from_secs(2)), "{delays:?}");
    }
}
