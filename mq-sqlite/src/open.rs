//! Opens the file, refuses what is not ours, and sets the tables up.

use std::path::Path;
use std::time::Duration;

use mq_core::connect::ConnectError;
use mq_core::failpoint::point;
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior};

use crate::error;
use crate::sql;
use crate::url::Settings;

/// The version of the tables in `sql/schema.sql`.
const VERSION: i64 = 1;
/// How long another process may hold the write lock.
const BUSY: Duration = Duration::from_secs(5);
/// More than there are statements.
const STATEMENTS_MAX: usize = 128;

/// Opens the store that the settings name, ready for use.
///
/// # Errors
/// See [`ConnectError`].
pub(crate) fn open(settings: &Settings) -> Result<Connection, ConnectError> {
    let shown = settings.path.as_deref().unwrap_or(Path::new(":memory:")).display().to_string();
    let mut conn = match &settings.path {
        None => Connection::open_in_memory().map_err(error::of)?,
        Some(path) => {
            create(path)?;
            Connection::open(path).map_err(error::of)?
        }
    };
    match prepare(&mut conn, settings, &shown) {
        Err(Failure::Sqlite(error)) if error.sqlite_error_code() == Some(NOT_OURS) => {
            let text = format!("{shown} is not an SQLite database: name another file");
            Err(ConnectError::Unfit(text))
        }
        Err(Failure::Sqlite(error)) => Err(error::of(error).into()),
        Err(Failure::Unfit(text)) => Err(ConnectError::Unfit(text)),
        Ok(()) => Ok(conn),
    }
}

const NOT_OURS: ErrorCode = ErrorCode::NotADatabase;

enum Failure {
    Sqlite(rusqlite::Error),
    Unfit(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Makes the file if it is not there, for its owner only: payloads are nobody else's business.
/// SQLite gives the same rights to the files that it puts beside it.
fn create(path: &Path) -> Result<(), ConnectError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            let text = format!("{} cannot be made: {error}; check the directory", path.display());
            Err(ConnectError::Unfit(text))
        }
        _ => Ok(()),
    }
}

fn prepare(conn: &mut Connection, settings: &Settings, shown: &str) -> Result<(), Failure> {
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Before anything is changed in the file.
    refuse_foreign(conn, shown)?;
    if settings.path.is_some() {
        let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(Failure::Unfit(format!(
                "{shown} cannot be used with a write-ahead log: put it on a local disk"
            )));
        }
    }
    conn.pragma_update(None, "synchronous", if settings.is_full { "FULL" } else { "NORMAL" })?;
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Again: another process may have been faster.
    if refuse_foreign(&tx, shown)?.is_none() {
        tx.execute_batch(sql!("schema"))?;
        point("sqlite.schema");
        tx.execute("INSERT INTO mq_meta VALUES (1, ?1, 0)", [VERSION])?;
    }
    tx.commit()?;
    Ok(())
}

/// The version of our tables, if they are there.
fn refuse_foreign(conn: &Connection, shown: &str) -> Result<Option<i64>, Failure> {
    let tables = "SELECT coalesce(max(name = 'mq_meta'), -1) FROM sqlite_schema";
    let found: i64 = conn.query_row(tables, [], |row| row.get(0))?;
    match found {
        -1 => return Ok(None),
        0 => {
            return Err(Failure::Unfit(format!(
                "{shown} is the database of another program: name another file"
            )));
        }
        _ => {}
    }
    let version = conn.query_row("SELECT version FROM mq_meta", [], |row| row.get(0)).optional()?;
    match version {
        Some(VERSION) => Ok(version),
        Some(newer) if newer > VERSION => Err(Failure::Unfit(format!(
            "{shown} was made by a newer mq: its tables have version {newer}, this one knows \
             {VERSION}; upgrade mq in this program"
        ))),
        _ => Err(Failure::Unfit(format!("{shown} has tables of mq without a version: restore it"))),
    }
}
