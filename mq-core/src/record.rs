//! A job as it is stored: small header, then the payload's bytes, never changed after enqueueing.
//!
//! # Format, version 1
//! ```text
//! byte 0      1, the version
//! varint      length of the header fields in bytes
//! fields      each: tag (one byte), length (varint), value
//! payload     all the rest, as the user's serializer wrote it
//! ```
//! A reader skips tags that it does not know, so that older workers run newer producers' jobs; a
//! tag of 128 or more says that skipping would be wrong, and the job is then unreadable for this
//! reader. Binary and not JSON, because the header is read once per job and paid for in memory by
//! every waiting job: a plain job's header is its kind and four bytes.
//!
//! A sealed job says so in its last field: length and name of the key, then the proof, which so
//! stands right before the payload and covers all that is in front of it. `encrypted` must be
//! understood, so that nobody takes ciphertext for JSON; `signed` may be skipped, because the
//! payload is as it would be without. A scheme that is yet to come gets a tag of its own.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use std::borrow::Cow;
use std::time::Duration;

use crate::priority::Priority;
use crate::seal::{self, Scheme, Seal};

const VERSION: u8 = 1;
/// The last version that any mq will ever write. Everything above is somebody else's format, many
/// of which begin with a byte of their own, and waits for no newer worker.
const VERSION_LAST: u8 = 15;

const TAG_KIND: u8 = 1;
const TAG_MAX_ATTEMPTS: u8 = 2;
const TAG_TIMEOUT_MS: u8 = 3;
const TAG_RETENTION_MS: u8 = 4;
const TAG_PRIORITY: u8 = 5;
const TAG_KEY: u8 = 6;
const TAG_LABEL: u8 = 7;
const TAG_TRACEPARENT: u8 = 8;
const TAG_SIGNED: u8 = 9;
/// Tags from here on must be understood.
const TAG_CRITICAL: u8 = 128;
const TAG_ENCRYPTED: u8 = 128;

/// Longest header that is read, in bytes: ten times what a producer can write. Somebody else's
/// could ask for more memory than its own bytes take.
const HEADER_LEN_MAX: usize = 64 * 1024;
/// Longest text in a header, in bytes. Producers write at most [`NAME_LEN_MAX`].
///
/// [`NAME_LEN_MAX`]: crate::NAME_LEN_MAX
const TEXT_LEN_MAX: usize = 1024;

/// What is stored of a job when it is enqueued; it never changes.
///
/// What does change (attempts, errors) is its [`History`](crate::History).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Record<'a> {
    /// The job type's stable name.
    pub kind: Cow<'a, str>,
    /// Overrides the kind's number of attempts.
    pub max_attempts: Option<u32>,
    /// Overrides the kind's time limit of one attempt.
    pub timeout: Option<Duration>,
    /// Overrides how long the job is kept after success.
    pub retention: Option<Duration>,
    /// Which of the queue's ready lists it belongs to.
    pub priority: Priority,
    /// The key that makes enqueueing it again answer with this job.
    pub idempotency_key: Option<Cow<'a, str>>,
    /// The user's labels.
    pub tags: Vec<Cow<'a, str>>,
    /// W3C trace context of the producer.
    pub traceparent: Option<Cow<'a, str>>,
    /// How it is sealed, if it is.
    pub seal: Option<Seal<'a>>,
    /// The serialized job; ciphertext if the seal says so.
    pub payload: Cow<'a, [u8]>,
}

/// The stored bytes are not a record that this version of mq can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Written by a newer mq.
    #[error("the record has format {0}, this mq reads format {VERSION}: upgrade this worker")]
    Version(u8),
    /// Written by a newer mq that uses something which must not be skipped.
    #[error("the record uses feature {0}, unknown to this mq: upgrade this worker")]
    Feature(u8),
    /// Damaged, or not written by mq.
    #[error("the record is damaged: {0}")]
    Damaged(&'static str),
}

impl<'a> Record<'a> {
    /// A record with nothing but kind and payload.
    pub fn new(kind: impl Into<Cow<'a, str>>, payload: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { kind: kind.into(), payload: payload.into(), ..Self::default() }
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.header(self.payload.len());
        out.extend_from_slice(&self.payload);
        out
    }

