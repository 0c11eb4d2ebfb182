//! What an attempt came to, as a value.

use std::error::Error as StdError;
use std::time::Duration;

/// What to do about a failed attempt; the answer of [`Handler::verdict`](crate::Handler::verdict).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Verdict {
    /// Try again by the job's backoff, until its attempts are used up.
    #[default]
    Retry,
    /// Try again after this time, until its attempts are used up.
    RetryIn(Duration),
    /// No attempt can help: straight to the dead letters.
    Discard,
}

/// How one attempt ended. Middleware sees it and may change it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It succeeded.
    Done,
    /// It failed.
    Failed {
        /// The error with its sources, for people.
        error: String,
        /// What to do about it.
        verdict: Verdict,
    },
    /// It wants to run later; no attempt is burnt.
    Snooze(Duration),
    /// The payload does not decode as the job's type, or its seal does not fit.
    Malformed {
        /// The decoder's words.
        error: String,
    },
}

impl Outcome {
    /// A failure that is retried by the job's backoff.
    pub fn failed(error: impl Into<String>) -> Self {
        Self::Failed { error: error.into(), verdict: Verdict::Retry }
    }

    /// Whether it succeeded.
    pub fn is_done(&self) -> bool {
        *self == Self::Done
    }
}

/// What a handler may return as its error.
///
/// Implemented for everything that turns into a boxed error: `thiserror` types, `anyhow::Error`,
/// `eyre::Report`, `String`, `&str`, `io::Error`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a handler",
    label = "not an error type",
    note = "implement `std::error::Error` for `{Self}` (for example with `thiserror`), \
            or use `anyhow::Error` or `String`"
)]
pub trait JobError: Send + 'static {
    /// The error with its sources, as it is stored and shown.
    fn into_text(self) -> String;
}

#[diagnostic::do_not_recommend]
impl<E> JobError for E
where
    E: Into<Box<dyn StdError + Send + Sync>> + Send + 'static,
{
    fn into_text(self) -> String {
        let error: Box<dyn StdError + Send + Sync> = self.into();
        chain_text(&*error)
    }
}

/// An error and its sources in one line: `sending failed: connection refused`.
///
/// A source whose text the outer error already ends with is not said twice; many error types print
/// their source and return it as well.
pub fn chain_text(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("sending failed")]
    struct Outer(#[source] std::io::Error);

    #[derive(Debug, thiserror::Error)]
    #[error("sending failed: {0}")]
    struct Chatty(#[source] std::io::Error);

    #[test]
    fn sources_are_said_once() {
        let io = || std::io::Error::other("refused");
        assert_eq!(Outer(io()).into_text(), "sending failed: refused");
        assert_eq!(Chatty(io()).into_text(), "sending failed: refused");
        assert_eq!("plain".into_text(), "plain");
    }
}
