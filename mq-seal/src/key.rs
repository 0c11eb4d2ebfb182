//! One key with its name.

use std::fmt;
use std::str::FromStr;

use mq_core::seal::{KEY_NAME_MAX, is_key_name};
use zeroize::Zeroizing;

use crate::cipher::{self, Secret};

/// What the text of a key has to be, for errors.
const FORM: &str = "write NAME:HEX, with the 64 digits that `openssl rand -hex 32` prints";

/// A key with its name. The name is stored with every job that it seals, in the clear; the key is
/// wiped from memory when this is dropped, and shown by nothing.
///
/// As text, `NAME:HEX` with 64 hexadecimal digits.
pub struct Key {
    pub(crate) name: String,
    /// Two keys from one: no key serves two algorithms.
    pub(crate) encrypting: Secret,
    pub(crate) signing: Secret,
}

/// A key, or a list of keys, that is none. Says nothing of what was given but names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The list is empty.
    #[error("there is no key: {FORM}")]
    Empty,
    /// A text without a colon, or with something else before it than a name.
    #[error(
        "key {at} of the list has no name: {FORM}; a name has up to {KEY_NAME_MAX} letters, \
         digits, `.`, `_` and `-`"
    )]
    Name {
        /// Which of the list, from 1.
        at: usize,
    },
    /// Something else than 64 hexadecimal digits.
    #[error("the key `{name}` does not have 64 hexadecimal digits: {FORM}")]
    Digits {
        /// Its name.
        name: String,
    },
    /// Two keys of one name.
    #[error("two keys are named `{name}`: a name stands for one key, also when that is replaced")]
    Twice {
        /// The name.
        name: String,
    },
}

impl Key {
    /// A key of 32 bytes that are random: not a password, not the digest of one.
    ///
    /// # Errors
    /// [`KeyError::Name`] if the name is none.
    pub fn new(name: impl Into<String>, secret: &[u8; 32]) -> Result<Self, KeyError> {
        let name = name.into();
        if !is_key_name(&name) {
            return Err(KeyError::Name { at: 1 });
        }
        let encrypting = cipher::derive(secret, b"mq seal 1: encrypt");
        let signing = cipher::derive(secret, b"mq seal 1: sign");
        Ok(Self { name, encrypting, signing })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn parse(text: &str, at: usize) -> Result<Self, KeyError> {
        let (name, digits) = text.split_once(':').ok_or(KeyError::Name { at })?;
        if !is_key_name(name) {
            return Err(KeyError::Name { at });
        }
        let mut secret = Zeroizing::new([0; 32]);
        if !read_hex(digits.as_bytes(), &mut secret) {
            return Err(KeyError::Digits { name: name.to_owned() });
        }
        Self::new(name, &secret)
    }
}

fn read_hex(digits: &[u8], into: &mut [u8; 32]) -> bool {
    let value = |digit: u8| char::from(digit).to_digit(16);
    let pairs = digits.chunks_exact(2);
    if digits.len() != 2 * into.len() {
        return false;
    }
    into.iter_mut().zip(pairs).all(|(byte, pair)| match (value(pair[0]), value(pair[1])) {
        (Some(high), Some(low)) => {
            *byte = (high << 4 | low) as u8;
            true
        }
        _ => false,
    })
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::parse(text, 1)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "000102030405060708090A0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[test]
    fn a_key_in_digits_is_the_one_in_bytes() {
        let bytes: [u8; 32] = std::array::from_fn(|at| at as u8);
        let [read, given] =
            [format!("k:{DIGITS}").parse::<Key>().unwrap(), Key::new("k", &bytes).unwrap()];
        assert_eq!((read.name(), *read.encrypting), ("k", *given.encrypting));
        assert_eq!(*read.signing, *given.signing);
        assert_ne!(*read.encrypting, *read.signing);
        assert_ne!(*read.encrypting, bytes);
    }

    #[test]
    fn what_is_no_key_is_told_without_its_digits() {
        let nameless = KeyError::Name { at: 1 };
        let digitless = KeyError::Digits { name: "k".to_owned() };
        for (text, expected) in [
            (DIGITS.to_owned(), &nameless),
            (format!(":{DIGITS}"), &nameless),
            (format!("two words:{DIGITS}"), &nameless),
            (format!("{}:{DIGITS}", "k".repeat(33)), &nameless),
            ("k:".to_owned(), &digitless),
            (format!("k:{}", &DIGITS[1..]), &digitless),
            (format!("k:{DIGITS}0"), &digitless),
            (format!("k:{}g", &DIGITS[1..]), &digitless),
            (format!("k:{}é", &DIGITS[2..]), &digitless),
        ] {
            let error = text.parse::<Key>().unwrap_err();
            assert_eq!(error, *expected, "{text}");
            assert!(!format!("{error} {error:?}").contains(&DIGITS[2..20]), "{error}");
        }
    }
}
