//! An SQLite file with one bare table, set up as mq's is: write-ahead log, same syncs.

use rusqlite::Connection;

use crate::fail::Fail;
use crate::store::Place;

/// Opens it and makes its table.
pub(crate) fn open(place: &Place) -> Result<Connection, Fail> {
    let conn = match place {
        Place::Sqlite { path, full } => {
            let conn = Connection::open(path)?;
            conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
            conn.pragma_update(None, "synchronous", if *full { "FULL" } else { "NORMAL" })?;
            conn
        }
        Place::Memory => Connection::open_in_memory()?,
        Place::Redis { .. } => return Err(Fail::new("this is no place for SQLite")),
    };
    conn.busy_timeout(std::time::Duration::from_secs(5))?;
    let table = "CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, payload BLOB NOT NULL)";
    conn.execute_batch(table)?;
    Ok(conn)
}

/// Adds jobs in one transaction.
pub(crate) fn insert(conn: &mut Connection, payloads: &[Vec<u8>]) -> Result<(), Fail> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    {
        let mut insert = tx.prepare_cached("INSERT INTO jobs (payload) VALUES (?1)")?;
        for payload in payloads {
            insert.execute([payload])?;
        }
    }
    Ok(tx.commit()?)
}

/// Deletes the jobs up to the last that is done and returns those after the last that was taken, in
/// one transaction.
pub(crate) fn turn(
    conn: &mut Connection,
    done: i64,
    taken: i64,
    count: usize,
) -> Result<Vec<(i64, Vec<u8>)>, Fail> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let jobs = {
        tx.prepare_cached("DELETE FROM jobs WHERE id <= ?1")?.execute([done])?;
        let next = "SELECT id, payload FROM jobs WHERE id > ?1 ORDER BY id LIMIT ?2";
        let mut next = tx.prepare_cached(next)?;
        let rows = next.query_map((taken, count as i64), |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<Result<Vec<_>, _>>()?
    };
    tx.commit()?;
    Ok(jobs)
}
