//! New inputs out of old ones.

use mq_core::rng::Rng;

/// Longest input that is made.
pub const LEN_MAX: usize = 4_096;
/// Changes that are made at a time.
const CHANGES_MAX: u64 = 6;
/// Bytes at which something ends, begins or overflows.
const EDGES: [u8; 14] =
    [0, 1, 0x0a, 0x0d, 0x1b, 0x20, 0x22, 0x25, 0x2e, 0x3a, 0x7b, 0x7f, 0x80, 0xff];

/// Changes an input a little. `other` lends pieces; `words` mean something to the target.
pub fn mutate(input: &[u8], other: &[u8], words: &[&[u8]], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = input[..input.len().min(LEN_MAX)].to_vec();
    // Mostly one: what was valid often still is.
    let changes = if rng.between(0, 1) == 0 { 1 } else { rng.between(2, CHANGES_MAX) };
    for _ in 0..changes {
        change(&mut bytes, other, words, rng);
    }
    bytes.truncate(LEN_MAX);
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], words: &[&[u8]], rng: &mut Rng) {
    let at = place(bytes.len(), rng);
    match rng.between(0, 11) {
        0 => flip(bytes, at, rng),
        1 => set(bytes, at, rng.next_u64() as u8),
        2 => set(bytes, at, EDGES[place(EDGES.len() - 1, rng)]),
        3 => add(bytes, at, rng),
        4 => bytes.insert(at, rng.next_u64() as u8),
        5 => cut(bytes, at, rng),
        6 => bytes.truncate(at),
        7 => repeat(bytes, at, rng),
        8 => {
            let (from, len) = piece(other, rng);
            bytes.splice(at..at, other[from..from + len].iter().copied());
        }
        // The head of one and the tail of the other.
        9 => {
            let from = place(other.len(), rng);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        _ if words.is_empty() => flip(bytes, at, rng),
        10 => {
            let word = words[place(words.len() - 1, rng)];
            bytes.splice(at..at, word.iter().copied());
        }
        _ => {
            let word = words[place(words.len() - 1, rng)];
            let end = (at + word.len()).min(bytes.len());
            bytes.splice(at..end, word.iter().copied());
        }
    }
}

fn place(end: usize, rng: &mut Rng) -> usize {
    rng.between(0, end as u64) as usize
}

/// Where a piece begins, and how long it is; mostly short.
fn piece(bytes: &[u8], rng: &mut Rng) -> (usize, usize) {
    let from = place(bytes.len(), rng);
    let longest = if rng.between(0, 3) == 0 { 512 } else { 16 };
    (from, place((bytes.len() - from).min(longest), rng))
}

fn set(bytes: &mut [u8], at: usize, value: u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = value;
    }
}

fn flip(bytes: &mut [u8], at: usize, rng: &mut Rng) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << rng.between(0, 7);
    }
}

fn add(bytes: &mut [u8], at: usize, rng: &mut Rng) {
    let by = rng.between(1, 8) as u8;
    if let Some(byte) = bytes.get_mut(at) {
        *byte = if rng.between(0, 1) == 0 { byte.wrapping_add(by) } else { byte.wrapping_sub(by) };
    }
}

fn cut(bytes: &mut Vec<u8>, at: usize, rng: &mut Rng) {
    let (_, len) = piece(&bytes[at..], rng);
    bytes.drain(at..(at + len).min(bytes.len()));
}

fn repeat(bytes: &mut Vec<u8>, at: usize, rng: &mut Rng) {
    let (from, len) = piece(bytes, rng);
    let copy = bytes[from..from + len].repeat(rng.between(1, 4) as usize);
    bytes.splice(at..at, copy);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_no_input_grows_for_ever() {
        let once = |seed| {
            let (mut rng, mut input) = (Rng::seeded(seed), b"{\"a\":[1]}".to_vec());
            for _ in 0..2_000 {
                input = mutate(&input, b"other", &[b"word"], &mut rng);
                assert!(input.len() <= LEN_MAX);
            }
            input
        };
        assert_eq!(once(7), once(7));
        assert_ne!(once(7), once(8));
        // Nothing to begin with is no reason to stop.
        let mut rng = Rng::seeded(1);
        assert!((0..50).any(|_| !mutate(&[], &[], &[], &mut rng).is_empty()));
    }
}
