//! Names of keys on Redis.
//!
//! * Two different pairs of things (queue, worker, producer) never share a key, and no key of one
//!   queue is a fixed key of another.
//! * A key has one pair of braces; what is between them says the queue's name, and only that: so no
//!   name moves a cluster's hash tag. It means nothing in a pattern.
//! * The prefix is what all keys begin with.

use std::collections::HashSet;

use mq_core::QueueName;

use super::Target;
use crate::input::{Source, put_bytes, put_text};
use crate::promise;

pub(super) const TARGET: Target = Target {
    name: "keys",
    check,
    seeds,
    words: &[
        b":",
        b"{",
        b"}",
        b"}:{",
        b"%",
        b"%7B",
        b"%2",
        b"*",
        b"jobs",
        b"ready",
        b"claims:",
        b"keys:expiry",
        b"\xd6\xd7",
    ],
    slow: false,
    deep_min: 50,
};

/// What names a set of keys.
#[derive(Debug, PartialEq)]
struct Names {
    queue: QueueName,
    worker: Vec<u8>,
    producer: String,
}

fn check(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let prefix = prefix(&source.text());
    let mut names = || Names {
        queue: source.queue(),
        worker: source.bytes().to_vec(),
        producer: source.text(),
    };
    let (one, other) = (names(), names());
    if one.queue.as_str() != "q" {
        promise::deep();
    }
    let ones = look(&prefix, &one);
    let distinct: HashSet<&String> = ones.iter().collect();
    assert_eq!(distinct.len(), ones.len(), "{ones:?}");
    let others = look(&prefix, &other);
    // The first three are those of the store, and the last two those of a worker and a producer.
    let shared = |at: usize| match at {
        0..=2 => true,
        _ if one.queue != other.queue => false,
        at if at == ones.len() - 2 => one.worker == other.worker,
        at if at == ones.len() - 1 => one.producer == other.producer,
        _ => true,
    };
    for (at, key) in others.iter().enumerate() {
        assert_eq!(distinct.contains(key), shared(at), "{key} of {other:?}, {one:?}");
    }
}

fn look(prefix: &str, names: &Names) -> Vec<String> {
    let keys = mq_redis::fuzzing::keys(prefix, &names.queue, &names.worker, &names.producer);
    for (at, key) in keys.iter().enumerate() {
        assert!(key.starts_with(&format!("{prefix}:")), "{key}");
        let odd = |c: char| !c.is_ascii_graphic() || matches!(c, '*' | '?' | '[' | '\\' | '^');
        assert!(!key.contains(odd), "{key}");
        if at >= 3 {
            let (before, rest) = key.split_once("{").expect("a hash tag");
            let (tag, after) = rest.split_once("}").expect("its end");
            assert_eq!(
                (before, read(tag)),
                (&*format!("{prefix}:"), names.queue.to_string().into())
            );
            assert!(!after.contains(['{', '}']), "{key}");
        }
    }
    let last = |at: usize| keys[keys.len() - at].rsplit(':').next().map(read).unwrap_or_default();
    assert_eq!((last(2), last(1)), (names.worker.clone(), names.producer.clone().into_bytes()));
    keys
}

/// The reverse of the encoding.
fn read(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let hex = std::str::from_utf8(&rest[..2]).expect("two digits");
            out.push(u8::from_str_radix(hex, 16).expect("two digits"));
            rest = &rest[2..];
        } else {
            out.push(byte);
        }
    }
    out
}

/// A prefix that needs no encoding, which the URL asks for.
fn prefix(text: &str) -> String {
    let fine = |c: &char| c.is_ascii_alphanumeric() || *c == ':';
    let text: String = text.chars().filter(fine).take(20).collect();
    format!("mq{text}")
}

fn seeds() -> Vec<Vec<u8>> {
    let hostile =
        ["q", ":meta", "q1}:x{", "%7B", "{}", "jobs", "a:jobs", "\u{56}", "claims:x", " x"];
    let mut seeds = Vec::new();
    for one in hostile {
        for other in ["q1}:x{", "%7B", ":"] {
            let mut seed = Vec::new();
            put_text(&mut seed, "mq");
            for name in [one, other] {
                put_text(&mut seed, name);
                put_bytes(&mut seed, name.as_bytes());
                put_text(&mut seed, name);
            }
            seeds.push(seed);
        }
    }
    seeds
}
