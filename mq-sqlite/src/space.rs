//! Room to finish what was begun.
//!
//! On a full disk SQLite can store nothing, not even that a job is done, and a worker that cannot
//! say so would run the job again. So a file of some megabytes lies beside the database. When the
//! disk is full it is given up: new jobs are refused from then on, and the room that it leaves
//! serves those that are there. When it can be made again, all is well.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mq_core::clock;
use mq_core::engine::{EngineError, EngineErrorKind};
use rusqlite::Connection;

use crate::error::full;
use crate::open::BUSY;
use crate::watch::{Watch, beside};

/// Enough for a log as long as SQLite lets it grow (1,000 pages of 4 KiB), which must find room in
/// the database before it can be used again, and half as much for what is being done.
const RESERVE: u64 = 6 * 1024 * 1024;
/// How often making it again is tried.
const INTERVAL: Duration = Duration::from_secs(1);
/// From here on somebody is told that the log grows.
const LOG_WARN: u64 = 256 * 1024 * 1024;

/// What is known about the room that is left.
#[derive(Debug)]
pub(crate) struct Space {
    watch: Watch,
    reserve: PathBuf,
    /// Most bytes of the log before new jobs are refused.
    wal_max: u64,
    /// When it was last tried to get out of it, while the disk is full.
    full_since: Option<Instant>,
    /// The length of the log that was last complained about.
    warned: u64,
    /// When it was last tried to shorten the log.
    shortened: Option<Instant>,
}

impl Space {
    /// Makes the reserve if it is not there. A disk that has no room for it is not full yet.
    pub(crate) fn new(watch: Watch, path: &Path, wal_max: u64) -> Self {
        let reserve = beside(path, "-reserve");
        let (full_since, shortened, warned) = (None, None, LOG_WARN / 2);
        let space = Self { watch, reserve, wal_max, full_since, warned, shortened };
        if let Err(error) = space.set_aside() {
            let shown = space.reserve.display();
            tracing::warn!("{shown} cannot be made, so a full disk will stop workers too: {error}");
        }
        space
    }

    /// Why no new jobs can be taken now, if so.
    pub(crate) fn refusal(&mut self, conn: &Connection) -> Option<EngineError> {
        if self.is_full(conn) {
            return Some(full());
        }
        let mut len = self.watch.wal_len();
        if len >= self.warned.saturating_mul(2) {
            self.warned = len;
            tracing::warn!("the log of the database has {}: {GROWS}", megabytes(len));
        }
        if len > self.wal_max && is_time(&mut self.shortened) {
            shorten_log(conn);
            len = self.watch.wal_len();
        }
        (len > self.wal_max).then(|| {
            let text = format!("the log of the database has {}: {GROWS}", megabytes(len));
            EngineError::new(EngineErrorKind::Full, text)
        })
    }

    /// Whether the disk is full, as far as is known.
    fn is_full(&mut self, conn: &Connection) -> bool {
        if self.full_since.is_none() {
            return false;
        }
        if !is_time(&mut self.full_since) {
            return true;
        }
        if self.set_aside().is_err() {
            // What jobs have left is in the file, where only new jobs could use it.
            give_back(conn);
            return true;
        }
        self.full_since = None;
        tracing::info!("the disk of the database has room again, new jobs are taken");
        false
    }

    /// Gives the reserve up, because the disk is full; whether there was one.
    pub(crate) fn give_way(&mut self, conn: &Connection) -> bool {
        if self.full_since.is_none() {
            tracing::warn!("the disk of the database is full: new jobs are refused, others run on");
        }
        self.full_since = Some(clock::now());
        let is_more = std::fs::remove_file(&self.reserve).is_ok();
        if is_more {
            // Most of what takes room is a log that waits for room in the database.
            shorten_log(conn);
        }
        is_more
    }

    fn set_aside(&self) -> io::Result<()> {
        let found = std::fs::symlink_metadata(&self.reserve);
        if found.is_ok_and(|data| data.is_file() && data.len() >= RESERVE) {
            return Ok(());
        }
        let result = self.make();
        if result.is_err() {
            // Half of it would only take room away.
            let _ = std::fs::remove_file(&self.reserve);
        }
        result
    }

    fn make(&self) -> io::Result<()> {
        // Never over what is there: it may be a link, and what that leads to would be lost.
        match std::fs::remove_file(&self.reserve) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&self.reserve) {
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            file => allocate(file?),
        }
    }
}

const GROWS: &str = "some program keeps a transaction open, so that the log cannot be used again: \
                     end it";

/// Moves what is in the log to where it belongs and makes the log short, unless somebody reads it:
/// nobody is waited for.
fn shorten_log(conn: &Connection) {
    if conn.busy_timeout(Duration::ZERO).is_ok() {
        // Whether that went well shows in the log's length.
        let _ = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
    // The same call with another number: what could fail has failed above.
    let _ = conn.busy_timeout(BUSY);
}

/// Cuts pages that nobody uses off the file. Bounded, because it moves others to where they were.
fn give_back(conn: &Connection) {
    let cut = || -> rusqlite::Result<()> {
        let mut vacuum = conn.prepare_cached("PRAGMA incremental_vacuum(1024)")?;
        let mut steps = vacuum.query([])?;
        while steps.next()?.is_some() {}
        Ok(())
    };
    // Whether that went well shows in the room that there is.
    let _ = cut();
    shorten_log(conn);
}

/// Whether something that is done now and then is to be done again.
fn is_time(last: &mut Option<Instant>) -> bool {
    let is_time = last.is_none_or(|last| last.elapsed() >= INTERVAL);
    if is_time {
        *last = Some(clock::now());
    }
    is_time
}

fn megabytes(bytes: u64) -> String {
    format!("{} MiB", bytes / (1024 * 1024))
}

#[cfg(target_os = "linux")]
fn allocate(file: File) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(&file, FallocateFlags::empty(), 0, RESERVE) {
        Err(rustix::io::Errno::OPNOTSUPP) => fill(file),
        done => Ok(done?),
    }
}

#[cfg(not(target_os = "linux"))]
fn allocate(file: File) -> io::Result<()> {
    fill(file)
}

/// Written and not only made long: a file with holes takes no room.
fn fill(mut file: File) -> io::Result<()> {
    let block = vec![0; 64 * 1024];
    for _ in 0..RESERVE / block.len() as u64 {
        file.write_all(&block)?;
    }
    file.sync_data()
}
