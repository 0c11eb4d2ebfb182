//! An SQLite file in the eyes of somebody who is not mq.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mq_core::JobId;
use rusqlite::{Connection, OpenFlags};

/// The file of a store.
#[derive(Debug, Clone)]
pub struct File {
    path: PathBuf,
}

/// The write lock on a file, until it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "dropped to end its transaction")] Connection);

impl File {
    /// The store in this folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join("jobs.db") }
    }

    /// The store at this place.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a client connects to; `synchronous` is `normal` or `full`.
    pub fn url(&self, synchronous: &str) -> String {
        format!("sqlite:{}?synchronous={synchronous}", self.path.display())
    }

    /// A connection to it.
    pub fn open(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(&self.path, flags);
        let conn = conn.unwrap_or_else(|error| panic!("cannot open {:?}: {error}", self.path));
        let busy = conn.busy_timeout(Duration::from_secs(20));
        busy.unwrap_or_else(|error| panic!("{error}"));
        conn
    }

    /// Panics unless SQLite finds every page, index and row as it should be.
    pub fn assert_whole(&self) {
        let check = self.open().query_row("PRAGMA integrity_check", [], |row| row.get(0));
        let check: String = check.unwrap_or_else(|error| panic!("no integrity check: {error}"));
        assert_eq!(check, "ok", "{:?} is damaged", self.path);
    }

    /// The jobs and the numbers of their states; none if nobody has made the tables yet.
    pub fn jobs(&self) -> HashMap<JobId, i64> {
        if !self.has_tables() {
            return HashMap::new();
        }
        let conn = self.open();
        let all = conn.prepare("SELECT id, state FROM mq_jobs").and_then(|mut all| {
            let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?));
            all.query_map([], read)?.collect::<Result<Vec<(String, i64)>, _>>()
        });
        let all = all.unwrap_or_else(|error| panic!("cannot read {:?}: {error}", self.path));
        let known = |id: String| id.parse().unwrap_or_else(|error| panic!("{id}: {error}"));
        all.into_iter().map(|(id, state)| (known(id), state)).collect()
    }

    /// Whether the tables of mq are there.
    pub fn has_tables(&self) -> bool {
        let found = "SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'mq_meta'";
        let found = self.path.exists().then(|| self.open().query_row(found, [], |row| row.get(0)));
        found.is_some_and(|found| found.unwrap_or_else(|error| panic!("{error}")))
    }

    /// The same if nobody has it, such as a process that is frozen in the middle of a transaction.
    pub fn try_lock(&self) -> Option<Lock> {
        let conn = self.open();
        conn.busy_timeout(Duration::from_millis(50)).ok()?;
        conn.execute_batch("BEGIN IMMEDIATE").ok().map(|()| Lock(conn))
    }

    /// Takes the write lock, as a program does that leaves a transaction open.
    pub fn lock(&self) -> Lock {
        let conn = self.open();
        let begun = conn.execute_batch("BEGIN IMMEDIATE");
        begun.unwrap_or_else(|error| panic!("cannot lock {:?}: {error}", self.path));
        Lock(conn)
    }
}
