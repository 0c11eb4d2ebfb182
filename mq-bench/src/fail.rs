//! How the program ends, and what it says when it cannot measure.

use std::fmt;
use std::process::ExitCode;

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was measured.
    Fine = 0,
    /// Something failed while it was measured.
    Failed = 1,
    /// The command is not meant so.
    Usage = 2,
    /// Something is missing on this machine.
    Missing = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why something was not done: an exit code and a sentence.
#[derive(Debug)]
pub(crate) struct Fail {
    exit: Exit,
    text: String,
}

impl Fail {
    /// Something went wrong on the way.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, text: text.into() }
    }

    /// The arguments make no sense.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into() }
    }

    /// This machine lacks something.
    pub(crate) fn missing(text: impl Into<String>) -> Self {
        Self { exit: Exit::Missing, text: text.into() }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The same, with where it happened.
    pub(crate) fn at(self, place: &str) -> Self {
        Self { text: format!("{place}: {}", self.text), ..self }
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Nobody recovers from one of these, so all that is kept of an error is its words.
impl<E: std::error::Error + 'static> From<E> for Fail {
    fn from(error: E) -> Self {
        Self::new(mq::chain_text(&error))
    }
}
