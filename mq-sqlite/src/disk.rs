//! Whether what is written can still be brought to the disk.
//!
//! A page that could not be written counts as written on Linux once that was said: the next sync
//! succeeds without it. To try again would be to acknowledge what is gone, and whatever is added to
//! a log behind a hole goes with it. So after one sync that failed the engine stores nothing more,
//! whatever the disk says next. PostgreSQL has ended itself since 2019 for the same reason; a
//! library leaves that to the program.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use mq_core::clock::now;
use mq_core::engine::{EngineError, EngineErrorKind};

/// What all threads of an engine know about its disk.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    /// The database, for texts.
    path: PathBuf,
    failure: OnceLock<Failure>,
}

#[derive(Debug)]
struct Failure {
    at: Instant,
    /// How long before that the first commit was made that may be gone; none if none was
    /// acknowledged.
    lost: Option<Duration>,
    cause: String,
}

impl Disk {
    /// A disk that is well, as far as is known.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { state: Arc::new(State { path, failure: OnceLock::new() }) }
    }

    /// A sync has failed, for good. `open` is when the first commit was made that no sync has
    /// covered, if any was acknowledged.
    pub(crate) fn failed(&self, cause: impl fmt::Display, open: Option<Instant>) {
        let at = now();
        let lost = open.map(|first| at.saturating_duration_since(first));
        let failure = Failure { at, lost, cause: cause.to_string() };
        if self.state.failure.set(failure).is_ok() {
            tracing::error!("{}", self.warning().unwrap_or_default());
        }
    }

    /// Whether a sync has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.state.failure.get().is_some()
    }

    /// What an operator should know and do, once a sync has failed.
    pub(crate) fn warning(&self) -> Option<String> {
        let Failure { at, lost, cause } = self.state.failure.get()?;
        let path = self.state.path.display();
        let lost = lost.map_or_else(String::new, |lost| {
            format!("what was acknowledged in the {lost:.1?} before may be gone, and ")
        });
        Some(format!(
            "the disk failed {:.0?} ago while {path} was synced ({cause}): {lost}this process \
             stores nothing more; check the disk, then end all programs that use the file and \
             start them again",
            at.elapsed()
        ))
    }

    /// The refusal of what was not begun.
    pub(crate) fn refusal(&self) -> Option<EngineError> {
        self.warning().map(|text| EngineError::new(EngineErrorKind::Damaged, text))
    }

    /// The error of what was committed, or nearly, when a sync failed.
    pub(crate) fn doubt(&self) -> Option<EngineError> {
        let text = format!("it may or may not have been stored: {}", self.warning()?);
        Some(EngineError::new(EngineErrorKind::Unknown, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_told_for_good() {
        let disk = Disk::new("jobs.db".into());
        assert!(disk.refusal().is_none() && disk.doubt().is_none());
        disk.failed("EIO", Some(now()));
        disk.failed("later", None);
        let refusal = disk.refusal().unwrap();
        assert_eq!(refusal.kind(), EngineErrorKind::Damaged);
        let text = refusal.to_string();
        for part in ["jobs.db", "EIO", "may be gone", "check the disk"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(disk.doubt().unwrap().kind(), EngineErrorKind::Unknown);
    }
}
