//! A connection and what belongs to it: how operations become a transaction.

use std::collections::HashMap;

use mq_core::QueueName;
use mq_core::engine::{EngineError, EngineErrorKind};
use mq_core::failpoint::point;
use rusqlite::Connection;

use crate::error::{self, Result};
use crate::time::Time;
use crate::tx::{Tx, Wake};
use crate::watch::Watch;
use crate::work::{Mode, Work};

/// One connection, used by one thread.
pub(crate) struct Session {
    conn: Connection,
    time: Time,
    /// Whether the file is still the one that was opened; none in memory.
    watch: Option<Watch>,
    /// Numbers of queues. Queues are never removed.
    queues: HashMap<QueueName, i64>,
}

impl Session {
    pub(crate) fn new(conn: Connection, time: Time, watch: Option<Watch>) -> Self {
        Self { conn, time, watch, queues: HashMap::new() }
    }

    pub(crate) fn conn(&self) -> &Connection {
        &self.conn
    }

    /// Runs operations as one transaction, each in a savepoint of its own, so that one that is
    /// refused undoes nothing but itself. An error is one of them all: nothing was changed, or, if
    /// it is `Unknown`, nobody can say.
    pub(crate) fn transact(&mut self, group: &mut Vec<Box<dyn Work>>) -> Result<Vec<Wake>> {
        let result = self.try_transact(group);
        if result.is_err() {
            if !self.conn.is_autocommit() {
                // Whatever this says, the next BEGIN finds out.
                let _ = self.conn.execute_batch("ROLLBACK");
            }
            self.queues.clear();
        }
        result
    }

    fn try_transact(&mut self, group: &mut Vec<Box<dyn Work>>) -> Result<Vec<Wake>> {
        let is_write = group.iter().any(|work| work.mode() != Mode::Read);
        self.execute(if is_write { "BEGIN IMMEDIATE" } else { "BEGIN" })?;
        point("sqlite.begun");
        // Not before the lock is ours: who gives up while another process has it must be able to
        // know that nothing was stored.
        group.retain(|work| work.take());
        let mut tx = Tx::new(&self.conn, &self.time, &mut self.queues)?;
        for work in group.iter_mut() {
            tx.execute("SAVEPOINT operation", ())?;
            if let Err(kind) = work.run(&mut tx) {
                if kind == EngineErrorKind::Full {
                    return Err(error::full());
                }
                if tx.is_over() {
                    let text = "the database gave up the transaction: see the error of the others";
                    return Err(EngineError::new(kind, text));
                }
                tx.execute("ROLLBACK TO operation", ())?;
                tx.forget();
            }
            point("sqlite.operated");
            tx.execute("RELEASE operation", ())?;
        }
        if is_write {
            tx.keep_time()?;
        }
        let wakes = tx.into_wakes();
        // Before the commit: what goes into a file that was replaced is acknowledged to nobody.
        self.watch.as_ref().map_or(Ok(()), Watch::check)?;
        point("sqlite.committing");
        self.execute("COMMIT")?;
        point("sqlite.committed");
        Ok(wakes)
    }

    fn execute(&self, sql: &str) -> Result<()> {
        let done = self.conn.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        done.map(|_| ()).map_err(error::of)
    }
}
