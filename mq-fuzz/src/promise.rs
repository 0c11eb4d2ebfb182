//! What targets have to say about more than one sort of input.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Longest message for people, in characters. Some quote a text of up to 200.
const MESSAGE_MAX: usize = 1_000;

thread_local! {
    static DEEP: Cell<u64> = const { Cell::new(0) };
}

/// Says that the input got past the first door: it was decoded, accepted, or answered with more
/// than an error. The share of such inputs tells whether a run was worth its time.
pub fn deep() {
    DEEP.set(DEEP.get() + 1);
}

/// How many times [`deep`] was said in this thread.
pub fn deep_count() -> u64 {
    DEEP.get()
}

/// A message is short and has nothing in it that could steer a terminal or break a line of a log.
pub fn message(text: &str) {
    assert!(!text.is_empty(), "a message that says nothing");
    assert!(text.chars().count() <= MESSAGE_MAX, "a message of {} bytes", text.len());
    harmless(text);
}

/// A text has no control characters and no marks that change its direction.
pub fn harmless(text: &str) {
    if let Some(odd) = text.chars().find(|character| steers(*character)) {
        panic!("{odd:?} gets out in {text:?}");
    }
}

/// Whether a character could change how others are shown.
pub fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Runs something that must not need more memory at a time than this, in bytes.
pub fn within<T>(bytes_max: usize, run: impl FnOnce() -> T) -> T {
    let mut outcome = None;
    // The counter loses its place when a panic goes through it.
    let used = allocation_counter::measure(|| outcome = Some(catch_unwind(AssertUnwindSafe(run))));
    let value = outcome.expect("it ran").unwrap_or_else(|panic| resume_unwind(panic));
    let most = used.bytes_max;
    assert!(most <= bytes_max as u64, "{most} bytes of memory, at most {bytes_max} are allowed");
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_can_be_broken() {
        for bad in ["", "a\nb", "\u{1b}[31m", "\u{202e}", &"x".repeat(1_001)] {
            assert!(catch_unwind(|| message(bad)).is_err(), "{bad:?}");
        }
        message("`é語` is fine");
        assert!(catch_unwind(|| within(99, || vec![0u8; 100])).is_err());
        assert_eq!(within(100, || vec![0u8; 100].len()), 100);
    }
}