    /// All of the stored form that comes before the payload, in a buffer with room for so many
    /// bytes of payload: a serializer can write right behind it.
    #[expect(clippy::indexing_slicing, reason = "what is written here is two bytes at least")]
    pub(crate) fn header(&self, payload: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.kind.len() + 16 + payload);
        // Nearly every header is short enough for one byte of length.
        out.extend([VERSION, 0]);
        put(&mut out, TAG_KIND, self.kind.as_bytes());
        put_number(&mut out, TAG_MAX_ATTEMPTS, self.max_attempts.map(u64::from));
        put_number(&mut out, TAG_TIMEOUT_MS, self.timeout.map(as_ms));
        put_number(&mut out, TAG_RETENTION_MS, self.retention.map(as_ms));
        if self.priority != Priority::Normal {
            put(&mut out, TAG_PRIORITY, &[self.priority.level()]);
        }
        if let Some(key) = &self.idempotency_key {
            put(&mut out, TAG_KEY, key.as_bytes());
        }
        for tag in &self.tags {
            put(&mut out, TAG_LABEL, tag.as_bytes());
        }
        if let Some(traceparent) = &self.traceparent {
            put(&mut out, TAG_TRACEPARENT, traceparent.as_bytes());
        }
        if let Some(seal) = &self.seal {
            put_seal(&mut out, seal);
        }
        let len = out.len() - 2;
        if len < 0x80 {
            out[1] = len as u8;
        } else {
            let mut varint = Vec::new();
            put_varint(&mut varint, len as u64);
            out.splice(1..2, varint);
        }
        out
    }

    /// Reads the stored form; borrows from it.
    ///
    /// # Errors
    /// See [`RecordError`]. Never panics, whatever the bytes.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (&version, rest) = bytes.split_first().ok_or(RecordError::Damaged("it is empty"))?;
        if version != VERSION {
            let is_newer = (VERSION..=VERSION_LAST).contains(&version);
            return Err(match is_newer {
                true => RecordError::Version(version),
                false => RecordError::Damaged("it is in none of mq's formats"),
            });
        }
        let mut rest = rest;
        let mut fields = take(&mut rest)?;
        if fields.len() > HEADER_LEN_MAX {
            return Err(RecordError::Damaged("its header is too long"));
        }
        let mut record = Self { payload: Cow::Borrowed(rest), ..Self::default() };
        while let Some((&tag, after)) = fields.split_first() {
            fields = after;
            let value = take(&mut fields)?;
            record.set(tag, value)?;
        }
        if record.kind.is_empty() {
            return Err(RecordError::Damaged("it names no kind"));
        }
        Ok(record)
    }

    fn set(&mut self, tag: u8, value: &'a [u8]) -> Result<(), RecordError> {
        match tag {
            TAG_KIND => self.kind = text(value)?,
            TAG_MAX_ATTEMPTS => {
                let attempts = u32::try_from(number(value)?);
                self.max_attempts =
                    Some(attempts.map_err(|_| RecordError::Damaged("attempts out of range"))?);
            }
            TAG_TIMEOUT_MS => self.timeout = Some(Duration::from_millis(number(value)?)),
            TAG_RETENTION_MS => self.retention = Some(Duration::from_millis(number(value)?)),
            TAG_PRIORITY => {
                let level = value.first().copied().and_then(Priority::from_level);
                self.priority = level.ok_or(RecordError::Damaged("no such priority"))?;
            }
            TAG_KEY => self.idempotency_key = Some(text(value)?),
            TAG_LABEL => self.tags.push(text(value)?),
            TAG_TRACEPARENT => self.traceparent = Some(text(value)?),
            TAG_SIGNED => self.set_seal(Scheme::Signed, value)?,
            TAG_ENCRYPTED => self.set_seal(Scheme::Encrypted, value)?,
            _ if tag >= TAG_CRITICAL => return Err(RecordError::Feature(tag)),
            _ => {}
        }
        Ok(())
    }

    fn set_seal(&mut self, scheme: Scheme, mut value: &'a [u8]) -> Result<(), RecordError> {
        let key = text(take(&mut value)?)?;
        if !seal::is_key_name(&key) {
            return Err(RecordError::Damaged("its seal names no key"));
        }
        let seal = Seal { scheme, key, proof: Cow::Borrowed(value) };
        match self.seal.replace(seal) {
            None => Ok(()),
            Some(_) => Err(RecordError::Damaged("it is sealed twice")),
        }
    }

    /// The same record with nothing borrowed.
    pub fn into_owned(self) -> Record<'static> {
        Record {
            kind: own(self.kind),
            max_attempts: self.max_attempts,
            timeout: self.timeout,
            retention: self.retention,
            priority: self.priority,
            idempotency_key: self.idempotency_key.map(own),
            tags: self.tags.into_iter().map(own).collect(),
            traceparent: self.traceparent.map(own),
            seal: self.seal.map(|seal| Seal {
                scheme: seal.scheme,
                key: own(seal.key),
                proof: Cow::Owned(seal.proof.into_owned()),
            }),
            payload: Cow::Owned(self.payload.into_owned()),
        }
    }
}

