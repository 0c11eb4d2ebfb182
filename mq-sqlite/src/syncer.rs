//! Brings what was committed to the disk, soon after.
//!
//! With `synchronous=normal` SQLite leaves the log to the operating system until the next
//! checkpoint, which in an idle program may be never; a power loss would take jobs that were
//! acknowledged minutes ago. `synchronous=full` would make each commit wait. So a thread of its own
//! syncs the log: at once after the first commit, and not again within [`PAUSE`]. When the disk is
//! so slow that this would break the promise, the writer waits for it.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mq_core::clock::now;

use crate::disk::Disk;
use crate::error::Result;

/// Half of what [`Durability::Disk1s`](mq_core::engine::Durability) allows to be lost: the other
/// half is for the disk.
const PAUSE: Duration = Duration::from_millis(500);
/// The most that may be lost on a disk that is slow: two seconds, and the time of one more commit.
const LATE: Duration = Duration::from_millis(1_800);

/// The way to the thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Syncer {
    commits: SyncSender<()>,
    log: Arc<Log>,
    /// The log for the writer, when it syncs by itself.
    file: File,
}

/// Since when the log has had something that the disk may lack.
#[derive(Debug)]
struct Log {
    disk: Disk,
    open: Mutex<Option<Open>>,
}

/// When the commits were made that no sync has covered.
#[derive(Debug, Clone, Copy)]
struct Open {
    first: Instant,
    last: Instant,
}

impl Syncer {
    /// Starts the thread for this log.
    pub(crate) fn start(path: &Path, disk: Disk) -> io::Result<Self> {
        let log = Arc::new(Log { disk, open: Mutex::default() });
        let (file, threads) = (open(path)?, open(path)?);
        // One place: a commit that finds it taken is covered by the sync that is still to come.
        let (commits, receiver) = sync_channel(1);
        let its = Arc::clone(&log);
        let work = move || run(&its, &threads, &receiver);
        std::thread::Builder::new().name("mq-sqlite-sync".to_owned()).spawn(work)?;
        Ok(Self { commits, log, file })
    }

    /// Something was committed, and nobody was told yet. Returns when they may be, or an error if
    /// they must not.
    pub(crate) fn note(&self) -> Result<()> {
        let first = self.log.note(now());
        // Full is as good, and without the thread there is nobody to tell.
        let _ = self.commits.try_send(());
        if first.elapsed() > LATE {
            self.log.sync(&self.file);
        }
        self.log.disk.doubt().map_or(Ok(()), Err)
    }
}

fn run(log: &Log, file: &File, commits: &Receiver<()>) {
    while commits.recv().is_ok() && !log.disk.has_failed() {
        log.sync(file);
        // Awake early is no harm.
        std::thread::park_timeout(PAUSE);
    }
}

impl Log {
    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A commit was made; returns when the first one was that is not covered.
    fn note(&self, at: Instant) -> Instant {
        let mut open = self.open();
        let first = open.map_or(at, |open| open.first);
        *open = Some(Open { first, last: at });
        first
    }

    /// A sync that began then has succeeded.
    fn covered(&self, begun: Instant) {
        let mut open = self.open();
        // Which of those after it was the first is not known, so the earliest that it can be.
        *open = open
            .filter(|open| open.last >= begun)
            .map(|open| Open { first: open.first.max(begun), ..open });
    }

    fn sync(&self, file: &File) {
        let begun = now();
        match file.sync_data() {
            Ok(()) => self.covered(begun),
            Err(error) => self.disk.failed(error, self.open().map(|open| open.first)),
        }
    }
}

/// A descriptor for one thread, kept for good. What the disk could not take is told once to each
/// that is open at the time, also if it was another process that synced, or nobody; one that is
/// opened later may be told nothing. Closing it gives up none of SQLite's locks, which are on its
/// other files.
fn open(log: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_open_until_a_sync_that_began_after_it() {
        let log = Log { disk: Disk::new("jobs.db".into()), open: Mutex::default() };
        let (start, second) = (now(), Duration::from_secs(1));
        assert_eq!(log.note(start), start);
        assert_eq!(log.note(start + second), start, "the first one counts");
        log.covered(start + second / 2);
        assert_eq!(log.note(start + second * 2), start + second / 2, "one may be as old as that");
        log.covered(start + second * 3);
        assert_eq!(log.note(start + second * 4), start + second * 4);
    }
}
