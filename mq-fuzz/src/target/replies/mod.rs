//! Replies of Redis, or of whatever pretends to be it.
//!
//! * Every method of the engine ends, with an answer of the shape that its contract has or with an
//!   error, whatever replies it hears, for as long as it hears any.
//! * Errors, findings and warnings are short and can be printed: a reply can quote a stranger.
//! * What is read is not larger than what was sent. Jobs that are claimed or listed stand in it,
//!   and so do their records.
//!
//! An input is the number of a method, a byte of choices and the replies, in the notation of `tree`
//! or, with the highest bit of the choices, as they come over the wire.

mod ops;
mod seeds;
mod tree;

use std::sync::OnceLock;

use mq_core::JobId;
use mq_core::engine::EngineError;
use mq_redis::fuzzing::{self, Wire};
use tokio::runtime::{Builder, Runtime};

use super::Target;
use crate::input::Source;
use crate::promise;

pub(super) const TARGET: Target = Target {
    name: "replies",
    check,
    seeds: seeds::all,
    words: &[
        b"OK",
        b"MORE",
        b"EMPTY",
        b"PAUSED",
        b"LOST",
        b"applied",
        b"moving",
        b"changed",
        b"busy",
        b"ready",
        b"running",
        b"scheduled",
        b"dead",
        b"record",
        b"0M1u00000000000000000",
        b"18446744073709551615",
        b"9223372036854775807",
        b"-1",
        b"nan",
        b"inf",
        b"1e300",
        b"last",
        b"OOM",
        b"ERR \x1b[31m",
        b"WRONGTYPE",
        b"READONLY",
        b"t scheduled 5 1 r",
        b"\x01\x03\x01\x01k",
    ],
    slow: false,
    deep_min: 22,
};

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        // With a clock, because replies may ask for patience.
        Builder::new_current_thread().enable_time().build().expect("a runtime")
    })
}

fn check(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let (op, choices) = (source.byte(), source.byte());
    let replies = match choices & 0x80 {
        0 => tree::wire(&mut source),
        _ => vec![source.rest().to_vec()],
    };
    let wire = Wire::parse(&replies.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let heard = Heard(replies.concat());
    if let Err(error) = runtime().block_on(ops::run(usize::from(op), choices, wire, &heard)) {
        said(&error);
    }
}

/// All replies as they came over the wire.
struct Heard(Vec<u8>);

impl Heard {
    /// A job and its record are not made up.
    fn has(&self, id: JobId, record: &[u8]) {
        self.says(&id.to_text());
        self.says(record);
    }

    fn says(&self, text: &[u8]) {
        let has = |all: &[u8]| text.is_empty() || all.windows(text.len()).any(|at| at == text);
        // Short texts are read by the library as Unicode, with a mark for what is none.
        let is_said = has(&self.0) || has(String::from_utf8_lossy(&self.0).as_bytes());
        assert!(is_said, "nobody has said {:?}", text.escape_ascii().to_string());
    }
}

/// An error with all its sources.
fn said(error: &EngineError) {
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        promise::message(&error.to_string());
        next = error.source();
    }
}

/// An engine that hears these replies.
fn engine(wire: Wire) -> Result<mq_redis::RedisEngine, EngineError> {
    fuzzing::engine(wire)
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;
    use crate::input::ID;

    #[test]
    fn a_job_or_a_record_that_nobody_said_is_told_of() {
        let [said, other] = [ID[0], ID[1]].map(|id| id.parse::<JobId>().unwrap());
        let heard = || Heard(format!("$22\r\n{said}\r\n$3\r\nabc\r\n").into_bytes());
        heard().has(said, b"abc");
        heard().has(said, b"");
        assert!(catch_unwind(|| heard().has(other, b"abc")).is_err());
        assert!(catch_unwind(|| heard().has(said, b"abd")).is_err());
    }
}
