//! How long to wait before the next attempt: pure arithmetic.

use std::time::Duration;

use crate::rng::Rng;

/// The delay before each retry.
///
/// The default, `min(2 s · 2^(attempt−1), 24 h) ± 25 %`, spreads 25 attempts over about nine days.
///
/// ```
/// use std::time::Duration;
/// use mq_core::{Backoff, Jitter};
/// const GENTLE: Backoff =
///     Backoff::exponential(Duration::from_secs(10)).max(Duration::from_secs(3600));
/// assert_eq!(GENTLE.base_delay(1), Duration::from_secs(10));
/// assert_eq!(GENTLE.base_delay(4), Duration::from_secs(80));
/// assert_eq!(GENTLE.base_delay(40), Duration::from_secs(3600));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    growth: Growth,
    base: Duration,
    max: Duration,
    jitter: Jitter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Growth {
    Fixed,
    Linear,
    Exponential,
}

/// How much of a delay is left to chance, so that jobs which failed together do not come back
/// together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Jitter {
    /// Exactly the computed delay.
    None,
    /// The computed delay ± 25 %.
    Quarter,
    /// Anything from nothing to the computed delay ("full jitter" of Brooker, "Exponential Backoff
    /// And Jitter", AWS Architecture Blog, 2015).
    Full,
}

impl Backoff {
    /// What jobs use that say nothing.
    pub const DEFAULT: Self = Self::exponential(Duration::from_secs(2));

    /// `base`, `2·base`, `4·base`, … up to 24 h, ± 25 %.
    pub const fn exponential(base: Duration) -> Self {
        Self { growth: Growth::Exponential, base, ..Self::fixed(base) }
    }

    /// `base`, `2·base`, `3·base`, … up to 24 h, ± 25 %.
    pub const fn linear(base: Duration) -> Self {
        Self { growth: Growth::Linear, base, ..Self::fixed(base) }
    }

    /// Always `base`, ± 25 %.
    pub const fn fixed(base: Duration) -> Self {
        let max = Duration::from_secs(24 * 60 * 60);
        Self { growth: Growth::Fixed, base, max, jitter: Jitter::Quarter }
    }

    /// Never longer than `max`, before jitter.
    #[must_use]
    pub const fn max(self, max: Duration) -> Self {
        Self { max, ..self }
    }

    /// How much is left to chance.
    #[must_use]
    pub const fn jitter(self, jitter: Jitter) -> Self {
        Self { jitter, ..self }
    }

    /// The delay after failed attempt number `attempt` (from 1), before jitter.
    pub fn base_delay(&self, attempt: u32) -> Duration {
        let step = attempt.max(1);
        let factor = match self.growth {
            Growth::Fixed => 1,
            Growth::Linear => step,
            Growth::Exponential => 1u32.checked_shl(step - 1).unwrap_or(u32::MAX),
        };
        self.base.checked_mul(factor).unwrap_or(Duration::MAX).min(self.max)
    }

    /// The delay after failed attempt number `attempt` (from 1).
    pub fn delay(&self, attempt: u32, rng: &mut Rng) -> Duration {
        let base_ms = u64::try_from(self.base_delay(attempt).as_millis()).unwrap_or(u64::MAX);
        let (from, to) = match self.jitter {
            Jitter::None => (base_ms, base_ms),
            Jitter::Quarter => (base_ms - base_ms / 4, base_ms.saturating_add(base_ms / 4)),
            Jitter::Full => (0, base_ms),
        };
        Duration::from_millis(rng.between(from, to))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    #[test]
    fn the_default_gives_up_after_about_nine_days() {
        let total: Duration = (1..25).map(|attempt| Backoff::DEFAULT.base_delay(attempt)).sum();
        let days = total.as_secs_f64() / 86_400.0;
        assert!((8.0..10.5).contains(&days), "{days} days");
    }

    proptest! {
        #[test]
        fn a_delay_stays_inside_its_jitter(attempt: u32, seed: u64, base in 0u64..1 << 40) {
            let mut rng = Rng::seeded(seed);
            let fixed = Backoff::exponential(Duration::from_millis(base));
            for (jitter, low, high) in
                [(Jitter::None, 1.0, 1.0), (Jitter::Quarter, 0.75, 1.25), (Jitter::Full, 0.0, 1.0)]
            {
                let backoff = fixed.jitter(jitter);
                let delay = backoff.delay(attempt, &mut rng).as_millis() as f64;
                let centre = backoff.base_delay(attempt).as_millis() as f64;
                prop_assert!(delay >= centre * low - 1.0 && delay <= centre * high + 1.0);
            }
        }

        #[test]
        fn delays_never_shrink_before_jitter(attempt in 1u32..u32::MAX) {
            for backoff in [Backoff::DEFAULT, Backoff::linear(Duration::from_secs(3))] {
                prop_assert!(backoff.base_delay(attempt) <= backoff.base_delay(attempt + 1));
            }
        }
    }
}
