//! Bytes read as choices. Whatever the bytes, something comes out; when they are used up, zeros.

use mq_core::{JobId, QueueName};

/// Characters that garble logs and terminals, look like others, or mean something to a key.
const ODD: [char; 32] = [
    '\0',
    '\n',
    '\r',
    '\t',
    '\u{7}',
    '\u{8}',
    '\u{1b}',
    '\u{7f}',
    '\u{85}',
    '\u{9b}',
    '\u{200b}',
    '\u{200e}',
    '\u{202e}',
    '\u{2028}',
    '\u{2066}',
    '\u{feff}',
    '\u{e0041}',
    '\u{301}',
    'é',
    'ß',
    '語',
    '😀',
    '{',
    '}',
    ':',
    '*',
    '%',
    '\\',
    '\'',
    '"',
    '<',
    '\u{10ffff}',
];

/// Numbers at which something may overflow.
const EDGES: [u64; 16] = [
    0,
    1,
    22,
    127,
    128,
    1_000,
    65_535,
    u32::MAX as u64,
    1 << 32,
    (1 << 52) - 1,
    1 << 52,
    (1 << 53) + 1,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

/// What is left of an input.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    /// All of an input.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing but zeros will come.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        byte
    }

    /// A coin.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number below `end`, which is at most 256.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    /// So many bytes, or as many as there are.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Some bytes, their number in two bytes before them.
    pub fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(u16::from_be_bytes([self.byte(), self.byte()]));
        self.take(len)
    }

    /// A number: mostly one at an edge, or near to it.
    pub fn number(&mut self) -> u64 {
        let pick = self.byte();
        let edge = EDGES[usize::from(pick) % EDGES.len()];
        match pick >> 6 {
            0 => edge,
            1 => edge.wrapping_add(u64::from(self.byte())),
            2 => u64::from(self.byte()),
            _ => self.take(8).iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
        }
    }

    /// A signed number, in the same way.
    pub fn signed(&mut self) -> i64 {
        let number = self.number() as i64;
        if self.flag() { number.wrapping_neg() } else { number }
    }

    /// A text, its number of characters in one byte before it; a quarter of them odd.
    pub fn text(&mut self) -> String {
        let len = usize::from(self.byte());
        self.take(len).iter().map(|byte| character(*byte)).collect()
    }

    /// The name of a queue that mq accepts.
    pub fn queue(&mut self) -> QueueName {
        let name = self.text();
        QueueName::new(name).unwrap_or_else(|_| queue())
    }

    /// One of a few ids.
    pub fn id(&mut self) -> JobId {
        ID[self.below(ID.len())].parse().expect("ids of ours")
    }
}

/// What [`Source::text`] makes of a byte.
fn character(byte: u8) -> char {
    match byte {
        0xc0.. => ODD[usize::from(byte - 0xc0) % ODD.len()],
        _ => char::from(byte & 0x7f),
    }
}

/// Texts of ids, which targets and seeds know.
pub const ID: [&str; 3] =
    ["0M1u000000000000000000", "0M1u111111111111111110", "0M1u222222222222222220"];

/// The queue of all targets that have one.
pub fn queue() -> QueueName {
    QueueName::new("q").expect("a good name")
}

/// The reverse of [`Source::bytes`], for seeds.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(usize::from(u16::MAX))];
    out.extend((bytes.len() as u16).to_be_bytes());
    out.extend(bytes);
}

/// The reverse of [`Source::text`] for ASCII, for seeds.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    let text = &text.as_bytes()[..text.len().min(255)];
    out.push(text.len() as u8);
    out.extend(text.iter().map(|byte| byte & 0x7f));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_comes_out() {
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, b"\xff\0");
        put_text(&mut bytes, "a:b");
        let mut source = Source::new(&bytes);
        assert_eq!(source.bytes(), b"\xff\0");
        assert_eq!(source.text(), "a:b");
        assert!(source.is_empty());
        assert_eq!((source.byte(), source.number(), source.text()), (0, 0, String::new()));
        assert_eq!(source.id().to_string(), ID[0]);
    }
}
