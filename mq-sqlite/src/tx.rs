//! What an operation sees of the transaction that it runs in.

use std::collections::{BTreeMap, HashMap};

use mq_core::QueueName;
use mq_core::lifecycle::LATEST_MS;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row};

use crate::column;
use crate::error::{self, Result};
use crate::sql;
use crate::tables;
use crate::time::{Now, Time};

/// A queue that exists.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    /// Its number in all tables.
    pub(crate) pk: i64,
    pub(crate) name: QueueName,
}

/// A queue where idle workers should look, and its count of wake-ups now.
#[derive(Debug, Clone)]
pub(crate) struct Wake {
    pub(crate) name: QueueName,
    pub(crate) count: i64,
}

/// What an operation adds to a queue's figures.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) is_awake: bool,
    pub(crate) enqueued: i64,
    pub(crate) done: i64,
    pub(crate) failed: i64,
    pub(crate) dead: i64,
    pub(crate) interrupted: i64,
}

/// Where the name of the store is.
pub(crate) const STORE: &str = "SELECT store FROM mq_meta";

/// The transaction, for one operation after the other.
pub(crate) struct Tx<'c> {
    conn: &'c Connection,
    last: Now,
    /// The store's time, in ms since 1970.
    pub(crate) now_ms: i64,
    /// The time by which leases end, in ms since 1970.
    pub(crate) lease_ms: i64,
    queues: &'c mut HashMap<QueueName, i64>,
    tallies: BTreeMap<i64, (QueueName, Tally)>,
    wakes: Vec<Wake>,
}

