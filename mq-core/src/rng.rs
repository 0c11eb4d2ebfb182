//! The one place where chance comes in.

use std::hash::{BuildHasher, RandomState};

/// A small seeded generator (SplitMix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
/// Generators", OOPSLA 2014). For jitter and weights; never for secrets.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// A generator that repeats itself for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator with a seed of the operating system's.
    pub fn random() -> Self {
        Self(RandomState::new().hash_one(0u64))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Makes what follows depend on some bits of the world as well.
    pub(crate) fn stir(&mut self, bits: u64) {
        self.0 ^= bits;
    }

    /// A number from `from` to `to`, both included; `from` if `to` is smaller.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        let Some(width) = to.checked_sub(from) else { return from };
        // Multiply-shift instead of `%`: no division, and a bias below 2^-64 · width.
        let scaled = u128::from(self.next_u64()) * (u128::from(width) + 1);
        from + (scaled >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_reaches_both_ends_and_nothing_else() {
        let mut rng = Rng::seeded(1);
        let mut seen = [0; 4];
        for _ in 0..1000 {
            seen[rng.between(3, 6) as usize - 3] += 1;
        }
        assert!(seen.iter().all(|count| *count > 150), "{seen:?}");
        assert_eq!(rng.between(5, 5), 5);
        assert_eq!(rng.between(5, 1), 5);
        rng.between(0, u64::MAX);
    }
}
