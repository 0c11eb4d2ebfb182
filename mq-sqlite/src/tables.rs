//! The tables: whose they are, which version they have, and how they get to today's.

use mq_core::WorkerId;
use mq_core::engine::{EngineError, EngineErrorKind};
use mq_core::failpoint::point;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::open::Failure;
use crate::sql;

/// The steps that lead from nothing to today's tables. Each takes the tables from one version to
/// the next, so a step that was ever released is never changed: what comes later is a new one.
const STEPS: &[&str] = &[sql!("schema")];

/// The version of the tables that this mq writes.
pub(crate) const VERSION: i64 = STEPS.len() as i64;

/// Refuses what is not ours and what is newer than this mq. Changes nothing.
pub(crate) fn check(conn: &Connection, is_shared: bool, shown: &str) -> Result<(), Failure> {
    version(conn, is_shared, shown, VERSION).map(|_| ())
}

/// Makes the tables, or takes them to today's version.
pub(crate) fn set_up(conn: &mut Connection, is_shared: bool, shown: &str) -> Result<(), Failure> {
    climb(conn, is_shared, shown, STEPS)
}

fn climb(
    conn: &mut Connection,
    is_shared: bool,
    shown: &str,
    steps: &[&str],
) -> Result<(), Failure> {
    let newest = steps.len() as i64;
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Again: another process may have been faster.
    let found = version(&tx, is_shared, shown, newest)?;
    let passed = usize::try_from(found.unwrap_or(0)).unwrap_or(0);
    for step in steps.iter().skip(passed) {
        tx.execute_batch(step)?;
        point("sqlite.schema");
    }
    match found {
        None => {
            let store = WorkerId::random().to_string();
            let meta = "INSERT INTO mq_meta (one, version, last_ms, lease_ms, store) \
                        VALUES (1, ?1, 0, 0, ?2)";
            tx.execute(meta, (newest, store))?;
        }
        Some(_) => {
            tx.execute("UPDATE mq_meta SET version = ?1 WHERE version <> ?1", [newest])?;
        }
    }
    Ok(tx.commit()?)
}

/// The version of our tables, if they are there.
fn version(
    conn: &Connection,
    is_shared: bool,
    shown: &str,
    newest: i64,
) -> Result<Option<i64>, Failure> {
    let tables = "SELECT coalesce(max(name = 'mq_meta'), -1) FROM sqlite_schema";
    match conn.query_row(tables, [], |row| row.get(0))? {
        -1 => return Ok(None),
        0 if is_shared => return Ok(None),
        0 => {
            return Err(Failure::Unfit(format!(
                "{shown} is the database of another program: name another file, or, if mq shall \
                 keep its tables in your application's database, add `?database=application`"
            )));
        }
        _ => {}
    }
    let version = conn.query_row("SELECT version FROM mq_meta", [], |row| row.get(0)).optional()?;
    match version {
        Some(known) if (1..=newest).contains(&known) => Ok(version),
        Some(newer) if newer > newest => Err(Failure::Unfit(format!(
            "{shown} was made by a newer mq: its tables have version {newer}, this one knows \
             {newest}; upgrade mq in this program"
        ))),
        _ => Err(Failure::Unfit(format!("{shown} has tables of mq without a version: restore it"))),
    }
}

/// The error of a file whose tables another mq has changed meanwhile.
pub(crate) fn upgraded(version: i64) -> EngineError {
    let text = format!(
        "the tables were taken to version {version} while this program runs, which knows version \
         {VERSION}: start it again with the mq that did it"
    );
    EngineError::new(EngineErrorKind::Denied, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADD: &str = "ALTER TABLE mq_jobs ADD COLUMN colour TEXT";

    fn found(conn: &Connection) -> i64 {
        conn.query_row("SELECT version FROM mq_meta", [], |row| row.get(0)).unwrap()
    }

    fn text(failure: Failure) -> String {
        match failure {
            Failure::Unfit(text) => text,
            Failure::Sqlite(error) => error.to_string(),
        }
    }

    #[test]
    fn a_file_climbs_from_its_version_to_todays_and_keeps_what_is_in_it() {
        let mut conn = Connection::open_in_memory().unwrap();
        climb(&mut conn, false, "a.db", STEPS).unwrap();
        conn.execute("INSERT INTO mq_queues (name) VALUES ('kept')", []).unwrap();
        let steps = [STEPS[0], ADD, "CREATE TABLE mq_more (one)"];
        climb(&mut conn, false, "a.db", &steps).unwrap();
        assert_eq!(found(&conn), 3);
        // Nothing of it is done twice.
        climb(&mut conn, false, "a.db", &steps).unwrap();
        conn.execute("UPDATE mq_jobs SET colour = 'red'", []).unwrap();
        let kept = conn.query_row("SELECT name FROM mq_queues", [], |row| row.get(0));
        assert_eq!(kept, Ok("kept".to_owned()));

        let refused = climb(&mut conn, false, "a.db", STEPS).unwrap_err();
        assert!(text(refused).contains("version 3"), "the older program");
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_at_its_version() {
        let mut conn = Connection::open_in_memory().unwrap();
        climb(&mut conn, false, "a.db", STEPS).unwrap();
        climb(&mut conn, false, "a.db", &[STEPS[0], ADD, "NONSENSE"]).unwrap_err();
        assert_eq!(found(&conn), 1);
        conn.execute("UPDATE mq_jobs SET colour = 'red'", []).unwrap_err();
    }

    #[test]
    fn the_tables_may_live_beside_those_of_an_application_that_wants_it() {
        let mut conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE accounts (id)").unwrap();
        let refused = text(climb(&mut conn, false, "app.db", STEPS).unwrap_err());
        assert!(refused.contains("?database=application"), "{refused}");
        climb(&mut conn, true, "app.db", STEPS).unwrap();
        climb(&mut conn, false, "app.db", STEPS).unwrap();
    }
}
