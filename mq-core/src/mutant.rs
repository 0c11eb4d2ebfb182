//! Planted mistakes, by which those who judge a run are judged (RELIABILITY section 4.5).
//!
//! Without the feature `mutants` there are none. With it, the environment variable `MQ_MUTANT=4`
//! makes a process have the fourth one. Most are such that a job queue was shipped with, and
//! `mq-chaos/tests/matrix/mutants.rs` says which check must find it.

#[cfg(all(feature = "mutants", not(debug_assertions)))]
compile_error!("the feature `mutants` is for tests and cannot be built into a release");

/// Whether this process has the mistake of this number. Never outside tests.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn is(_number: u8) -> bool {
    false
}

/// Whether this process has the mistake of this number. Never outside tests.
#[cfg(feature = "mutants")]
pub fn is(number: u8) -> bool {
    which() == Some(number)
}

/// The mistake that this process has.
#[cfg(feature = "mutants")]
pub fn which() -> Option<u8> {
    static WHICH: std::sync::OnceLock<Option<u8>> = std::sync::OnceLock::new();
    *WHICH.get_or_init(|| std::env::var("MQ_MUTANT").ok()?.parse().ok())
}