impl<'c> Tx<'c> {
    pub(crate) fn new(
        conn: &'c Connection,
        time: &Time,
        queues: &'c mut HashMap<QueueName, i64>,
    ) -> Result<Self> {
        let meta = "SELECT last_ms, lease_ms, version FROM mq_meta";
        let read = |row: &Row<'_>| {
            let now = Now { ms: clocked(row.get(0)?), lease_ms: clocked(row.get(1)?) };
            Ok((now, row.get::<_, i64>(2)?))
        };
        let found = conn.prepare_cached(meta).and_then(|mut meta| meta.query_row((), read));
        let (last, version) = found.map_err(error::of)?;
        if version != tables::VERSION {
            return Err(tables::upgraded(version));
        }
        // A file can say anything: beyond this, times could not be added to.
        let sane = |ms: i64| ms.clamp(0, LATEST_MS as i64);
        let known = Now { ms: sane(last.ms), lease_ms: sane(last.lease_ms) };
        let Now { ms: now_ms, lease_ms } = time.now(known);
        let (tallies, wakes) = (BTreeMap::new(), Vec::new());
        Ok(Self { conn, last, now_ms, lease_ms, queues, tallies, wakes })
    }

    /// What tells this store from all others.
    pub(crate) fn store(&self) -> Result<String> {
        self.prepare(STORE)?.query_row((), |row| row.get(0)).map_err(error::of)
    }

    /// Writes down how late it is, so that the store's clocks never go back.
    pub(crate) fn keep_time(&self) -> Result<()> {
        let now = Now { ms: self.now_ms, lease_ms: self.lease_ms };
        if now != self.last {
            let now = (now.ms, now.lease_ms);
            self.execute("UPDATE mq_meta SET last_ms = ?1, lease_ms = ?2", now)?;
        }
        Ok(())
    }

    /// The store's time for replies.
    pub(crate) fn now(&self) -> u64 {
        time(self.now_ms)
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'c>> {
        self.conn.prepare_cached(sql).map_err(error::of)
    }

    /// Runs a statement; returns how many rows it changed.
    pub(crate) fn execute(&self, sql: &str, params: impl Params) -> Result<usize> {
        self.prepare(sql)?.execute(params).map_err(error::of)
    }

    /// The only row of a question, if there is one.
    pub(crate) fn row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.prepare(sql)?.query_row(params, read).optional().map_err(error::of)
    }

    /// All rows of a question.
    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.prepare(sql)?;
        let rows = statement.query_map(params, read).map_err(error::of)?;
        rows.collect::<rusqlite::Result<_>>().map_err(error::of)
    }

    /// Whether a question has an answer.
    pub(crate) fn is_there(&self, sql: &str, params: impl Params) -> Result<bool> {
        self.prepare(sql)?.exists(params).map_err(error::of)
    }

    /// A number that a question always has.
    pub(crate) fn number(&self, sql: &str, params: impl Params) -> Result<i64> {
        self.prepare(sql)?.query_row(params, |row| row.get(0)).map_err(error::of)
    }

    /// A queue, if it exists.
    pub(crate) fn queue(&mut self, name: &QueueName) -> Result<Option<Queue>> {
        let queue = |pk| Queue { pk, name: name.clone() };
        if let Some(pk) = self.queues.get(name) {
            return Ok(Some(queue(*pk)));
        }
        let sql = "SELECT pk FROM mq_queues WHERE name = ?1";
        let pk = self.row(sql, [name.as_str()], |row| row.get(0))?;
        if let Some(pk) = pk {
            self.queues.insert(name.clone(), pk);
        }
        Ok(pk.map(queue))
    }

    /// A queue, made if it does not exist.
    pub(crate) fn queue_or_new(&mut self, name: &QueueName) -> Result<Queue> {
        if let Some(queue) = self.queue(name)? {
            return Ok(queue);
        }
        self.execute("INSERT INTO mq_queues (name) VALUES (?1)", [name.as_str()])?;
        let pk = self.conn.last_insert_rowid();
        self.queues.insert(name.clone(), pk);
        Ok(Queue { pk, name: name.clone() })
    }

    /// What this operation adds to the figures of a queue.
    pub(crate) fn tally(&mut self, queue: &Queue) -> &mut Tally {
        let entry = self.tallies.entry(queue.pk);
        &mut entry.or_insert_with(|| (queue.name.clone(), Tally::default())).1
    }

    /// Idle workers should look at this queue, once the transaction is committed.
    pub(crate) fn wake(&mut self, queue: &Queue) {
        self.tally(queue).is_awake = true;
    }

    /// Writes the operation's figures down.
    pub(crate) fn flush(&mut self) -> Result<()> {
        for (pk, (name, tally)) in std::mem::take(&mut self.tallies) {
            let Tally { is_awake, enqueued, done, failed, dead, interrupted } = tally;
            let add = (pk, is_awake, enqueued, done, failed, dead, interrupted);
            let count = self.row(sql!("tally"), add, |row| column::integer(row, 0))?.flatten();
            if is_awake && let Some(count) = count {
                self.wakes.push(Wake { name, count });
            }
            if enqueued + done + failed > 0 {
                let add = (pk, self.now_ms / 60_000, enqueued, done, failed);
                self.execute(sql!("tally_minute"), add)?;
            }
        }
        Ok(())
    }

    /// Forgets what an operation that was rolled back has left here.
    pub(crate) fn forget(&mut self) {
        self.tallies.clear();
        self.queues.clear();
    }

    /// Whether SQLite has rolled everything back by itself, as it does when the disk is full.
    pub(crate) fn is_over(&self) -> bool {
        self.conn.is_autocommit()
    }

    /// Who is to be told after the commit.
    pub(crate) fn into_wakes(self) -> Vec<Wake> {
        self.wakes
    }
}

/// A time or duration as it is stored.
pub(crate) fn ms(ms: u64) -> i64 {
    ms.min(LATEST_MS) as i64
}

/// A duration as it is stored.
pub(crate) fn span(duration: std::time::Duration) -> i64 {
    ms(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// A stored time with which will be counted: whoever wrote it, a span can be added without an
/// overflow.
pub(crate) fn clocked(stored: i64) -> i64 {
    stored.clamp(0, LATEST_MS as i64)
}

/// A stored time or count.
pub(crate) fn time(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}
