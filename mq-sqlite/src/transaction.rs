//! Enqueueing in a transaction that is the application's own.
//!
//! The application's connection is used as it is: its transaction, its time-outs, its durability.
//! `rusqlite` is in no signature. There can be only one version of it in a program anyway, because
//! all of them link the same C library.

use std::collections::HashMap;

use mq_core::engine::{
    Durability, EngineError, EngineErrorKind, EnqueueReply, NewJob, Transaction,
};
use rusqlite::{Connection, ffi};

use crate::error::{self, Result};
use crate::ops;
use crate::time::Time;
use crate::tx::{STORE, Tx};

/// The level from which on each commit in a log is synced.
const SYNCHRONOUS_FULL: i64 = 2;

/// Tells transactions of `rusqlite` from those of other libraries; see [`Transaction`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Rusqlite;

impl Transaction<Rusqlite> for Connection {
    fn enqueue(&self, database: &str, jobs: &[NewJob]) -> Result<Vec<EnqueueReply>> {
        if self.is_autocommit() {
            let text = "no transaction is open on this connection: begin one, and commit it after";
            return Err(EngineError::new(EngineErrorKind::Invalid, text));
        }
        check_database(self, database)?;
        run(self, "SAVEPOINT mq_enqueue")?;
        let stored = store(self, jobs);
        if stored.is_err() && !self.is_autocommit() {
            run(self, "ROLLBACK TO mq_enqueue")?;
        }
        if !self.is_autocommit() {
            run(self, "RELEASE mq_enqueue")?;
        }
        stored
    }

    /// `Disk` if commits of this connection wait for the disk, which is SQLite's default. Without
    /// that nobody knows when they reach it, so it is `Memory` then.
    fn durability(&self) -> Result<Durability> {
        let level = self.query_row("PRAGMA synchronous", (), |row| row.get(0));
        let level: i64 = level.map_err(error::of)?;
        Ok(if level >= SYNCHRONOUS_FULL { Durability::Disk } else { Durability::Memory })
    }
}

/// The two kinds of transactions that `rusqlite` has lend themselves to a connection's methods.
macro_rules! lends_its_connection {
    ($($name:ident),+) => {$(
        impl Transaction<Rusqlite> for rusqlite::$name<'_> {
            fn enqueue(&self, database: &str, jobs: &[NewJob]) -> Result<Vec<EnqueueReply>> {
                Connection::enqueue(self, database, jobs)
            }

            fn durability(&self) -> Result<Durability> {
                Connection::durability(self)
            }
        }
    )+};
}

lends_its_connection!(Transaction, Savepoint);

fn store(conn: &Connection, jobs: &[NewJob]) -> Result<Vec<EnqueueReply>> {
    let (time, mut queues) = (Time::new(), HashMap::new());
    let mut tx = Tx::new(conn, &time, &mut queues)?;
    let replies = ops::enqueue::enqueue(&mut tx, jobs)?;
    tx.flush()?;
    tx.keep_time()?;
    Ok(replies)
}

fn check_database(conn: &Connection, database: &str) -> Result<()> {
    match conn.query_row(STORE, (), |row| row.get::<_, String>(0)) {
        Ok(found) if found == database => Ok(()),
        Err(error) if !is_missing(&error) => Err(error::of(error)),
        _ => {
            let text = "the transaction is on another database than the one that the client is \
                        connected to: connect the client to this one, with \
                        `?database=application`";
            Err(EngineError::new(EngineErrorKind::Invalid, text))
        }
    }
}

/// Whether the error says that there are no tables of ours.
fn is_missing(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::QueryReturnedNoRows => true,
        // Of the generic code, which a statement this simple has for no other reason.
        rusqlite::Error::SqlInputError { error, .. } | rusqlite::Error::SqliteFailure(error, _) => {
            error.extended_code == ffi::SQLITE_ERROR
        }
        _ => false,
    }
}

fn run(conn: &Connection, sql: &str) -> Result<()> {
    conn.execute_batch(sql).map_err(error::of)
}
