//! Jobs at a time, by hand: due times in a sorted set or an indexed column, one process that sleeps
//! until the next one.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Value, cmd};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use tokio::sync::mpsc::unbounded_channel;

use super::fill::id;
use super::memory::DUE;
use super::redis::{JOBS, Text, connect, send, texts};
use super::sqlite;
use crate::child::{Role, Wire};
use crate::fail::Fail;
use crate::runtime::{self, Threads};
use crate::scenario::scheduled::{Due, Order};
use crate::store::Place;
use crate::when::wall_us;

/// The counterparts of mq's: same orders, same answers.
pub(crate) const PRODUCER: Role = Role { name: "scheduled-floor-producer", run: produce };
pub(crate) const WORKER: Role = Role { name: "scheduled-floor-worker", run: work };

/// Most that are taken at a time, as mq has it.
const BATCH: u64 = 1_000;

fn produce(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mut floor = Floor::open(&order.place).await?;
        wire.ready().await?;
        wire.say(&floor.put(&order).await?)
    })
}

fn work(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mut floor = Floor::open(&order.place).await?;
        wire.ready().await?;
        if matches!(order.place, Place::Memory) && !floor.put(&order).await? {
            return wire.say(&None::<Vec<i64>>);
        }
        let (sender, mut late) = unbounded_channel();
        let mut left = order.jobs;
        while left > 0 {
            let due = floor.take(wall_us() / 1_000).await?;
            if due.is_empty() {
                floor.sleep().await?;
            }
            left = left.saturating_sub(due.len() as u64);
            for payload in due {
                let sender = sender.clone();
                tokio::spawn(async move {
                    let late = serde_json::from_slice(&payload).map(|due: Due| due.late_us());
                    // Its receiver lives until all have come.
                    let _ = sender.send(late);
                });
            }
        }
        drop(sender);
        let mut all = Vec::new();
        while let Some(late) = late.recv().await {
            all.push(late?);
        }
        wire.say(&Some(all))
    })
}

enum Floor {
    Redis(MultiplexedConnection),
    Sqlite(Connection),
}

impl Floor {
    async fn open(place: &Place) -> Result<Self, Fail> {
        if let Place::Redis { url } = place {
            return Ok(Self::Redis(connect(url).await?));
        }
        let conn = sqlite::open(place)?;
        conn.execute_batch(
            "CREATE TABLE IF NOT EXISTS due (at INTEGER NOT NULL, payload BLOB NOT NULL);
             CREATE INDEX IF NOT EXISTS due_at ON due (at)",
        )?;
        Ok(Self::Sqlite(conn))
    }

    /// Whether all were stored before the first was due.
    async fn put(&mut self, order: &Order) -> Result<bool, Fail> {
        let dues = order.dues();
        match self {
            Self::Redis(connection) => {
                let mut request = redis::pipe();
                for (number, due) in dues.iter().enumerate() {
                    let (id, payload) = (id(number as u64), serde_json::to_vec(due)?);
                    request.cmd("HSET").arg(JOBS).arg(&id).arg(payload);
                    request.cmd("ZADD").arg(DUE).arg(due.at_ms).arg(&id);
                }
                send(connection, &request).await?;
            }
            Self::Sqlite(conn) => {
                let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
                for due in &dues {
                    let insert = "INSERT INTO due (at, payload) VALUES (?1, ?2)";
                    tx.prepare_cached(insert)?
                        .execute((due.at_ms as i64, serde_json::to_vec(due)?))?;
                }
                tx.commit()?;
            }
        }
        Ok(Order::is_in_time(&dues))
    }

    /// The payloads of what is due, which is gone then.
    async fn take(&mut self, now_ms: u64) -> Result<Vec<Text>, Fail> {
        match self {
            Self::Redis(connection) => take_from_redis(connection, now_ms).await,
            Self::Sqlite(conn) => take_from_sqlite(conn, now_ms),
        }
    }

    /// Sleeps until something is due.
    async fn sleep(&mut self) -> Result<(), Fail> {
        let next = match self {
            Self::Redis(connection) => {
                let mut request = redis::pipe();
                request.cmd("ZRANGE").arg(DUE).arg(0).arg(0).arg("WITHSCORES");
                let first = send(connection, &request).await?.pop().unwrap_or(Value::Nil);
                let score = texts(first)?.pop().map(String::from_utf8).transpose()?;
                score.map(|score| score.parse::<u64>()).transpose()?
            }
            Self::Sqlite(conn) => {
                let first = "SELECT at FROM due ORDER BY at LIMIT 1";
                conn.prepare_cached(first)?
                    .query_row([], |row| row.get::<_, i64>(0))
                    .optional()?
                    .map(|at_ms| at_ms as u64)
            }
        };
        let next = next.ok_or_else(|| Fail::new("jobs are gone that have not run"))?;
        let wait_us = (next * 1_000).saturating_sub(wall_us());
        tokio::time::sleep(Duration::from_micros(wait_us)).await;
        Ok(())
    }
}

async fn take_from_redis(
    connection: &MultiplexedConnection,
    now_ms: u64,
) -> Result<Vec<Text>, Fail> {
    let mut request = redis::pipe();
    let due = request.cmd("ZRANGEBYSCORE").arg(DUE).arg("-inf").arg(now_ms);
    due.arg("LIMIT").arg(0).arg(BATCH);
    let ids = texts(send(connection, &request).await?.pop().unwrap_or(Value::Nil))?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let about = |name: &str, key: &str| {
        let mut command = cmd(name);
        command.arg(key).arg(&ids);
        command
    };
    let mut request = redis::pipe();
    request.add_command(about("ZREM", DUE)).add_command(about("HMGET", JOBS));
    request.add_command(about("HDEL", JOBS));
    let payloads = send(connection, &request).await?.into_iter().nth(1);
    texts(payloads.unwrap_or(Value::Nil))
}

fn take_from_sqlite(conn: &mut Connection, now_ms: u64) -> Result<Vec<Text>, Fail> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut payloads = Vec::new();
    {
        let due = "SELECT rowid, payload FROM due WHERE at <= ?1 ORDER BY at LIMIT ?2";
        let mut due = tx.prepare_cached(due)?;
        let mut delete = tx.prepare_cached("DELETE FROM due WHERE rowid = ?1")?;
        let mut rows = due.query((now_ms as i64, BATCH as i64))?;
        let mut ids: Vec<i64> = Vec::new();
        while let Some(row) = rows.next()? {
            ids.push(row.get(0)?);
            payloads.push(row.get(1)?);
        }
        for id in ids {
            delete.execute([id])?;
        }
    }
    tx.commit()?;
    Ok(payloads)
}
