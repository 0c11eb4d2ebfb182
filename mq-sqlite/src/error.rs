//! From SQLite's errors to those of the contract.

use std::ffi::c_int;
use std::fmt;

use mq_core::engine::{EngineError, EngineErrorKind};
use mq_core::name::printable;
use rusqlite::{Error, ErrorCode, ffi};

/// What an operation inside the transaction returns.
pub(crate) type Result<T> = std::result::Result<T, EngineError>;

/// Says what SQLite's error means for the caller of an operation.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`, in a hundred places")]
pub(crate) fn of(error: Error) -> EngineError {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    let (kind, text) = match error.sqlite_error_code() {
        // Never in a transaction of ours, each of which begins by writing.
        Some(_) if extended == Some(ffi::SQLITE_BUSY_SNAPSHOT) => (
            EngineErrorKind::Unavailable,
            "the transaction began by reading, and somebody has written since: begin it as \
             `IMMEDIATE`, and run it again",
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            EngineErrorKind::Unavailable,
            "another process kept the database locked for too long: look for a transaction that \
             was left open",
        ),
        Some(ErrorCode::DiskFull) => (EngineErrorKind::Full, FULL),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => (
            EngineErrorKind::Denied,
            "the database may not be written: check the owner and the rights of the file and its \
             directory",
        ),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
            EngineErrorKind::Damaged,
            "the database file is damaged: stop all programs that use it and restore a copy",
        ),
        Some(_) if extended.is_some_and(is_sync) => (
            EngineErrorKind::Unknown,
            "the disk failed while the database was synced: check the disk",
        ),
        Some(ErrorCode::TooBig) => {
            (EngineErrorKind::Invalid, "a value is larger than SQLite can take: make it smaller")
        }
        Some(_) => (EngineErrorKind::Unknown, "the database failed in the middle: try again"),
        None => (
            EngineErrorKind::Damaged,
            "the database holds what mq did not write: see which program changed it",
        ),
    };
    let is_sync = extended.is_some_and(is_sync);
    let cause = Cause { text: printable(&error.to_string()), is_sync };
    EngineError::new(kind, text).with_source(cause)
}

fn is_sync(extended: c_int) -> bool {
    matches!(extended, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
}

/// What SQLite says if it is that a sync failed.
pub(crate) fn failed_sync(error: &EngineError) -> Option<&impl fmt::Display> {
    let cause: &Cause = std::error::Error::source(error)?.downcast_ref()?;
    cause.is_sync.then_some(cause)
}

/// What SQLite says. It quotes names and values of the file, which may be anything.
#[derive(Debug)]
struct Cause {
    text: String,
    /// Whether a sync has failed.
    is_sync: bool,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Cause {}

const FULL: &str = "the disk of the database is full: make room; jobs that are stored go on";

/// The error of those who bring new jobs to a full disk.
pub(crate) fn full() -> EngineError {
    EngineError::new(EngineErrorKind::Full, FULL)
}

/// The refusal of a request that is larger than the contract allows.
pub(crate) fn check_len(len: usize) -> Result<()> {
    use mq_core::engine::BATCH_MAX;
    if len <= BATCH_MAX {
        return Ok(());
    }
    let text = format!("a request of {len} jobs is too large: send at most {BATCH_MAX} at a time");
    Err(EngineError::new(EngineErrorKind::Invalid, text))
}
