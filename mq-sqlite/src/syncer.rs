//! Brings what was committed to the disk, soon after.
//!
//! With `synchronous=normal` SQLite leaves the log to the operating system until the next
//! checkpoint, which in an idle program may be never; a power loss would take jobs that were
//! acknowledged minutes ago. `synchronous=full` would make each commit wait. So a thread of its own
//! syncs the log: at once after the first commit, and not again within [`PAUSE`]. When the disk is
//! so slow that this would break the promise, the writer waits for it.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mq_core::clock::now;

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
}

/// The log, and since when it has had something that the disk may lack.
#[derive(Debug)]
struct Log {
    path: PathBuf,
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
    pub(crate) fn start(path: PathBuf) -> io::Result<Self> {
        let log = Arc::new(Log { path, open: Mutex::default() });
        // One place: a commit that finds it taken is covered by the sync that is still to come.
        let (commits, receiver) = sync_channel(1);
        let its = Arc::clone(&log);
        let work = move || run(&its, &receiver);
        std::thread::Builder::new().name("mq-sqlite-sync".to_owned()).spawn(work)?;
        Ok(Self { commits, log })
    }

    /// Something was committed, and nobody was told yet. Returns when they may be.
    pub(crate) fn note(&self) {
        let first = self.log.note(now());
        // Full is as good, and without the thread there is nobody to tell.
        let _ = self.commits.try_send(());
        if first.elapsed() > LATE {
            // The thread reports what goes wrong.
            let _ = self.log.sync();
        }
    }
}

fn run(log: &Log, commits: &Receiver<()>) {
    let mut is_warned = false;
    while commits.recv().is_ok() {
        match log.sync() {
            Ok(()) => is_warned = false,
            Err(error) if !is_warned => {
                is_warned = true;
                tracing::error!(
                    "{} cannot be synced, a power loss may take more than a second: {error}",
                    log.path.display()
                );
            }
            Err(_) => {}
        }
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

    fn sync(&self) -> io::Result<()> {
        let begun = now();
        sync(&self.path)?;
        self.covered(begun);
        Ok(())
    }
}

/// By a descriptor of its own: SQLite's locks are on its other files, so closing one of the log
/// gives none of them up. Not kept, because the log may be removed and made again.
fn sync(log: &Path) -> io::Result<()> {
    match OpenOptions::new().read(true).write(true).open(log) {
        Ok(log) => log.sync_data(),
        // All of it is in the database, which SQLite has synced then.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_open_until_a_sync_that_began_after_it() {
        let log = Log { path: PathBuf::new(), open: Mutex::default() };
        let (start, second) = (now(), Duration::from_secs(1));
        assert_eq!(log.note(start), start);
        assert_eq!(log.note(start + second), start, "the first one counts");
        log.covered(start + second / 2);
        assert_eq!(log.note(start + second * 2), start + second / 2, "one may be as old as that");
        log.covered(start + second * 3);
        assert_eq!(log.note(start + second * 4), start + second * 4);
    }
}
