//! The stored form of a job.
//!
//! * Any bytes decode or are refused with a message, in memory that grows with their number only.
//! * What was decoded is the same when it is written and read again, and writing it twice gives the
//!   same bytes. So is a record that was put together.
//! * A cut is refused, or has a shorter payload and nothing else changed.
//! * What operators see of any bytes has all of them, and is JSON that can be read back.

use std::borrow::Cow;
use std::time::Duration;

use mq_core::admin::JobInfo;
use mq_core::engine::{Claimed, Finish, Stored};
use mq_core::lifecycle::{Decision, Transition};
use mq_core::{Claim, Priority, Record, State, WorkerId};

use super::{Target, cuts};
use crate::input::{ID, Source, queue};
use crate::promise;

pub(super) const TARGET: Target = Target {
    name: "record",
    check,
    seeds,
    words: &[
        b"\x01\x00",
        b"\x01\x06\x01\x04kind",
        b"\x02\x01\x07",
        b"\x05\x01\x00",
        b"\x07\x00",
        b"\x80\x00",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"{\"a\":1}",
        b"\xff\xfe",
    ],
    slow: false,
    deep_min: 18,
};

/// A tag is two bytes when it is empty and 24 in memory, and a growing list has room for as many
/// again while the old one is copied.
const MEMORY_PER_BYTE: usize = 64;

fn check(bytes: &[u8]) {
    let decoded = promise::within(bytes.len() * MEMORY_PER_BYTE + 1_024, || Record::decode(bytes));
    match &decoded {
        Ok(record) => {
            promise::deep();
            written_and_read(record);
            cut(bytes, record);
        }
        Err(error) => promise::message(&error.to_string()),
    }
    shown(bytes, decoded.as_ref().ok());
    finished(bytes);
    written_and_read(&made(&mut Source::new(bytes)));
}

fn written_and_read(record: &Record<'_>) {
    let bytes = record.encode();
    let again = Record::decode(&bytes).expect("what mq writes it reads");
    assert_eq!(again, *record);
    assert_eq!(again.clone().into_owned().encode(), bytes);
}

fn cut(bytes: &[u8], record: &Record<'_>) {
    let header = bytes.len() - record.payload.len();
    for end in [header / 2, header.saturating_sub(1), header, bytes.len().saturating_sub(1)] {
        match Record::decode(&bytes[..end]) {
            Ok(shorter) => {
                assert!(end >= header);
                let mut expected = record.clone();
                expected.payload = record.payload[..end - header].into();
                assert_eq!(shorter, expected);
            }
            Err(_) => assert!(end < header),
        }
    }
}

fn shown(bytes: &[u8], record: Option<&Record<'_>>) {
    let info = JobInfo::new(stored(bytes));
    let payload = record.map_or(bytes, |record| &record.payload);
    assert_eq!((&info.payload[..], info.damage.is_none()), (payload, record.is_some()));
    let json = serde_json::to_string(&info).expect("it has a form as JSON");
    let back: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(back["payload"].as_str(), Some(&*info.payload_text()));
    let stored = stored(bytes);
    assert_eq!(stored.priority(), record.map_or(Priority::Normal, |record| record.priority));
    let key = record.and_then(|record| record.idempotency_key.as_deref());
    assert_eq!(stored.idempotency_key().as_deref(), key);
}

fn stored(bytes: &[u8]) -> Stored {
    Stored {
        id: ID[0].parse().expect("an id of ours"),
        queue: queue(),
        state: State::Ready,
        record: bytes.to_vec(),
        history: None,
        at_ms: None,
        worker: None,
        cancel_requested: false,
    }
}

fn finished(bytes: &[u8]) {
    let claim = Claim { queue: queue(), worker: WorkerId::random(), number: 1 };
    let id = ID[0].parse().expect("an id of ours");
    let job = Claimed { id, claim, record: bytes.to_vec(), history: None };
    let decision = Decision { transition: Transition::Bury, history: None };
    assert_eq!(Finish::interrupted(job, decision).id, id);
}

/// A record of any content that a program could give it.
fn made<'a>(source: &mut Source<'a>) -> Record<'a> {
    let mut record = Record::new(format!("k{}", source.text()), &b""[..]);
    let has = source.byte();
    let mut number = |bit: u8| (has & bit != 0).then(|| source.number());
    record.max_attempts = number(1).map(|attempts| attempts as u32);
    record.timeout = number(2).map(Duration::from_millis);
    record.retention = number(4).map(Duration::from_millis);
    record.priority = Priority::ALL[usize::from(has >> 6) % 3];
    record.idempotency_key = (has & 8 != 0).then(|| source.text().into());
    record.traceparent = (has & 16 != 0).then(|| source.text().into());
    record.tags = (0..source.below(34)).map(|_| source.text().into()).collect();
    record.payload = Cow::Borrowed(source.rest());
    record
}

fn seeds() -> Vec<Vec<u8>> {
    let mut full = Record::new("mail.welcome", &b"{\"n\":9007199254740993,\"s\":\"\\u0000\"}"[..]);
    full.max_attempts = Some(25);
    full.timeout = Some(Duration::from_secs(1_800));
    full.retention = Some(Duration::from_millis(u64::MAX));
    full.priority = Priority::Low;
    full.idempotency_key = Some("order:7".into());
    full.tags = vec!["eu".into(), "größe".into(), "".into()];
    full.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into());
    let mut long = full.clone();
    long.idempotency_key = Some("k".repeat(200).into());
    let mut many = Record::new("k", &b""[..]);
    many.tags = vec!["".into(); 20_000];
    let mut seeds = vec![Record::new("noop", &b"null"[..]).encode(), long.encode(), many.encode()];
    seeds.extend(cuts(&full.encode(), 12));
    seeds.push(full.encode());
    // Another version, a feature of later versions, a length of 2^64-1.
    seeds.extend([&b"\x02\x06\x01\x04noop"[..], b"\x01\x08\x01\x04noop\xc8\x00{}"].map(Into::into));
    seeds.push(b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01".to_vec());
    seeds
}
