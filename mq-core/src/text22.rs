//! 128 bits as 22 characters that sort like the number.
//!
//! The alphabet is the 64 characters `0-9A-Z_a-z~` in ASCII order, so comparing two texts compares
//! the numbers. It has no hyphen, because a job's id begins with the lowest character, and tools
//! take what begins with a hyphen for an option. 22 · 6 = 132 bits: the last four are zero, and a
//! text that has them set is refused, so that one number has one text.

const ALPHABET: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

/// Length of the text form.
pub(crate) const LEN: usize = 22;

pub(crate) fn encode(value: u128) -> [u8; LEN] {
    let mut out = [0u8; LEN];
    for (index, byte) in out.iter_mut().enumerate() {
        // The last digit holds the two bits that are left, shifted to its top.
        let digit = if index == LEN - 1 { value << 4 } else { value >> (122 - 6 * index) };
        *byte = ALPHABET[(digit & 63) as usize];
    }
    out
}

pub(crate) fn decode(text: &[u8]) -> Option<u128> {
    if text.len() != LEN {
        return None;
    }
    let mut value = 0u128;
    for (index, &byte) in text.iter().enumerate() {
        let digit = ALPHABET.binary_search(&byte).ok()? as u128;
        if index == LEN - 1 {
            if digit & 0b1111 != 0 {
                return None;
            }
            value = (value << 2) | (digit >> 4);
        } else {
            value = (value << 6) | digit;
        }
    }
    Some(value)
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
