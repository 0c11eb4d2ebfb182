//! Replies in a notation that no byte can break: lengths are counts, and what is missing is nil.
//! Mutated bytes of the wire mostly end at a length that is wrong.

use crate::input::{Source, put_bytes};

/// How deep replies nest. The library itself stops at 100.
const DEPTH_MAX: usize = 8;
/// Values in all, so that counts of counts do not grow.
const VALUES_MAX: usize = 2_000;

/// What a server may answer.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Nil,
    Int(i64),
    Bulk(Vec<u8>),
    Array(Vec<Reply>),
    Error(&'static str),
    /// As the third version of the protocol has it.
    Map(Vec<Reply>),
}

impl Reply {
    /// A text.
    pub(super) fn text(text: &str) -> Self {
        Self::Bulk(text.as_bytes().to_vec())
    }

    /// Texts.
    pub(super) fn texts(texts: &[&str]) -> Self {
        Self::Array(texts.iter().map(|text| Self::text(text)).collect())
    }

    /// This notation.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nil => out.push(0),
            Self::Int(number) => {
                // All eight bytes follow.
                out.extend([1, 0xff]);
                out.extend(number.to_be_bytes());
                out.push(0);
            }
            Self::Bulk(bytes) => {
                out.push(2);
                put_bytes(out, bytes);
            }
            Self::Error(text) => {
                out.push(4);
                put_bytes(out, text.as_bytes());
            }
            Self::Array(values) => put_all(out, 3, values.len(), values),
            Self::Map(values) => put_all(out, 5, values.len() / 2, values),
        }
    }
}

fn put_all(out: &mut Vec<u8>, tag: u8, count: usize, values: &[Reply]) {
    out.extend([tag, count.min(255) as u8]);
    values.iter().for_each(|value| value.put(out));
}

/// Replies as they come over the wire.
pub(super) fn wire(source: &mut Source<'_>) -> Vec<Vec<u8>> {
    let (mut replies, mut left) = (Vec::new(), VALUES_MAX);
    while !source.is_empty() && left > 0 {
        let mut out = Vec::new();
        value(source, DEPTH_MAX, &mut left, &mut out);
        replies.push(out);
    }
    replies
}

fn value(source: &mut Source<'_>, depth: usize, left: &mut usize, out: &mut Vec<u8>) {
    *left = left.saturating_sub(1);
    let tag = source.byte() % 16;
    if source.is_empty() || *left == 0 {
        return out.extend_from_slice(b"_\r\n");
    }
    match tag {
        1 => line(out, ':', &source.signed().to_string()),
        2 | 6 => bulk(out, '$', source.bytes()),
        3 | 7 if depth > 0 => many(source, depth, left, out, ('*', 1)),
        4 => line(out, '-', &simple(source)),
        5 if depth > 0 => many(source, depth, left, out, ('%', 2)),
        8 if depth > 0 => many(source, depth, left, out, ('~', 1)),
        9 => line(out, '+', &simple(source)),
        10 => line(out, ',', &f64::from_bits(source.number()).to_string()),
        11 => line(out, '#', if source.flag() { "t" } else { "f" }),
        12 => line(out, '(', &source.number().to_string()),
        13 => bulk(out, '=', &[b"txt:", source.bytes()].concat()),
        14 => bulk(out, '!', source.bytes()),
        15 if depth > 0 => many(source, depth, left, out, ('>', 1)),
        _ => out.extend_from_slice(b"_\r\n"),
    }
}

fn many(
    source: &mut Source<'_>,
    depth: usize,
    left: &mut usize,
    out: &mut Vec<u8>,
    (sign, each): (char, usize),
) {
    let count = usize::from(source.byte()).min(*left / each);
    line(out, sign, &count.to_string());
    for _ in 0..count * each {
        value(source, depth - 1, left, out);
    }
}

/// A text in one line, which may still have anything else in it.
fn simple(source: &mut Source<'_>) -> String {
    let text = String::from_utf8_lossy(source.bytes()).into_owned();
    text.replace(['\r', '\n'], "")
}

fn line(out: &mut Vec<u8>, sign: char, text: &str) {
    out.extend_from_slice(format!("{sign}{text}\r\n").as_bytes());
}

fn bulk(out: &mut Vec<u8>, sign: char, bytes: &[u8]) {
    line(out, sign, &bytes.len().to_string());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}
