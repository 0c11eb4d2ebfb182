//! Opens the file: refuses what would not hold jobs, and makes connections ready for use.

use std::path::Path;
use std::time::Duration;

use mq_core::connect::ConnectError;
use mq_core::name::quoted;
use rusqlite::{Connection, ErrorCode};

use crate::error;
use crate::place;
use crate::renew::renew;
use crate::space::Space;
use crate::tables;
use crate::tx::STORE;
use crate::url::Settings;
use crate::version;
use crate::watch::Watch;

/// How long another process may hold the write lock.
pub(crate) const BUSY: Duration = Duration::from_secs(5);
/// More than there are statements.
const STATEMENTS_MAX: usize = 128;
/// Connections for questions: one may be busy with an audit while the other answers the rest.
const READERS: usize = 2;
/// Files up to this length are looked through before they are used, which takes a tenth of a
/// second then. For larger ones there is the audit.
const CHECKED_MAX: u64 = 64 * 1024 * 1024;
/// What is left of a log that was longer, once it is used again.
const WAL_KEPT: i64 = 64 * 1024 * 1024;

/// A store, ready for use.
pub(crate) struct Opened {
    pub(crate) writer: Connection,
    pub(crate) readers: Vec<Connection>,
    pub(crate) watch: Option<Watch>,
    pub(crate) space: Option<Space>,
    /// What tells this store from all others.
    pub(crate) store: String,
    /// What an operator should mend: one sentence each.
    pub(crate) warnings: Vec<String>,
}

/// Why a file is not used.
#[derive(Debug)]
pub(crate) enum Failure {
    Sqlite(rusqlite::Error),
    Unfit(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Opens the store that the settings name.
///
/// # Errors
/// See [`ConnectError`].
pub(crate) fn open(settings: &Settings) -> Result<Opened, ConnectError> {
    if let Some(text) = version::refusal(rusqlite::version_number(), rusqlite::version()) {
        return Err(ConnectError::Unfit(text));
    }
    let Some(path) = &settings.path else {
        let mut writer = Connection::open_in_memory().map_err(error::of)?;
        tables::set_up(&mut writer, false, ":memory:").map_err(|f| refusal(f, ":memory:"))?;
        tune(&writer, settings).map_err(error::of)?;
        let store = name(&writer)?;
        let (readers, warnings) = (Vec::new(), Vec::new());
        return Ok(Opened { writer, readers, watch: None, space: None, store, warnings });
    };
    let shown = path.display().to_string();
    place::refuse_link(path)?;
    if settings.is_made {
        create(path)?;
    } else if !path.exists() {
        return Err(ConnectError::Unfit(format!(
            "{shown} is not there: check the path; with `?mode=rwc` it is made"
        )));
    }
    refuse_network(path, &shown)?;
    let writer = open_file(path, settings, &shown).map_err(|failure| refusal(failure, &shown))?;
    let reader = || -> Result<Connection, ConnectError> {
        let reader = Connection::open(path).map_err(error::of)?;
        tune(&reader, settings).map_err(error::of)?;
        reader.pragma_update(None, "query_only", true).map_err(error::of)?;
        Ok(reader)
    };
    let readers = (0..READERS).map(|_| reader()).collect::<Result<_, _>>()?;
    // With links resolved, as SQLite does, which puts its files beside the real one.
    let path = writer.path().map_or(path.as_path(), Path::new);
    // After the first transaction, because only then is there a log.
    let watch = Watch::new(path);
    let space = Space::new(watch.clone(), path, settings.wal_max);
    let mut warnings = place::warnings(path);
    warnings.extend(version::warning(rusqlite::version_number(), rusqlite::version()));
    let (store, watch, space) = (name(&writer)?, Some(watch), Some(space));
    Ok(Opened { writer, readers, watch, space, store, warnings })
}

fn name(conn: &Connection) -> Result<String, ConnectError> {
    Ok(conn.query_row(STORE, (), |row| row.get(0)).map_err(error::of)?)
}

fn refusal(failure: Failure, shown: &str) -> ConnectError {
    match failure {
        Failure::Unfit(text) => ConnectError::Unfit(text),
        Failure::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            let text = format!("{shown} is not an SQLite database: name another file");
            ConnectError::Unfit(text)
        }
        Failure::Sqlite(error) => error::of(error).into(),
    }
}

/// Makes the file if it is not there, for its owner only: payloads are nobody else's business.
/// SQLite gives the same rights to the files that it puts beside it.
fn create(path: &Path) -> Result<(), ConnectError> {
    if path.exists() {
        return Ok(());
    }
    let mut options = std::fs::OpenOptions::new();
    // Not `create_new`: that takes a link to nothing for a file, which SQLite would then make, for
    // everybody to read.
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let made = options.open(path).map(drop);
    made.map_err(|error| {
        let text = format!("{} cannot be made: {error}; check the directory", path.display());
        ConnectError::Unfit(text)
    })
}

fn open_file(path: &Path, settings: &Settings, shown: &str) -> Result<Connection, Failure> {
    let mut conn = Connection::open(path)?;
    tune(&conn, settings)?;
    // Before anything is changed in the file.
    look_through(&conn, path)?;
    tables::check(&conn, settings.is_shared, shown)?;
    if !settings.is_shared {
        // Means something to a new file only: pages can be given back when the disk is full.
        conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Failure::Unfit(format!(
            "{shown} cannot be used with a write-ahead log: put it on a local disk"
        )));
    }
    tables::set_up(&mut conn, settings.is_shared, shown)?;
    // Before anybody is told that something was stored.
    renew(&mut conn)?;
    Ok(conn)
}

