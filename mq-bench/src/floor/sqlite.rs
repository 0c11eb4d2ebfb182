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

/// Takes all jobs out.
pub(crate) fn take_all(conn: &Connection) -> Result<Vec<Vec<u8>>, Fail> {
    let mut take = conn.prepare_cached("DELETE FROM jobs RETURNING payload")?;
    let rows = take.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_deletes_what_is_done_and_gives_what_was_not_taken() {
        let mut conn = open(&Place::Memory).unwrap();
        insert(&mut conn, &[vec![1], vec![2], vec![3]]).unwrap();
        assert_eq!(turn(&mut conn, 0, 0, 2).unwrap(), [(1, vec![1]), (2, vec![2])]);
        assert_eq!(turn(&mut conn, 0, 2, 2).unwrap(), [(3, vec![3])]);
        assert_eq!(turn(&mut conn, 2, 3, 2).unwrap(), []);
        assert_eq!(take_all(&conn).unwrap(), [vec![3]]);
        assert!(take_all(&conn).unwrap().is_empty());
    }
}
