//! Names that users choose: queues, kinds, idempotency keys, tags.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest queue name, kind, idempotency key or tag, in bytes.
pub const NAME_LEN_MAX: usize = 128;

/// A name that mq does not accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing, or only white space.
    #[error("the {what} is empty: give it at least one visible character")]
    Empty {
        /// What the name is of, for example `queue name`.
        what: &'static str,
    },
    /// More than [`NAME_LEN_MAX`] bytes.
    #[error("the {what} has {len} bytes: at most {NAME_LEN_MAX} are allowed")]
    TooLong {
        /// What the name is of.
        what: &'static str,
        /// Its length in bytes.
        len: usize,
    },
    /// A control character, line break or direction mark, which would garble logs and terminals.
    #[error("the {what} `{shown}` contains the control character {character:?}: remove it")]
    Control {
        /// What the name is of.
        what: &'static str,
        /// The name, escaped.
        shown: String,
        /// The character.
        character: char,
    },
}

/// Checks a name of any sort.
///
/// Every other character is allowed, also `:`, `*`, `{` and `}`: engines encode names before they
/// put them into keys.
///
/// # Errors
/// See [`NameError`].
pub fn check(what: &'static str, name: &str) -> Result<(), NameError> {
    if name.trim().is_empty() {
        return Err(NameError::Empty { what });
    }
    if name.len() > NAME_LEN_MAX {
        return Err(NameError::TooLong { what, len: name.len() });
    }
    match name.chars().find(|character| is_unprintable(*character)) {
        Some(character) => {
            let shown = name.escape_debug().to_string();
            Err(NameError::Control { what, shown, character })
        }
        None => Ok(()),
    }
}

/// Control characters and the marks that change text direction (Unicode TR 9), which can make a
/// log line or a table read as something else.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}'
            | '\u{2029}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Text of strangers in a line for people: what could garble a log or a terminal is escaped, all
/// else stays. Doing it twice changes nothing.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unprintable(character) {
            shown.extend(character.escape_debug());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The same for a message, which is to stay short: of a longer text, the first 200 characters.
pub fn quoted(text: &str) -> String {
    const CHARACTERS_MAX: usize = 200;
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => printable(text.get(..end).unwrap_or_default()) + "…",
        None => printable(text),
    }
}

/// The name of a queue: a list of jobs that workers take from.
///
/// Cheap to clone. Made with [`FromStr`]; see [`check`] for what is allowed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName(Arc<str>);

impl QueueName {
    /// The queue of jobs that name none.
    pub const DEFAULT: &'static str = "default";

    /// Checks a name and keeps it.
    ///
    /// # Errors
    /// See [`NameError`].
    pub fn new(name: impl AsRef<str>) -> Result<Self, NameError> {
        check("queue name", name.as_ref())?;
        Ok(Self(name.as_ref().into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for QueueName {
    type Err = NameError;
    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl AsRef<str> for QueueName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for QueueName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for QueueName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for QueueName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_garble_a_terminal_are_refused_with_the_reason() {
        assert!(matches!(QueueName::new(" "), Err(NameError::Empty { .. })));
        assert!(matches!(QueueName::new("q".repeat(129)), Err(NameError::TooLong { .. })));
        for name in ["a\nb", "a\0", "\u{1b}[31mred", "a\u{202e}b"] {
            let error = QueueName::new(name).unwrap_err();
            assert!(matches!(error, NameError::Control { .. }), "{name:?}");
            assert!(!error.to_string().chars().any(is_unprintable), "{error}");
        }
    }

    #[test]
    fn text_of_strangers_is_made_printable_and_short() {
        assert_eq!(printable("a\u{1b}[31m\n\u{202e}é{語"), "a\\u{1b}[31m\\n\\u{202e}é{語");
        assert_eq!(printable(&printable("\r\u{feff}")), "\\r\\u{feff}");
        assert_eq!(quoted(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(quoted(&"é".repeat(201)), "é".repeat(200) + "…");
    }

    #[test]
    fn odd_but_printable_names_are_allowed() {
        for name in ["{}", "}{", ":", "*", "a b", "größe", "q1}:x{", "%7B", "ｄefault"] {
            assert_eq!(QueueName::new(name).unwrap().as_str(), name);
        }
    }
}
