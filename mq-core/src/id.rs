//! Who is who: jobs, workers, and the claim that ties one to the other.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::name::QueueName;
use crate::text22;
use crate::{mint, mutant};

/// A job's identity, minted by mq and never used twice.
///
/// A UUIDv7, so ids sort by creation; written as 22 characters of sortable base64 (`0-9A-Z_a-z~`).
///
/// ```
/// use mq_core::JobId;
/// let id = JobId::new();
/// assert_eq!(id.to_string().len(), 22);
/// assert_eq!(id.to_string().parse::<JobId>()?, id);
/// # Ok::<(), mq_core::ParseIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(u128);

/// One run of one worker process on one queue: a random number drawn at its start.
///
/// Never a host name or a process id: two replicas share those, and a restarted process must not
/// be mistaken for the one that died.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(u128);

/// The text is not a [`JobId`] or [`WorkerId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an id: expected 22 characters of `0-9A-Z_a-z~`, as mq prints them")]
pub struct ParseIdError(String);

impl JobId {
    /// Length of the text form, in bytes.
    pub const TEXT_LEN: usize = text22::LEN;

    /// Mints an id. Ids of one process ascend.
    #[expect(clippy::new_without_default, reason = "a default that differs each time surprises")]
    pub fn new() -> Self {
        Self(mint::mint())
    }

    /// When the id was minted, by the clock of the process that minted it.
    pub fn created_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis((self.0 >> 80) as i64).unwrap_or_default()
    }

    /// The same identity as a UUID, for databases that have a type for it.
    pub fn as_u128(&self) -> u128 {
        self.0
    }
}

impl WorkerId {
    /// Draws the identity of a worker that starts now.
    pub fn random() -> Self {
        if mutant::is(3) {
            static COUNTER: AtomicU64 = AtomicU64::new(1);
            return Self(COUNTER.fetch_add(1, Ordering::Relaxed).into());
        }
        Self(uuid::Uuid::new_v4().as_u128())
    }
}

macro_rules! text_form {
    ($name:ident) => {
        impl $name {
            /// Reads the 22-character form.
            ///
            /// # Errors
            /// When the bytes are not exactly what [`Display`](fmt::Display) writes for some id.
            pub fn parse(text: &[u8]) -> Result<Self, ParseIdError> {
                text22::decode(text).map(Self).ok_or_else(|| {
                    let shown: String = String::from_utf8_lossy(text).chars().take(64).collect();
                    ParseIdError(shown.escape_debug().to_string())
                })
            }

            /// The 22-character form without an allocation.
            pub fn to_text(&self) -> [u8; text22::LEN] {
                text22::encode(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = self.to_text();
                f.pad(std::str::from_utf8(&text).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                Self::parse(text.as_bytes())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

text_form!(JobId);
text_form!(WorkerId);

/// A worker's exclusive right to end the jobs that one claim request gave it: the fencing token.
///
/// The number is chosen by the client, ascends per [`WorkerId`] and is never used for a second
/// request. A store uses each number once. If it is rolled back by a power loss or a fail-over, it
/// forgets which it has used, and a copy of an old request that was on its way all the time may be
/// granted again: then one token has stood for two grants. Nobody waits for the second one, so what
/// it brings starts nowhere, and the worker, if it lives, hands it back; but an end that was on its
/// way under the first one may be accepted for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The queue that the jobs were taken from.
    pub queue: QueueName,
    /// The worker incarnation that asked.
    pub worker: WorkerId,
    /// Which of that worker's requests it was.
    pub number: u64,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.worker, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_process_ascend_as_texts() {
        let texts: Vec<_> = (0..1000).map(|_| JobId::new().to_text()).collect();
        assert!(texts.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn no_tool_takes_a_jobs_id_for_an_option() {
        assert!(JobId::new().to_string().starts_with('0'));
    }

    #[test]
    fn hostile_texts_are_refused_and_shown_escaped() {
        for text in ["", "x", "0000000000000000000000\n", "000000000000000000000é", "*"] {
            assert!(text.parse::<JobId>().is_err(), "{text:?}");
        }
        assert!(!"\u{1b}[31m".parse::<JobId>().unwrap_err().to_string().contains('\u{1b}'));
    }
}
