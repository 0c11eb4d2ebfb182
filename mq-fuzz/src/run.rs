//! One input, and what became of it.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;

use crate::target::Target;

/// A broken promise: where, and in which words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// File, line and column of the panic.
    pub place: String,
    /// What it said.
    pub text: String,
}

thread_local! {
    /// The first panic of the input that this thread runs; none while it runs no input.
    static OURS: RefCell<Option<Vec<Broken>>> = const { RefCell::new(None) };
}

/// Panics of the threads of engines. One that dies there shows as an error only.
static ENGINES: Mutex<Vec<Broken>> = Mutex::new(Vec::new());

/// From now on panics of inputs are kept instead of printed; others are printed as ever.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| {
            let place = info.location().map_or_else(String::new, ToString::to_string);
            let payload = info.payload();
            let text = payload.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            let text = text.unwrap_or_else(|| "no text".to_owned());
            let broken = Broken { place, text };
            let is_ours = OURS.with_borrow_mut(|ours| {
                ours.as_mut().map(|panics| panics.push(broken.clone())).is_some()
            });
            if is_ours {
                return;
            }
            if thread::current().name().is_some_and(|name| name.starts_with("mq-")) {
                ENGINES.lock().unwrap_or_else(PoisonError::into_inner).push(broken);
            } else {
                usual(info);
            }
        }));
    });
}

/// Gives one input to a target.
///
/// # Errors
/// When a promise is broken.
pub fn one(target: &Target, input: &[u8]) -> Result<(), Broken> {
    keep_panics();
    OURS.set(Some(Vec::new()));
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.check)(input)));
    let ours = OURS.take().and_then(|panics| panics.into_iter().next());
    let engines = std::mem::take(&mut *ENGINES.lock().unwrap_or_else(PoisonError::into_inner));
    match (engines.into_iter().next(), outcome) {
        (Some(broken), _) => Err(broken),
        // A panic that was caught is no broken promise.
        (None, Ok(())) => Ok(()),
        (None, Err(_)) => {
            let silent = || Broken { place: String::new(), text: "it panicked".to_owned() };
            Err(ours.unwrap_or_else(silent))
        }
    }
}

/// The shortest input that breaks the same promise at the same place, as far as it is found by
/// leaving pieces out.
pub fn shrink(target: &Target, input: &[u8], broken: &Broken) -> Vec<u8> {
    const TRIES_MAX: usize = 3_000;
    let mut best = input.to_vec();
    let (mut len, mut tries) = (best.len().div_ceil(2), 0);
    while len > 0 {
        let mut at = 0;
        while at < best.len() {
            tries += 1;
            if tries > TRIES_MAX {
                return best;
            }
            let mut shorter = best.clone();
            shorter.drain(at..(at + len).min(best.len()));
            match one(target, &shorter) {
                Err(found) if found.place == broken.place => best = shorter,
                _ => at += len,
            }
        }
        len /= 2;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICKY: Target = Target {
        name: "picky",
        check: |bytes| assert!(!bytes.contains(&b'x'), "it has an x"),
        seeds: Vec::new,
        words: &[],
        slow: false,
        deep_min: 0,
    };

    #[test]
    fn a_broken_promise_is_told_and_made_small() {
        assert_eq!(one(&PICKY, b"abc"), Ok(()));
        let broken = one(&PICKY, b"abcxdef").unwrap_err();
        assert_eq!(broken.text, "it has an x");
        assert!(broken.place.contains("run.rs"), "{broken:?}");
        assert_eq!(shrink(&PICKY, b"abcxdefxx", &broken), b"x");
    }
}
