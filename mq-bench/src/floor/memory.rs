//! Jobs that wait, by hand.

use std::ops::Range;

use redis::aio::MultiplexedConnection;
use redis::cmd;
use rusqlite::{Connection, TransactionBehavior};

use super::fill::id;
use super::redis::{JOBS, READY, connect, send};
use super::sqlite;
use crate::child::{Role, Wire};
use crate::fail::Fail;
use crate::job::Noop;
use crate::runtime::{self, Threads};
use crate::scenario::memory::{Kind, Order, key};
use crate::store::Place;
use crate::usage::Stopwatch;
use crate::when::wall_us;

/// The counterpart of mq's producer: same order, same answer.
pub(crate) const PRODUCER: Role = Role { name: "memory-floor-producer", run: produce };

/// Ids by the time they are due.
pub(crate) const DUE: &str = "floor:due";
const HIGH: &str = "floor:ready:high";
const KEYS: &str = "floor:keys";

fn produce(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mut store = Store::open(&order).await?;
        wire.ready().await?;
        let stopwatch = Stopwatch::start()?;
        for batch in order.batches() {
            match &mut store {
                Store::Redis(connection) => in_redis(connection, batch, order.kind).await?,
                Store::Sqlite(conn) => in_sqlite(conn, batch, order.kind)?,
            }
        }
        wire.say(&stopwatch.stop()?)
    })
}

enum Store {
    Redis(MultiplexedConnection),
    Sqlite(Connection),
}

impl Store {
    async fn open(order: &Order) -> Result<Self, Fail> {
        if let Place::Redis { url } = &order.place {
            return Ok(Self::Redis(connect(url).await?));
        }
        let conn = sqlite::open(&order.place)?;
        let (column, index) = match order.kind {
            Kind::Ready => return Ok(Self::Sqlite(conn)),
            Kind::Scheduled | Kind::High => ("INTEGER", "INDEX"),
            Kind::Keyed => ("TEXT", "UNIQUE INDEX"),
        };
        conn.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS held (id INTEGER PRIMARY KEY, payload BLOB, by {column});
             CREATE {index} IF NOT EXISTS held_by ON held (by)"
        ))?;
        Ok(Self::Sqlite(conn))
    }
}

/// Another time for each, as mq's have.
fn due_ms(number: u64) -> u64 {
    wall_us() / 1_000 + 86_400_000 + number / 1_000
}

async fn in_redis(
    connection: &MultiplexedConnection,
    batch: Range<u64>,
    kind: Kind,
) -> Result<(), Fail> {
    let (mut jobs, mut keys) = (cmd("HSET"), cmd("HSET"));
    jobs.arg(JOBS);
    keys.arg(KEYS);
    let mut ids = match kind {
        Kind::Scheduled => cmd("ZADD"),
        Kind::Ready | Kind::Keyed | Kind::High => cmd("RPUSH"),
    };
    match kind {
        Kind::Scheduled => ids.arg(DUE),
        Kind::High => ids.arg(HIGH),
        Kind::Ready | Kind::Keyed => ids.arg(READY),
    };
    for number in batch {
        let id = id(number);
        jobs.arg(&id).arg(serde_json::to_vec(&Noop::new())?);
        keys.arg(key(number)).arg(&id);
        if kind == Kind::Scheduled {
            ids.arg(due_ms(number));
        }
        ids.arg(id);
    }
    let mut request = redis::pipe();
    request.add_command(jobs).add_command(ids);
    if kind == Kind::Keyed {
        request.add_command(keys);
    }
    send(connection, &request).await?;
    Ok(())
}

fn in_sqlite(conn: &mut Connection, batch: Range<u64>, kind: Kind) -> Result<(), Fail> {
    let payload = serde_json::to_vec(&Noop::new())?;
    if kind == Kind::Ready {
        let payloads: Vec<_> = batch.map(|_| payload.clone()).collect();
        return sqlite::insert(conn, &payloads);
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for number in batch {
        let insert = "INSERT INTO held (payload, by) VALUES (?1, ?2)";
        let mut insert = tx.prepare_cached(insert)?;
        match kind {
            Kind::Keyed => insert.execute((&payload, key(number)))?,
            Kind::Scheduled => insert.execute((&payload, due_ms(number) as i64))?,
            Kind::Ready | Kind::High => insert.execute((&payload, 1))?,
        };
    }
    Ok(tx.commit()?)
}
