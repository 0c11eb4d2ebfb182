//! What has happened to a job so far; only jobs with a past have one.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// How many attempts' errors are kept: the first, and the latest up to this number in all.
pub const ERRORS_MAX: usize = 20;
/// Longest error text that is kept, in bytes.
pub const ERROR_LEN_MAX: usize = 8 * 1024;
/// How many times of interruption are kept.
const INTERRUPTIONS_MAX: usize = 16;
/// Longest stored form that is read, in bytes: what [`ERRORS_MAX`] errors take if every byte of
/// them needs JSON's longest escape, and room for the rest.
const STORED_LEN_MAX: usize = 6 * ERRORS_MAX * ERROR_LEN_MAX + 64 * 1024;

/// A job's past: attempts, interruptions, errors, and why it died.
///
/// Engines store it as opaque bytes beside the [`Record`](crate::Record); it is written only by the
/// holder of a claim, or by an operator's verb on a job that nobody holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct History {
    /// Attempts that ended since the job was enqueued or last revived, without the running one.
    pub attempts: u32,
    /// Attempts before the last time that somebody took the job back from the dead letters.
    #[serde(skip_serializing_if = "is_zero")]
    pub attempts_before: u32,
    /// How often the job was put off without burning an attempt.
    #[serde(skip_serializing_if = "is_zero")]
    pub snoozes: u32,
    /// When claims of this job ended with the death of the worker: ms since 1970, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interruptions: Vec<u64>,
    /// What went wrong, attempt by attempt, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<AttemptError>,
    /// How many errors between the first and the second kept one were let go.
    #[serde(skip_serializing_if = "is_zero")]
    pub errors_dropped: u32,
    /// Why and when the job went to the dead letters, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub death: Option<Death>,
    /// When the job ended well or was cancelled, if it is kept: ms since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
}

/// One failed attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttemptError {
    /// Which attempt, from 1.
    pub attempt: u32,
    /// When it ended: ms since 1970, on the server's clock.
    pub at_ms: u64,
    /// The error and its sources, at most [`ERROR_LEN_MAX`] bytes.
    pub error: String,
}

/// Why a job is a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Death {
    /// The class of the cause.
    pub reason: DeathReason,
    /// When: ms since 1970, on the server's clock.
    pub at_ms: u64,
}

/// The classes of causes that make a job a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeathReason {
    /// Every attempt failed.
    Exhausted,
    /// The handler's verdict was that no attempt can help.
    Discarded,
    /// The payload does not decode as its kind, or the record is damaged.
    Malformed,
    /// Workers died while running it, too often to try again.
    Poison,
    /// An operator sent it there.
    Operator,
}

impl std::fmt::Display for DeathReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Exhausted => "exhausted",
            Self::Discarded => "discarded",
            Self::Malformed => "malformed",
            Self::Poison => "poison",
            Self::Operator => "operator",
        })
    }
}

