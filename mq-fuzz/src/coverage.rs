//! Which edges of mq's code were reached.
//!
//! `./ci fuzz` has the crates of mq compiled with LLVM's own pass for this (`sancov-module`), which
//! a stable compiler runs on request: no nightly, no C++ runtime. The pass puts a counter of one
//! byte on every edge and calls the function below once with where they are. Without the pass there
//! are no counters, and a run is not guided.

#![expect(unsafe_code, reason = "the interface is C's: two pointers, and a name for the linker")]

use std::slice;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

static COUNTERS: Mutex<Vec<&'static [AtomicU8]>> = Mutex::new(Vec::new());

/// Called by the program's start-up code for every object that has counters, each time with the
/// same ones of the whole program.
///
/// # Safety
/// `start` and `end` are the bounds of one array of bytes that lives as long as the program.
// SAFETY: the name is reserved for this purpose, and nothing else here has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __sanitizer_cov_8bit_counters_init(
    start: *const AtomicU8,
    end: *const AtomicU8,
) {
    // SAFETY: as promised above; the code that counts writes single bytes.
    let counters = unsafe {
        let len = usize::try_from(end.offset_from(start)).unwrap_or(0);
        slice::from_raw_parts(start, len)
    };
    let mut known = COUNTERS.lock().unwrap_or_else(PoisonError::into_inner);
    if known.iter().all(|other| other.as_ptr() != counters.as_ptr()) {
        known.push(counters);
    }
}

/// How many edges there are; none if the compiler was not asked.
pub fn edges() -> usize {
    let known = COUNTERS.lock().unwrap_or_else(PoisonError::into_inner);
    known.iter().map(|counters| counters.len()).sum()
}

/// What all inputs of a run have reached: per edge, the classes of counts that were seen.
#[derive(Debug, Default)]
pub struct Reached {
    seen: Vec<u8>,
    edges: usize,
}

impl Reached {
    /// Takes the counters of the input that has just been run, and begins anew. Whether it reached
    /// an edge that none before had, or reached one far more often.
    pub fn take(&mut self) -> bool {
        let known = COUNTERS.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = known.iter().map(|counters| counters.len()).sum();
        self.seen.resize(total, 0);
        let (mut news, mut rest) = (false, &mut self.seen[..]);
        for counters in known.iter() {
            let (seen, after) = rest.split_at_mut(counters.len());
            rest = after;
            // SAFETY: eight atomic bytes are one atomic word, and nothing writes meanwhile: the
            // input has come to its end. Looking at single bytes took longer than most inputs.
            let (head, words, tail) = unsafe { counters.align_to::<AtomicU64>() };
            let (start, end) = (head.len(), counters.len() - tail.len());
            let filled =
                words.iter().enumerate().filter(|(_, word)| word.load(Ordering::Relaxed) != 0);
            let inside = filled.flat_map(|(at, _)| start + at * 8..start + at * 8 + 8);
            for at in (0..start).chain(inside).chain(end..counters.len()) {
                let count = counters[at].swap(0, Ordering::Relaxed);
                if count > 0 && seen[at] & class(count) == 0 {
                    self.edges += usize::from(seen[at] == 0);
                    seen[at] |= class(count);
                    news = true;
                }
            }
        }
        news
    }

    /// How many edges were reached.
    pub fn edges(&self) -> usize {
        self.edges
    }
}

/// 1, 2, 3, 4 to 7, 8 to 15, 16 to 31, 32 to 127, more: as a bit each, as AFL has them.
fn class(count: u8) -> u8 {
    1 << match count {
        0..=1 => 0,
        2 => 1,
        3 => 2,
        4..=7 => 3,
        8..=15 => 4,
        16..=31 => 5,
        32..=127 => 6,
        128.. => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_is_news_once_per_class_of_counts() {
        static COUNTED: [AtomicU8; 3] = [const { AtomicU8::new(0) }; 3];
        let bounds = COUNTED.as_ptr_range();
        for _ in 0..2 {
            // SAFETY: these are the bounds of a static array.
            unsafe { __sanitizer_cov_8bit_counters_init(bounds.start, bounds.end) };
        }
        let mut reached = Reached::default();
        reached.take();
        let before = reached.edges();
        let mut run = |count| {
            COUNTED[1].store(count, Ordering::Relaxed);
            reached.take()
        };
        assert!(run(1));
        assert!(!run(1));
        assert!(run(9));
        assert_eq!(COUNTED[1].load(Ordering::Relaxed), 0);
        assert_eq!(reached.edges(), before + 1);
    }
}