fn own(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

fn as_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn put(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    out.push(tag);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn put_seal(out: &mut Vec<u8>, seal: &Seal<'_>) {
    let mut value = Vec::with_capacity(1 + seal.key.len() + seal.proof.len());
    put_varint(&mut value, seal.key.len() as u64);
    value.extend_from_slice(seal.key.as_bytes());
    value.extend_from_slice(&seal.proof);
    let tag = match seal.scheme {
        Scheme::Signed => TAG_SIGNED,
        Scheme::Encrypted => TAG_ENCRYPTED,
    };
    put(out, tag, &value);
}

fn put_number(out: &mut Vec<u8>, tag: u8, value: Option<u64>) {
    if let Some(value) = value {
        let mut bytes = Vec::with_capacity(10);
        put_varint(&mut bytes, value);
        put(out, tag, &bytes);
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Result<u64, RecordError> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(RecordError::Damaged("it is cut off"))?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            break;
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(RecordError::Damaged("a number is too long"))
}

/// Takes a length and that many bytes off the front.
fn take<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], RecordError> {
    let len = usize::try_from(take_varint(bytes)?).unwrap_or(usize::MAX);
    let (value, rest) = bytes.split_at_checked(len).ok_or(RecordError::Damaged("it is cut off"))?;
    *bytes = rest;
    Ok(value)
}

fn number(mut value: &[u8]) -> Result<u64, RecordError> {
    take_varint(&mut value)
}

fn text(value: &[u8]) -> Result<Cow<'_, str>, RecordError> {
    if value.len() > TEXT_LEN_MAX {
        return Err(RecordError::Damaged("a text is too long"));
    }
    let text = std::str::from_utf8(value);
    text.map(Cow::Borrowed).map_err(|_| RecordError::Damaged("a text is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn full() -> Record<'static> {
        Record {
            kind: "mail.welcome".into(),
            max_attempts: Some(u32::MAX),
            timeout: Some(Duration::from_millis(u64::MAX)),
            retention: Some(Duration::ZERO),
            priority: Priority::High,
            idempotency_key: Some("k".into()),
            tags: vec!["a".into(), "b".into()],
            traceparent: Some("00-aa-bb-01".into()),
            seal: Some(sealed(Scheme::Encrypted)),
            payload: Cow::Borrowed(b"{\"n\":9007199254740993}"),
        }
    }

    fn sealed(scheme: Scheme) -> Seal<'static> {
        Seal { scheme, key: "2026-06".into(), proof: vec![7; 40].into() }
    }

    #[test]
    fn ciphertext_must_be_understood_and_a_signature_may_be_skipped() {
        for (scheme, is_critical) in [(Scheme::Encrypted, true), (Scheme::Signed, false)] {
            let record = Record { seal: Some(sealed(scheme)), ..Record::new("k", &b"payload"[..]) };
            let bytes = record.encode();
            assert_eq!(Record::decode(&bytes).unwrap(), record);
            // Behind version, length, and the kind with its tag and length.
            assert_eq!(bytes[5] >= TAG_CRITICAL, is_critical);
            assert!(bytes.ends_with(&[&[7; 40][..], b"payload"].concat()));
        }
    }

    #[test]
    fn a_seal_names_one_key_and_stands_alone() {
        let seal = |key: &'static str| Seal { key: key.into(), ..sealed(Scheme::Signed) };
        for key in ["", "two words", "k\u{1b}[31m", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"] {
            let record = Record { seal: Some(seal(key)), ..Record::new("k", &b"p"[..]) };
            let problem = RecordError::Damaged("its seal names no key");
            assert_eq!(Record::decode(&record.encode()), Err(problem), "{key:?}");
        }
        let mut bytes = Record::new("k", &b"p"[..]).encode();
        bytes.splice(5..5, [TAG_SIGNED, 2, 1, b'k', TAG_ENCRYPTED, 2, 1, b'k']);
        bytes[1] += 8;
        assert_eq!(Record::decode(&bytes), Err(RecordError::Damaged("it is sealed twice")));
    }

    #[test]
    fn a_plain_header_costs_its_kind_and_four_bytes() {
        let record = Record::new("noop", &b"payload"[..]);
        assert_eq!(record.encode().len(), 4 + 4 + 7);
    }

    #[test]
    fn every_truncation_is_an_error_or_a_shorter_payload() {
        let bytes = full().encode();
        let header = bytes.len() - full().payload.len();
        for end in 0..bytes.len() {
            assert_eq!(Record::decode(&bytes[..end]).is_ok(), end >= header, "cut at {end}");
        }
    }

    #[test]
    fn unknown_fields_are_skipped_unless_they_must_be_understood() {
        let mut bytes = Record::new("k", &b"p"[..]).encode();
        bytes.splice(2..2, [99, 1, 0]);
        bytes[1] += 3;
        assert_eq!(Record::decode(&bytes).unwrap().kind, "k");
        bytes[2] = 200;
        assert_eq!(Record::decode(&bytes), Err(RecordError::Feature(200)));
        bytes[0] = 2;
        assert_eq!(Record::decode(&bytes), Err(RecordError::Version(2)));
    }

    #[test]
    fn formats_of_others_are_none_of_a_newer_mq() {
        let mut bytes = full().encode();
        for version in 0..=u8::MAX {
            bytes[0] = version;
            let decoded = Record::decode(&bytes);
            match version {
                1 => assert_eq!(decoded, Ok(full())),
                2..=15 => assert_eq!(decoded, Err(RecordError::Version(version))),
                _ => assert!(matches!(decoded, Err(RecordError::Damaged(_))), "{version}"),
            }
        }
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(kind in ".{1,40}", payload: Vec<u8>, attempts: Option<u32>,
                                  tags in proptest::collection::vec(".{0,9}", 0..4)) {
            let record = Record {
                max_attempts: attempts,
                tags: tags.into_iter().map(Cow::Owned).collect(),
                ..Record::new(kind, payload)
            };
            let bytes = record.encode();
            prop_assert_eq!(Record::decode(&bytes).unwrap(), record);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = Record::decode(&bytes);
        }

        #[test]
        fn no_flipped_byte_makes_it_panic(at in 0usize..200, value: u8) {
            let mut bytes = full().encode();
            let at = at % bytes.len();
            bytes[at] = value;
            let _ = Record::decode(&bytes);
        }
    }

    #[test]
    fn headers_of_any_length_round_trip() {
        // Around the lengths at which the length of the length changes.
        for len in (100..140).chain(16_360..16_400) {
            let tag = |len: usize| Cow::Owned("t".repeat(len));
            let mut tags = vec![tag(1_000); len / 1_000];
            tags.push(tag(len % 1_000));
            let record = Record { tags, ..Record::new("kind", &b"payload"[..]) };
            assert_eq!(Record::decode(&record.encode()).unwrap(), record, "{len}");
        }
    }

    #[test]
    fn a_header_cannot_ask_for_more_than_jobs_need() {
        let with = |tag: &str, count: usize| {
            let tags = vec![Cow::Borrowed(tag); count];
            Record { tags, ..Record::new("kind", &b"payload"[..]) }.encode()
        };
        let longest = "t".repeat(TEXT_LEN_MAX);
        assert!(Record::decode(&with(&longest, 63)).is_ok());
        let longer = format!("{longest}t");
        assert_eq!(
            Record::decode(&with(&longer, 1)),
            Err(RecordError::Damaged("a text is too long"))
        );
        // Empty tags take two bytes here and 24 in memory.
        assert_eq!(
            Record::decode(&with("", HEADER_LEN_MAX / 2)),
            Err(RecordError::Damaged("its header is too long"))
        );
    }

    #[test]
    fn a_full_record_round_trips() {
        assert_eq!(Record::decode(&full().encode()).unwrap(), full());
    }
}