fn tune(conn: &Connection, settings: &Settings) -> rusqlite::Result<()> {
    // The file may come from anybody: functions that touch more than it are not for its schema, and
    // pages are checked before they are believed.
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    conn.pragma_update(None, "synchronous", if settings.is_full { "FULL" } else { "NORMAL" })?;
    // Means something on macOS only, where a sync leaves data in the memory of the drive otherwise.
    conn.pragma_update(None, "fullfsync", settings.is_full)?;
    conn.pragma_update(None, "checkpoint_fullfsync", settings.is_full)?;
    conn.pragma_update_and_check(None, "journal_size_limit", WAL_KEPT, |_| Ok(()))
}

/// Finds damage while nobody relies on the file yet.
fn look_through(conn: &Connection, path: &Path) -> Result<(), Failure> {
    if std::fs::metadata(path).is_ok_and(|data| data.len() > CHECKED_MAX) {
        return Ok(());
    }
    let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    let shown = path.display();
    Err(Failure::Unfit(format!(
        "{shown} is damaged ({}): stop all programs that use it and restore a copy",
        quoted(&found)
    )))
}

/// Refuses file systems of other machines, where the shared memory of a write-ahead log is not
/// shared and locks may be none: two machines would destroy the file.
#[cfg(target_os = "linux")]
fn refuse_network(path: &Path, shown: &str) -> Result<(), ConnectError> {
    // What cannot be asked is no reason to refuse.
    let Ok(found) = rustix::fs::statfs(path) else { return Ok(()) };
    match network_name(found.f_type as u64) {
        None => Ok(()),
        Some(name) => Err(ConnectError::Unfit(format!(
            "{shown} is on a network file system ({name}), where SQLite's write-ahead log does not \
             work: put it on a local disk, or use Redis for several machines"
        ))),
    }
}

/// Elsewhere there is no portable way to ask.
#[cfg(not(target_os = "linux"))]
fn refuse_network(_: &Path, _: &str) -> Result<(), ConnectError> {
    Ok(())
}

/// The file systems of other machines by their numbers in Linux's `magic.h` and sources. FUSE and
/// 9P are not among them: most of what they serve is on this machine.
#[cfg(target_os = "linux")]
fn network_name(magic: u64) -> Option<&'static str> {
    Some(match magic & 0xffff_ffff {
        0x6969 => "NFS",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x7375_7245 => "Coda",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_connection_trusts_the_file_or_loads_code() {
        let directory = tempfile::tempdir().unwrap();
        let file = format!("sqlite:{}/jobs.db", directory.path().display());
        for url in ["sqlite::memory:", &file] {
            let opened = open(&Settings::parse(url).unwrap()).unwrap();
            for conn in opened.readers.iter().chain([&opened.writer]) {
                let is_on = |pragma: &str| -> bool {
                    conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0)).unwrap()
                };
                assert!(!is_on("trusted_schema"), "{url}");
                assert!(is_on("cell_size_check"), "{url}");
                let loaded = conn.query_row("SELECT load_extension('x')", [], |_| Ok(()));
                let refused = loaded.unwrap_err().to_string();
                let is_off = refused.contains("not authorized") || refused.contains("no such");
                assert!(is_off, "{refused}");
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn other_machines_file_systems_are_known_and_those_of_this_one_are_not() {
        assert_eq!(network_name(0x6969), Some("NFS"));
        // As a signed number has it that was made longer.
        assert_eq!(network_name(0xffff_ffff_ff53_4d42), Some("SMB"));
        // ext4, tmpfs, overlay, btrfs, xfs, zfs.
        for local in [0xef53, 0x0102_1994, 0x794c_7630, 0x9123_683e, 0x5846_5342, 0x2fc1_2fc1] {
            assert_eq!(network_name(local), None);
        }
        refuse_network(&std::env::temp_dir(), "here").unwrap();
    }
}
