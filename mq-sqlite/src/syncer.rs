//! Brings what was committed to the disk, soon after.
//!
//! With `synchronous=normal` SQLite leaves the log to the operating system until the next
//! checkpoint, which in an idle program may be never; a power loss would take jobs that were
//! acknowledged minutes ago. `synchronous=full` would make each commit wait. So a thread of its own
//! syncs the log: at once after the first commit, and not again within [`PAUSE`].

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Half of what [`Durability::Disk1s`](mq_core::engine::Durability) allows to be lost: the other
/// half is for the disk.
const PAUSE: Duration = Duration::from_millis(500);

/// The way to the thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Syncer {
    commits: SyncSender<()>,
}

impl Syncer {
    /// Starts the thread for this log.
    pub(crate) fn start(log: PathBuf) -> io::Result<Self> {
        // One place: a commit that finds it taken is covered by the sync that is still to come.
        let (commits, receiver) = sync_channel(1);
        let work = move || run(&log, &receiver);
        std::thread::Builder::new().name("mq-sqlite-sync".to_owned()).spawn(work)?;
        Ok(Self { commits })
    }

    /// Something was committed.
    pub(crate) fn note(&self) {
        // Full is as good, and without the thread there is nobody to tell.
        let _ = self.commits.try_send(());
    }
}

fn run(log: &Path, commits: &Receiver<()>) {
    let mut is_warned = false;
    while commits.recv().is_ok() {
        match sync(log) {
            Ok(()) => is_warned = false,
            Err(error) if !is_warned => {
                is_warned = true;
                tracing::error!(
                    "{} cannot be synced, a power loss may take more than a second: {error}",
                    log.display()
                );
            }
            Err(_) => {}
        }
        // Awake early is no harm.
        std::thread::park_timeout(PAUSE);
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
