//! Enqueues by hand.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, cmd};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};

use super::fill::id;
use super::redis::{JOBS, READY, connect, send};
use super::{Fill, sqlite};
use crate::child::{Role, Wire};
use crate::fail::Fail;
use crate::job::Noop;
use crate::runtime::{self, Threads};
use crate::scenario::enqueue::{How, Order};
use crate::store::Place;
use crate::usage::Stopwatch;

/// The counterpart of mq's producer: same order, same answer.
pub(crate) const PRODUCER: Role = Role { name: "enqueue-floor", run: produce };

const RETURNS: &str = "return 1";
const WRITES: &str = "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) \
                      redis.call('RPUSH', KEYS[2], ARGV[1]) return 1";

fn produce(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        if order.how == How::Bulk {
            let mut fill = Fill::open(&order.place).await?;
            wire.ready().await?;
            let stopwatch = Stopwatch::start()?;
            fill.fill(order.jobs).await?;
            return wire.say(&stopwatch.stop()?);
        }
        match &order.place {
            Place::Redis { url } => on_redis(&mut wire, &order, url).await,
            place => on_sqlite(&mut wire, &order, sqlite::open(place)?).await,
        }
    })
}

async fn on_redis(wire: &mut Wire, order: &Order, url: &str) -> Result<(), Fail> {
    let connection = connect(url).await?;
    let script = if order.writes { WRITES } else { RETURNS };
    let load = cmd("SCRIPT").arg("LOAD").arg(script).to_owned();
    let sha: String = load.query_async(&mut connection.clone()).await?;
    wire.ready().await?;
    let stopwatch = Stopwatch::start()?;
    let mut tasks: Vec<JoinHandle<Result<(), Fail>>> = Vec::new();
    let mut first = 0;
    for share in order.shares() {
        let ids = first..first + share;
        first = ids.end;
        let (connection, sha, writes) = (connection.clone(), sha.clone(), order.writes);
        let is_script = order.how == How::One;
        tasks.push(tokio::spawn(async move {
            for number in ids {
                if is_script {
                    by_script(&connection, &sha, number, writes).await?;
                } else {
                    by_transaction(&connection, number).await?;
                }
            }
            Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    wire.say(&stopwatch.stop()?)
}

async fn by_script(
    connection: &MultiplexedConnection,
    sha: &str,
    number: u64,
    writes: bool,
) -> Result<(), Fail> {
    let mut script: Cmd = cmd("EVALSHA");
    script.arg(sha);
    if writes {
        let payload = serde_json::to_vec(&Noop::new())?;
        script.arg(2).arg(JOBS).arg(READY).arg(id(number)).arg(payload);
    } else {
        script.arg(0);
    }
    Ok(script.query_async::<()>(&mut connection.clone()).await?)
}

async fn by_transaction(connection: &MultiplexedConnection, number: u64) -> Result<(), Fail> {
    let (id, payload) = (id(number), serde_json::to_vec(&Noop::new())?);
    let mut request = redis::pipe();
    request.cmd("MULTI");
    request.cmd("HSET").arg(JOBS).arg(&id).arg(payload);
    request.cmd("RPUSH").arg(READY).arg(id);
    request.cmd("EXEC");
    send(connection, &request).await.map(drop)
}

/// A payload and whom to tell when it is stored.
type Letter = (Vec<u8>, oneshot::Sender<()>);

async fn on_sqlite(wire: &mut Wire, order: &Order, mut conn: Connection) -> Result<(), Fail> {
    wire.ready().await?;
    let stopwatch = Stopwatch::start()?;
    if order.how == How::One {
        for _ in 0..order.jobs {
            sqlite::insert(&mut conn, &[serde_json::to_vec(&Noop::new())?])?;
        }
        return wire.say(&stopwatch.stop()?);
    }
    let (sender, letters) = mpsc::unbounded_channel();
    let writer = spawn_blocking(move || write(&mut conn, letters));
    let sender = Arc::new(sender);
    let tasks: Vec<_> = order
        .shares()
        .into_iter()
        .map(|share| tokio::spawn(post(Arc::clone(&sender), share)))
        .collect();
    drop(sender);
    for task in tasks {
        task.await??;
    }
    writer.await??;
    wire.say(&stopwatch.stop()?)
}

async fn post(sender: Arc<mpsc::UnboundedSender<Letter>>, jobs: u64) -> Result<(), Fail> {
    for _ in 0..jobs {
        let (stored, told) = oneshot::channel();
        let letter = (serde_json::to_vec(&Noop::new())?, stored);
        sender.send(letter).map_err(|_| Fail::new("the writer is gone"))?;
        told.await?;
    }
    Ok(())
}

/// Stores all that wait in one transaction.
fn write(conn: &mut Connection, mut letters: mpsc::UnboundedReceiver<Letter>) -> Result<(), Fail> {
    let mut batch = Vec::new();
    while letters.blocking_recv_many(&mut batch, 1_000) > 0 {
        let (payloads, senders): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
        sqlite::insert(conn, &payloads)?;
        for sender in senders {
            // Whoever does not listen any more has no use for the answer.
            let _ = sender.send(());
        }
    }
    Ok(())
}