impl History {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads the stored form. Bytes that cannot be read give an empty past rather than an error:
    /// a damaged diary must not keep a job from running. So do more bytes than mq ever writes.
    pub fn decode(bytes: &[u8]) -> Self {
        if bytes.len() > STORED_LEN_MAX {
            return Self::default();
        }
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    /// The number that the attempt being claimed now has, from 1.
    pub fn next_attempt(&self) -> u32 {
        self.attempts.saturating_add(1)
    }

    /// Attempts over the job's whole life.
    pub fn lifetime_attempts(&self) -> u32 {
        self.attempts.saturating_add(self.attempts_before)
    }

    /// The latest error, if any attempt failed.
    pub fn last_error(&self) -> Option<&AttemptError> {
        self.errors.last()
    }

    /// Notes that the attempt under way failed.
    pub fn push_error(&mut self, at_ms: u64, error: &str) {
        let error = shorten_error(error).into_owned();
        if self.errors.len() >= ERRORS_MAX {
            // The first error often names the cause and the later ones its consequences.
            self.errors.remove(1);
            self.errors_dropped = self.errors_dropped.saturating_add(1);
        }
        self.errors.push(AttemptError { attempt: self.lifetime_attempts(), at_ms, error });
    }

    /// Notes that the worker died during the attempt under way.
    pub fn push_interruption(&mut self, at_ms: u64) {
        if self.interruptions.len() >= INTERRUPTIONS_MAX {
            self.interruptions.remove(0);
        }
        self.interruptions.push(at_ms);
    }

    /// How many interruptions lie within `window_ms` before `now_ms`.
    pub fn interruptions_within(&self, now_ms: u64, window_ms: u64) -> usize {
        let from = now_ms.saturating_sub(window_ms);
        self.interruptions.iter().filter(|at| **at >= from).count()
    }

    /// The past of a job that an operator sends to the dead letters.
    #[must_use]
    pub fn discarded(mut self, at_ms: u64) -> Self {
        self.death = Some(Death { reason: DeathReason::Operator, at_ms });
        self
    }

    /// The past of a job that goes to the dead letters because its record cannot be read.
    #[must_use]
    pub fn malformed(mut self, at_ms: u64, error: &str) -> Self {
        self.push_error(at_ms, error);
        self.death = Some(Death { reason: DeathReason::Malformed, at_ms });
        self
    }

    /// The past of a job that is taken back from the dead letters: a full set of attempts again,
    /// while the count over its life stays.
    #[must_use]
    pub fn revived(mut self) -> Self {
        self.attempts_before = self.lifetime_attempts();
        self.attempts = 0;
        self.interruptions.clear();
        self.death = None;
        self.ended_ms = None;
        self
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// An error's text, cut to [`ERROR_LEN_MAX`] bytes at a character boundary if it is longer; it says
/// then that it was cut.
pub fn shorten_error(text: &str) -> Cow<'_, str> {
    const NOTE: &str = " … (cut)";
    if text.len() <= ERROR_LEN_MAX {
        return Cow::Borrowed(text);
    }
    let mut end = ERROR_LEN_MAX - NOTE.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(text.get(..end).unwrap_or_default().to_owned() + NOTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_life_keeps_the_first_error_and_the_latest_within_bounds() {
        let mut history = History::default();
        for attempt in 1..=1000u32 {
            history.attempts = attempt;
            history.push_error(u64::from(attempt), &"é".repeat(ERROR_LEN_MAX));
            history.push_interruption(u64::from(attempt));
        }
        assert_eq!(history.errors.len(), ERRORS_MAX);
        assert_eq!(history.errors[0].attempt, 1);
        assert_eq!(history.last_error().unwrap().attempt, 1000);
        assert_eq!(history.errors_dropped, 980);
        assert!(history.errors.iter().all(|error| error.error.len() <= ERROR_LEN_MAX));
        assert!(history.encode().len() < 400 * 1024);
    }

    #[test]
    fn the_longest_past_is_read_back_and_what_is_longer_is_none_of_ours() {
        let mut history = History { attempts: 25, ..History::default() };
        for _ in 0..30 {
            history.push_error(u64::MAX, &"\u{1}".repeat(2 * ERROR_LEN_MAX));
            history.push_interruption(u64::MAX);
        }
        assert_eq!(History::decode(&history.encode()), history);
        let padded = [history.encode(), vec![b' '; STORED_LEN_MAX]].concat();
        assert_eq!(History::decode(&padded), History::default());
    }

    #[test]
    fn it_survives_encoding_and_shrugs_off_damage() {
        let mut history = History { attempts: 3, ..History::default() };
        history.push_error(7, "boom");
        assert_eq!(History::decode(&history.encode()), history);
        assert_eq!(History::decode(b"\xff{"), History::default());
        assert_eq!(History::default().encode(), b"{\"attempts\":0}");
    }

    #[test]
    fn reviving_gives_attempts_back_but_keeps_the_lifetime_count() {
        let mut history = History { attempts: 25, attempts_before: 5, ..History::default() };
        history.push_interruption(1);
        let revived = history.revived();
        assert_eq!((revived.attempts, revived.lifetime_attempts()), (0, 30));
        assert!(revived.interruptions.is_empty());
    }
}
