//! New ids: UUIDv7 (RFC 9562, section 5.7) without asking the operating system for each.
//!
//! `Uuid::now_v7` makes a system call per id for its random bits, which was a third of the time
//! that enqueueing in bulk took. Here the operating system gives the seed, once per process, and
//! each id stirs the nanoseconds of its own time in, so that two processes which share a seed
//! because one was forked from the other part ways as well.

use std::sync::{Mutex, PoisonError};

use crate::clock;
use crate::rng::Rng;

/// The random part of an id: 12 bits before the variant and 62 behind it.
const RANDOM_BITS: u32 = 74;
const LOW_BITS: u32 = 62;
const VERSION: u128 = 7 << 76;
const VARIANT: u128 = 0b10 << LOW_BITS;

static MINT: Mutex<Option<Mint>> = Mutex::new(None);

/// A new id, greater than all that this process has minted.
pub(crate) fn mint() -> u128 {
    let mut mint = MINT.lock().unwrap_or_else(PoisonError::into_inner);
    mint.get_or_insert_with(Mint::random).next(clock::wall_ns())
}

struct Mint {
    /// Two, because one has no more than 64 bits of state, and an id 74 random ones.
    rngs: [Rng; 2],
    ms: u64,
    random: u128,
}

impl Mint {
    fn random() -> Self {
        let seed = uuid::Uuid::new_v4().as_u128();
        Self::seeded((seed >> 64) as u64, seed as u64)
    }

    fn seeded(one: u64, other: u64) -> Self {
        Self { rngs: [Rng::seeded(one), Rng::seeded(other)], ms: 0, random: 0 }
    }

    /// The id for a time in ns since 1970.
    ///
    /// Within a millisecond, and while the clock stands still or was set back, the random part goes
    /// up by a random step, as RFC 9562 has it in section 6.2, method 2: ids of one process ascend,
    /// and no other process is likely to hit one of them.
    fn next(&mut self, now_ns: u128) -> u128 {
        self.rngs.iter_mut().for_each(|rng| rng.stir(now_ns as u64));
        let now_ms = (now_ns / 1_000_000) as u64;
        let [high, low] = self.rngs.each_mut().map(Rng::next_u64);
        if now_ms > self.ms {
            self.ms = now_ms;
            // The top bit is left for the steps to grow into.
            self.random = (u128::from(high) << 64 | u128::from(low)) >> (129 - RANDOM_BITS);
        } else {
            self.random += u128::from(low >> 32) + 1;
            if self.random >> RANDOM_BITS != 0 {
                self.ms += 1;
                self.random &= u128::from(low);
            }
        }
        let (above, below) = (self.random >> LOW_BITS, self.random & ((1 << LOW_BITS) - 1));
        u128::from(self.ms) << 80 | VERSION | above << 64 | VARIANT | below
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const NS_PER_MS: u128 = 1_000_000;
    const START_NS: u128 = 1_790_000_000_000 * NS_PER_MS;

    #[test]
    fn ids_are_of_version_7_and_carry_their_time() {
        let mut mint = Mint::seeded(1, 2);
        for ms in 0..1000 {
            let id = uuid::Uuid::from_u128(mint.next(START_NS + ms * NS_PER_MS));
            assert_eq!(id.get_version_num(), 7);
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
            assert_eq!(id.as_u128() >> 80, START_NS / NS_PER_MS + ms);
        }
    }

    #[test]
    fn ids_ascend_whatever_the_clock_does() {
        let mut mint = Mint::seeded(3, 4);
        let mut last = 0;
        for step in 0..100_000u128 {
            // Many within a millisecond, and now and then a second back.
            let now_ns = START_NS + step * 100 - (step % 1000 / 999) * 1000 * NS_PER_MS;
            let id = mint.next(now_ns);
            assert!(id > last, "{step}: {id:x} after {last:x}");
            last = id;
        }
    }

    #[test]
    fn a_random_part_that_is_full_carries_into_the_time() {
        let mut mint = Mint::seeded(5, 6);
        let before = mint.next(START_NS);
        mint.random = (1 << RANDOM_BITS) - 1;
        let after = mint.next(START_NS);
        assert_eq!(after >> 80, (before >> 80) + 1);
        assert_eq!(uuid::Uuid::from_u128(after).get_version_num(), 7);
        assert!(mint.next(START_NS) > after);
    }

    #[test]
    fn processes_with_one_seed_part_ways_by_their_clocks() {
        let [mut one, mut other] = [Mint::seeded(7, 8), Mint::seeded(7, 8)];
        let mut seen = HashSet::new();
        for step in 0..10_000 {
            // In the same milliseconds, some ns apart.
            let now_ns = START_NS + step * 5_000;
            assert!(seen.insert(one.next(now_ns)));
            assert!(seen.insert(other.next(now_ns + 1)));
        }
    }
}
