//! Writes the log again, as it is, before anything is added to it.
//!
//! After a sync that failed, Linux counts pages as written that the disk does not have. Nobody can
//! see that: a process that opens the file anew reads the whole log from memory, adds to it, and
//! syncs what it has added. A power cut would leave a hole in front of that, where SQLite takes the
//! log to end. What is written again counts as unwritten, so the next sync brings it to the disk,
//! and it is the next commit that waits for that.
//!
//! Not by `wal_checkpoint(TRUNCATE)`: that needs a moment in which nobody reads, and it changes the
//! database while the disk may still have a log with a hole, which would damage it. Not by a mark
//! that somebody was refused either: a disk that fails takes no mark.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::open::Failure;
use crate::watch::beside;

/// What a log begins with.
const HEADER: usize = 32;
/// What each page in it begins with.
const FRAME_HEADER: usize = 24;
/// Where the header has the size of a page.
const PAGE_LEN: usize = 8;
/// Where header and frames have the random number that changes when the log is used from the start.
const SALT: [std::ops::Range<usize>; 2] = [16..24, 8..16];

/// Does it under the lock that all who write to the log must have.
pub(crate) fn renew(conn: &mut Connection) -> Result<(), Failure> {
    let Some(path) = conn.path().map(|path| beside(Path::new(path), "-wal")) else {
        return Ok(());
    };
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let log = OpenOptions::new().read(true).write(true).open(&path);
    log.and_then(|log| write_again(&log)).map_err(|error| {
        let path = path.display();
        Failure::Unfit(format!("{path} cannot be written again ({error}): check the disk"))
    })?;
    Ok(tx.commit()?)
}

/// Goes as far as the log does; behind that is what an earlier, longer one has left.
fn write_again(log: &File) -> io::Result<()> {
    let mut header = [0; HEADER];
    if !again(log, 0, &mut header, |_| true)? {
        return Ok(());
    }
    let [of_header, of_frame] = SALT;
    let salt = header[of_header].to_vec();
    let page_len = header[PAGE_LEN..].first_chunk().map_or(0, |len| u32::from_be_bytes(*len));
    // What is no log is left to SQLite.
    if !(512..=65536).contains(&page_len) {
        return Ok(());
    }
    let mut frame = vec![0; FRAME_HEADER + page_len as usize];
    let mut at = HEADER as u64;
    while again(log, at, &mut frame, |frame| frame[of_frame.clone()] == salt)? {
        at += frame.len() as u64;
    }
    Ok(())
}

/// Reads so much and writes it again, if there is so much and it is to be.
fn again(
    mut log: &File,
    at: u64,
    bytes: &mut [u8],
    is_wanted: impl Fn(&[u8]) -> bool,
) -> io::Result<bool> {
    log.seek(SeekFrom::Start(at))?;
    match log.read_exact(bytes) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(false),
        read => read?,
    }
    if !is_wanted(bytes) {
        return Ok(false);
    }
    log.seek(SeekFrom::Start(at))?;
    log.write_all(bytes)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_the_same_afterwards_and_its_jobs_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        let mut conn = Connection::open(&path).unwrap();
        conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
        // Nothing is in the log yet.
        renew(&mut conn).unwrap();
        conn.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (randomblob(99999))").unwrap();
        // From the start again, so that the end of the log is of another one.
        conn.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
        conn.execute_batch("INSERT INTO t VALUES (1)").unwrap();
        let log = beside(&path, "-wal");
        let before = std::fs::read(&log).unwrap();
        renew(&mut conn).unwrap();
        assert_eq!(std::fs::read(&log).unwrap(), before);
        // As after a kill: who opens it has only the files.
        let copy = folder.path().join("copy.db");
        std::fs::copy(&path, &copy).unwrap();
        std::fs::copy(&log, beside(&copy, "-wal")).unwrap();
        let copy = Connection::open(copy).unwrap();
        let count = "SELECT count(*) FROM t";
        let count = |conn: &Connection| conn.query_row(count, [], |row| row.get::<_, i64>(0));
        assert_eq!((count(&conn).unwrap(), count(&copy).unwrap()), (2, 2));
    }
}
