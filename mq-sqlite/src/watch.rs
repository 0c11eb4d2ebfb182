//! Whether the file in use is still the one that has its name.
//!
//! A file that is deleted or replaced goes on working for those who have it open, and what they
//! write is seen by nobody else and gone with them. SQLite does not notice, so mq looks.

use std::ffi::OsString;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use mq_core::engine::{EngineError, EngineErrorKind};

use crate::error::Result;

/// The files of a store as they were when it was opened.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    files: [(PathBuf, Identity); 2],
}

/// What tells two files of one name apart: device and number.
type Identity = Option<(u64, u64)>;

impl Watch {
    /// Remembers the database and its log, which exists for as long as somebody has it open.
    pub(crate) fn new(path: &Path) -> Self {
        let file = |path: PathBuf| {
            let identity = std::fs::metadata(&path).ok().and_then(|data| identity(&data));
            (path, identity)
        };
        Self { files: [file(path.to_owned()), file(beside(path, "-wal"))] }
    }

    /// How long the log is, in bytes.
    pub(crate) fn wal_len(&self) -> u64 {
        std::fs::metadata(self.wal()).map_or(0, |data| data.len())
    }

    /// Where the database is.
    pub(crate) fn path(&self) -> &Path {
        let [(path, _), _] = &self.files;
        path
    }

    /// Where the log is.
    pub(crate) fn wal(&self) -> &Path {
        let [_, (wal, _)] = &self.files;
        wal
    }

    /// Refuses to go on if one of them is gone or another.
    pub(crate) fn check(&self) -> Result<()> {
        for (path, known) in &self.files {
            // A file that cannot be looked at was not necessarily replaced; if it cannot be
            // written either, SQLite says so.
            let is_there = match std::fs::metadata(path) {
                Ok(data) => known.is_none() || identity(&data) == *known,
                Err(error) => error.kind() != std::io::ErrorKind::NotFound,
            };
            if !is_there {
                return Err(replaced(path));
            }
        }
        Ok(())
    }
}

fn replaced(path: &Path) -> EngineError {
    let text = format!(
        "{} was deleted or replaced while it was in use, and nothing more is stored: put the old \
         file back, or end all programs that use it and start them again",
        path.display()
    );
    EngineError::new(EngineErrorKind::Damaged, text)
}

#[cfg(unix)]
fn identity(data: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    Some((data.dev(), data.ino()))
}

/// Elsewhere an open file cannot be replaced.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {
    None
}

/// The name of a file that belongs to the database.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}
