//! Drains by hand: the next batch is on its way while the last one runs, so that neither the
//! store nor the worker waits for the other, with one request per batch.

use std::hint::black_box;

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, cmd};
use rusqlite::Connection;
use tokio::task::{JoinHandle, spawn_blocking};

use super::redis::{JOBS, READY, TAKEN, Text, connect, send, texts};
use super::{Fill, sqlite};
use crate::child::{Role, Wire};
use crate::fail::Fail;
use crate::job::Noop;
use crate::runtime;
use crate::scenario::drain::Order;
use crate::store::Place;
use crate::usage::Stopwatch;

/// The counterpart of mq's worker: same order, same answer.
pub(crate) const WORKER: Role = Role { name: "drain-floor", run: work };

fn work(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(order.threads, async {
        let mut floor = Floor::open(&order).await?;
        wire.ready().await?;
        let stopwatch = Stopwatch::start()?;
        let done = match &mut floor {
            Floor::Redis(connection) => drain_redis(connection, &order).await?,
            Floor::Sqlite(conn) => drain_sqlite(conn, &order).await?,
        };
        let spent = stopwatch.stop()?;
        if done != order.jobs {
            return Err(Fail::new(format!("of {} jobs, {done} were done", order.jobs)));
        }
        wire.say(&spent)
    })
}

enum Floor {
    Redis(MultiplexedConnection),
    Sqlite(Option<Connection>),
}

impl Floor {
    async fn open(order: &Order) -> Result<Self, Fail> {
        match &order.place {
            Place::Redis { url } => Ok(Self::Redis(connect(url).await?)),
            place @ Place::Sqlite { .. } => Ok(Self::Sqlite(Some(sqlite::open(place)?))),
            place @ Place::Memory => {
                let mut fill = Fill::open(place).await?;
                fill.fill(order.jobs).await?;
                match fill {
                    Fill::Sqlite(conn) => Ok(Self::Sqlite(Some(conn))),
                    Fill::Redis(connection) => Ok(Self::Redis(connection)),
                }
            }
        }
    }
}

/// Three batches are under way: one runs, of one the payloads are asked for, one is being taken.
async fn drain_redis(connection: &MultiplexedConnection, order: &Order) -> Result<u64, Fail> {
    let (mut done, mut running, mut taken) = (Vec::new(), Vec::new(), Vec::new());
    let (mut payloads, mut count) = (Vec::new(), 0);
    loop {
        let mut request = redis::pipe();
        settle(&mut request, &done, order.is_safe);
        let settled = request.len();
        if !taken.is_empty() {
            request.add_command(about_all("HMGET", &taken));
        }
        take(&mut request, order);
        let (replies, ran) = tokio::join!(send(connection, &request), run(payloads));
        ran?;
        let mut replies = replies?.into_iter().skip(settled);
        count += done.len() as u64;
        done = running;
        payloads = match taken.is_empty() {
            true => Vec::new(),
            false => texts(replies.next().unwrap_or_default())?,
        };
        running = taken;
        taken = Vec::new();
        for reply in replies {
            taken.append(&mut texts(reply)?);
        }
        if done.is_empty() && running.is_empty() && taken.is_empty() {
            return Ok(count);
        }
    }
}

/// Removes jobs that have run.
fn settle(request: &mut Pipeline, done: &[Text], is_safe: bool) {
    if done.is_empty() {
        return;
    }
    if is_safe {
        // They are at the head of the list, so that none is searched for.
        for id in done {
            request.cmd("LREM").arg(TAKEN).arg(1).arg(id);
        }
    }
    request.add_command(about_all("HDEL", done));
}

fn take(request: &mut Pipeline, order: &Order) {
    if order.is_safe {
        for _ in 0..order.slots {
            request.cmd("LMOVE").arg(READY).arg(TAKEN).arg("LEFT").arg("RIGHT");
        }
    } else {
        request.cmd("LPOP").arg(READY).arg(order.slots);
    }
}

fn about_all(command: &str, ids: &[Text]) -> redis::Cmd {
    let mut command = cmd(command);
    command.arg(JOBS).arg(ids);
    command
}

/// The connection goes to a thread that may block and comes back, once per batch.
async fn drain_sqlite(conn: &mut Option<Connection>, order: &Order) -> Result<u64, Fail> {
    let (mut done, mut last, mut count, mut payloads) = (0, 0, 0, Vec::new());
    let slots = order.slots;
    loop {
        let mut open = conn.take().ok_or_else(|| Fail::new("the connection is elsewhere"))?;
        let turn = move || sqlite::turn(&mut open, done, last, slots).map(|jobs| (open, jobs));
        let (turned, ran) = tokio::join!(spawn_blocking(turn), run(payloads));
        ran?;
        let (open, jobs) = turned??;
        *conn = Some(open);
        if jobs.is_empty() && done == last {
            return Ok(count);
        }
        count += jobs.len() as u64;
        done = last;
        last = jobs.last().map_or(last, |(id, _)| *id);
        payloads = jobs.into_iter().map(|(_, payload)| payload).collect();
    }
}

/// A task per job, which decodes its payload as a worker would.
async fn run(payloads: Vec<Vec<u8>>) -> Result<(), Fail> {
    let one = |payload: Vec<u8>| -> JoinHandle<Result<(), serde_json::Error>> {
        tokio::spawn(async move {
            black_box(serde_json::from_slice::<Noop>(&payload)?);
            Ok(())
        })
    };
    let tasks: Vec<_> = payloads.into_iter().map(one).collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}
