//! Takes a number of jobs from a queue by hand, however many there are.

use std::hint::black_box;

use redis::aio::MultiplexedConnection;
use redis::{Value, cmd};
use rusqlite::Connection;

use super::memory::DUE;
use super::redis::{JOBS, READY, Text, connect, send, texts};
use super::sqlite;
use crate::child::{Role, Wire};
use crate::fail::Fail;
use crate::job::Noop;
use crate::runtime::{self, Threads};
use crate::scenario::depth::Order;
use crate::store::Place;
use crate::usage::Stopwatch;
use crate::when::wall_us;

/// The counterpart of mq's worker: same order, same answer.
pub(crate) const WORKER: Role = Role { name: "depth-floor-worker", run: work };

const BATCH: usize = 1_000;

fn work(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mut store = Store::open(&order.place).await?;
        wire.ready().await?;
        let stopwatch = Stopwatch::start()?;
        let done = match &mut store {
            Store::Redis(connection) => take_from_redis(connection, order.jobs).await?,
            Store::Sqlite(conn) => take_from_sqlite(conn, order.jobs)?,
        };
        wire.say(&(stopwatch.stop()?, done))
    })
}

enum Store {
    Redis(MultiplexedConnection),
    Sqlite(Connection),
}

impl Store {
    async fn open(place: &Place) -> Result<Self, Fail> {
        match place {
            Place::Redis { url } => Ok(Self::Redis(connect(url).await?)),
            place => Ok(Self::Sqlite(sqlite::open(place)?)),
        }
    }
}

fn take_from_sqlite(conn: &mut Connection, jobs: u64) -> Result<u64, Fail> {
    let (mut done, mut last) = (0, 0);
    while done < jobs {
        let taken = sqlite::turn(conn, last, last, BATCH)?;
        if taken.is_empty() {
            return Err(Fail::new("the queue is empty"));
        }
        last = taken.last().map_or(last, |(id, _)| *id);
        done += run(taken.into_iter().map(|(_, payload)| payload))?;
    }
    // Deletes the last ones.
    sqlite::turn(conn, last, last, 0)?;
    Ok(done)
}

async fn take_from_redis(connection: &MultiplexedConnection, jobs: u64) -> Result<u64, Fail> {
    let (mut done, mut ids): (u64, Vec<Text>) = (0, Vec::new());
    while done < jobs {
        let mut request = redis::pipe();
        let due = request.cmd("ZRANGEBYSCORE").arg(DUE).arg("-inf").arg(wall_us() / 1_000);
        due.arg("LIMIT").arg(0).arg(1);
        if !ids.is_empty() {
            request.cmd("HDEL").arg(JOBS).arg(&ids).ignore();
        }
        request.cmd("LPOP").arg(READY).arg(BATCH);
        ids = texts(send(connection, &request).await?.pop().unwrap_or(Value::Nil))?;
        if ids.is_empty() {
            return Err(Fail::new("the queue is empty"));
        }
        let mut payloads = cmd("HMGET");
        payloads.arg(JOBS).arg(&ids);
        let mut request = redis::pipe();
        request.add_command(payloads);
        let payloads = send(connection, &request).await?.pop().unwrap_or(Value::Nil);
        done += run(texts(payloads)?.into_iter())?;
    }
    let mut request = redis::pipe();
    request.cmd("HDEL").arg(JOBS).arg(&ids);
    send(connection, &request).await?;
    Ok(done)
}

fn run(payloads: impl Iterator<Item = Text>) -> Result<u64, Fail> {
    let mut done = 0;
    for payload in payloads {
        black_box(serde_json::from_slice::<Noop>(&payload)?);
        done += 1;
    }
    Ok(done)
}
