//! How a command ends, and what it says when it cannot do what it was asked.

use std::fmt;
use std::process::ExitCode;

use mq::admin::MoveError;
use mq::engine::{EngineError, EngineErrorKind};
use mq::{ConnectError, NameError};

/// The exit codes. Scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It is so, or it was done.
    Fine = 0,
    /// Something was found, refused, or is not there.
    Condition = 1,
    /// The command is not meant so.
    Usage = 2,
    /// The engine was not reached, or cannot be used.
    Unusable = 3,
}

impl Exit {
    /// `Condition` if it holds.
    pub(crate) fn condition(holds: bool) -> Self {
        if holds { Self::Condition } else { Self::Fine }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command was not carried out: an exit code and a sentence.
#[derive(Debug)]
pub(crate) struct Fail {
    exit: Exit,
    text: String,
}

impl Fail {
    pub(crate) fn condition(text: impl Into<String>) -> Self {
        Self { exit: Exit::Condition, text: text.into() }
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into() }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The same failure with what was done before it.
    pub(crate) fn after(self, text: &str) -> Self {
        Self { text: format!("{text}: {}", self.text), ..self }
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<EngineError> for Fail {
    fn from(error: EngineError) -> Self {
        let text = mq::chain_text(&error);
        match error.kind() {
            EngineErrorKind::Invalid => Self::usage(text),
            // Also when it refuses or is full or damaged: a script that waits for code 1 waits for
            // something about jobs.
            _ => Self { exit: Exit::Unusable, text },
        }
    }
}

impl From<ConnectError> for Fail {
    fn from(error: ConnectError) -> Self {
        let exit = match &error {
            ConnectError::Scheme { .. } | ConnectError::Url(_) => Exit::Usage,
            _ => Exit::Unusable,
        };
        Self { exit, text: mq::chain_text(&error) }
    }
}

impl From<MoveError> for Fail {
    fn from(error: MoveError) -> Self {
        let exit = match &error {
            MoveError::Store { .. } => Exit::Unusable,
            _ => Exit::Usage,
        };
        Self { exit, text: mq::chain_text(&error) }
    }
}

impl From<NameError> for Fail {
    fn from(error: NameError) -> Self {
        Self::usage(error.to_string())
    }
}

/// Of this program's own input, output and threads.
impl From<std::io::Error> for Fail {
    fn from(error: std::io::Error) -> Self {
        Self::condition(error.to_string())
    }
}
