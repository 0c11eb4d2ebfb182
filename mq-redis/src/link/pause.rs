//! How long to wait before the next try to connect.

use std::time::Duration;

use mq_core::rng::Rng;

/// Longest time from one try to the next. Whoever lost the server together comes back over almost
/// this time, so that fifty workers are spread over more than 3 s; and what is left of the 5 s in
/// which the promise P7 has every worker back is enough to connect and to claim.
const MAX: Duration = Duration::from_secs(4);
const MIN: Duration = Duration::from_millis(50);

/// The pause after a try that took so long and was not the first to fail.
///
/// The time of the try is taken off: a server that answers again just after a try to reach it began
/// would otherwise be found only after the timeout of that try and the longest pause.
pub(super) fn before_next_try(failures: u32, took: Duration, rng: &mut Rng) -> Duration {
    let longest = MAX.saturating_sub(took).max(MIN);
    let grown = MIN.saturating_mul(1u32.checked_shl(failures).unwrap_or(u32::MAX));
    jittered(grown.min(longest), rng)
}

/// Full jitter: anything up to `pause`.
pub(super) fn jittered(pause: Duration, rng: &mut Rng) -> Duration {
    let micros = pause.as_micros() as u64;
    Duration::from_micros(rng.between(micros / 8, micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTAGE: Duration = Duration::from_secs(60);

    /// How long after the end of an outage somebody connects whose tries take this long in it.
    fn back_after(took: Duration, rng: &mut Rng) -> Duration {
        let (mut now, mut failures) = (Duration::ZERO, 0);
        while now < OUTAGE {
            now += took + before_next_try(failures, took, rng);
            failures += 1;
        }
        now - OUTAGE
    }

    #[test]
    fn fifty_workers_come_back_over_more_than_three_seconds_and_within_the_promise() {
        for seed in 0..200 {
            let mut rng = Rng::seeded(seed);
            // Each has a connection for requests, one for its keeper and one to wait on.
            let mut back: Vec<_> = (0..150).map(|_| back_after(Duration::ZERO, &mut rng)).collect();
            back.sort_unstable();
            assert!(back[149] - back[0] >= Duration::from_secs(3), "seed {seed}: {back:?}");
            assert!(back[149] <= MAX, "seed {seed}: {back:?}");
        }
    }

    #[test]
    fn a_try_that_was_under_way_when_the_server_came_back_does_not_delay_the_next_one_by_more() {
        let timeout = Duration::from_secs(3);
        for seed in 0..200 {
            let back = back_after(timeout, &mut Rng::seeded(seed));
            assert!(back <= MAX, "seed {seed}: {back:?}");
        }
    }

    #[test]
    fn pauses_grow_and_have_an_end_and_a_beginning() {
        let mut rng = Rng::seeded(1);
        let mut longest = |failures, took| {
            let pauses = (0..1000).map(|_| before_next_try(failures, took, &mut rng));
            pauses.max().unwrap_or_default()
        };
        assert!(longest(0, Duration::ZERO) <= MIN);
        assert!(longest(3, Duration::ZERO) <= MIN * 8);
        for failures in [7, 31, 32, u32::MAX] {
            let pause = longest(failures, Duration::ZERO);
            assert!((MAX * 9 / 10..=MAX).contains(&pause), "{failures}: {pause:?}");
        }
        let after_a_long_try = longest(9, MAX * 2);
        assert!((MIN / 2..=MIN).contains(&after_a_long_try), "{after_a_long_try:?}");
    }
}
