//! 128 bits as 22 characters that sort like the number.
//!
//! The alphabet is the 64 characters `0-9A-Z_a-z~` in ASCII order, so comparing two texts compares
//! the numbers. It has no hyphen, because a job's id begins with the lowest character, and tools
//! take what begins with a hyphen for an option. 22 · 6 = 132 bits: the last four are zero, and a
//! text that has them set is refused, so that one number has one text.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

const ALPHABET: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

/// What a character stands for; [`NO_DIGIT`] if it is none of the alphabet.
#[expect(clippy::indexing_slicing, reason = "the compiler evaluates it")]
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < ALPHABET.len() {
        digits[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};
const NO_DIGIT: u8 = 64;

/// Length of the text form.
pub(crate) const LEN: usize = 22;

#[expect(clippy::indexing_slicing, reason = "a digit is masked to the alphabet's 64")]
pub(crate) fn encode(value: u128) -> [u8; LEN] {
    let mut out = [0u8; LEN];
    for (index, byte) in out.iter_mut().enumerate() {
        // The last digit holds the two bits that are left, shifted to its top.
        let digit = if index == LEN - 1 { value << 4 } else { value >> (122 - 6 * index) };
        *byte = ALPHABET[(digit & 63) as usize];
    }
    out
}

/// In two parts of ten characters and a rest of two: shifts of 128 bits are dear, and an id is read
/// for every job (163 instructions instead of 659; all that a worker does for a job takes 11,000).
pub(crate) fn decode(text: &[u8]) -> Option<u128> {
    let text: &[u8; LEN] = text.try_into().ok()?;
    let (head, tail) = text.split_at(10);
    let (body, rest) = tail.split_at(10);
    let (head, body, rest) = (read(head)?, read(body)?, read(rest)?);
    if rest & 0b1111 != 0 {
        return None;
    }
    Some(u128::from(head) << 68 | u128::from(body) << 8 | u128::from(rest >> 4))
}

#[expect(clippy::indexing_slicing, reason = "every byte has its place in the table")]
fn read(text: &[u8]) -> Option<u64> {
    let (mut part, mut seen) = (0, 0);
    for &byte in text {
        let digit = DIGITS[usize::from(byte)];
        seen |= digit;
        part = part << 6 | u64::from(digit);
    }
    (seen < NO_DIGIT).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_has_one_text_and_order_is_kept(a: u128, b: u128) {
            prop_assert_eq!(decode(&encode(a)), Some(a));
            prop_assert_eq!(a.cmp(&b), encode(a).cmp(&encode(b)));
        }

        #[test]
        fn any_accepted_text_is_canonical(text in "[0-9A-Z_a-z~]{22}") {
            if let Some(value) = decode(text.as_bytes()) {
                prop_assert_eq!(&encode(value)[..], text.as_bytes());
            }
        }
    }
}
