//! The past of a job, and what is decided by it.
//!
//! * Any bytes give a past, an empty one if need be, also nested a million deep.
//! * It is the same when it is written and read again.
//! * Whatever the past, every ending leads to a decision whose times can be stored, and whose past
//!   has no more errors than before or than are kept, each of them short.

use std::time::Duration;

use mq_core::lifecycle::{self, Ended, LATEST_MS, Policy, Transition};
use mq_core::rng::Rng;
use mq_core::{Backoff, ERROR_LEN_MAX, ERRORS_MAX, History, Jitter};

use super::{Target, cuts};
use crate::input::Source;
use crate::promise;

pub(super) const TARGET: Target = Target {
    name: "history",
    check,
    seeds,
    words: &[
        b"\"attempts\":",
        b"4294967295",
        b"18446744073709551615",
        b"\"errors\":[",
        b"null",
        b"{\"attempt\":1,\"at_ms\":2,\"error\":\"e\"}",
        b"\"death\":{\"reason\":\"poison\",",
        b"\"interruptions\":[1,2]",
        b"-1",
        b"1e308",
        b"\\ud800",
        b"[",
        b"{",
    ],
    slow: false,
    deep_min: 4,
};

fn check(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let made = made(&mut source);
    assert_eq!(History::decode(&made.encode()), made);
    decided(&made, source);
    // The longest amplification: a number of one digit and a comma takes eight bytes, doubled.
    let past = promise::within(bytes.len() * 64 + 4_096, || History::decode(bytes));
    if past != History::default() {
        promise::deep();
    }
    assert_eq!(History::decode(&past.encode()), past);
    assert!(past.lifetime_attempts() >= past.attempts);
    assert!(past.next_attempt() >= past.attempts);
    let revived = past.clone().revived();
    assert_eq!((revived.attempts, revived.lifetime_attempts()), (0, past.lifetime_attempts()));
    decided(&past, Source::new(bytes));
}

/// A past of any content that mq could give it.
fn made(source: &mut Source<'_>) -> History {
    let mut past = History::default();
    (past.attempts, past.attempts_before) = (source.number() as u32, source.number() as u32);
    past.snoozes = source.number() as u32;
    for _ in 0..source.below(24) {
        past.push_error(source.number(), &source.text());
        past.push_interruption(source.number());
    }
    past.ended_ms = source.flag().then(|| source.number());
    if source.flag() { past.discarded(source.number()) } else { past }
}

fn decided(past: &History, mut source: Source<'_>) {
    let (policy, ended, now_ms) = (policy(&mut source), ended(&mut source), source.number());
    let mut rng = Rng::seeded(u64::from(source.byte()));
    let now_ms = now_ms.min(LATEST_MS);
    let decision = lifecycle::decide(&policy, past, &ended, now_ms, &mut rng);
    let at_ms = match decision.transition {
        Transition::Retry { at_ms } | Transition::Schedule { at_ms } => Some(at_ms),
        Transition::Retain { until_ms } => Some(until_ms),
        Transition::Cancel { until_ms } => until_ms,
        _ => None,
    };
    if let Some(at_ms) = at_ms {
        assert!((now_ms..=LATEST_MS).contains(&at_ms), "{at_ms} at {now_ms}");
    }
    if let Some(next) = decision.history {
        assert!(next.errors.len() <= past.errors.len().max(ERRORS_MAX));
        let is_new = next.errors.last() != past.errors.last();
        let len = next.errors.last().map_or(0, |error| error.error.len());
        assert!(!is_new || len <= ERROR_LEN_MAX, "an error of {len} bytes");
        assert_eq!(History::decode(&next.encode()), next);
    }
}

fn policy(source: &mut Source<'_>) -> Policy {
    let mut policy = Policy::DEFAULT;
    let mut span = || Duration::from_millis(source.number());
    let (initial, max, retention, window) = (span(), span(), span(), span());
    policy.backoff = match source.below(3) {
        0 => Backoff::DEFAULT,
        1 => Backoff::fixed(initial),
        _ => Backoff::exponential(initial).max(max),
    };
    if source.flag() {
        policy.backoff = policy.backoff.jitter(Jitter::Full);
    }
    policy.max_attempts = source.number() as u32;
    policy.retention = source.flag().then_some(retention);
    policy.poison_limit = source.number() as u32;
    policy.poison_window = window;
    policy
}

fn ended(source: &mut Source<'_>) -> Ended {
    let error = source.text().repeat(1 + source.below(200));
    let delay = Duration::from_millis(source.number());
    match source.below(9) {
        0 => Ended::Done,
        1 => Ended::Failed { error, retry_in: source.flag().then_some(delay) },
        2 => Ended::Discarded { error },
        3 => Ended::Snoozed { delay },
        4 => Ended::Malformed { error },
        5 => Ended::UnknownKind,
        6 => Ended::Cancelled,
        7 => Ended::HandedBack,
        _ => Ended::Interrupted,
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut past = History::default();
    for attempt in 1..=25 {
        past.attempts = attempt;
        past.push_error(1_700_000_000_000 + u64::from(attempt), &format!("error {attempt}"));
        past.push_interruption(1_700_000_000_000 + u64::from(attempt));
    }
    let full = past.discarded(1_700_000_000_099).encode();
    let mut seeds = vec![full.clone(), b"{\"attempts\":0}".to_vec(), b"{}".to_vec()];
    seeds.push(br#"{"attempts":1,"attempts_before":4294967295,"snoozes":4294967295}"#.to_vec());
    seeds.push(br#"{"attempts":1,"attempts":2,"of":{"later":["versions"]}}"#.to_vec());
    seeds.push(br#"{"attempts":1e3}"#.to_vec());
    seeds.push(
        br#"{"ended_ms":18446744073709551615,"interruptions":[0,18446744073709551615]}"#.to_vec(),
    );
    seeds.extend(cuts(&full, 6));
    // F84: what nests beyond the limit of the library, and far beyond the stack.
    for depth in [126, 127, 128, 129, 100_000, 1_000_000] {
        seeds.push([br#"{"of later versions":"#.to_vec(), vec![b'['; depth]].concat());
    }
    seeds
}
