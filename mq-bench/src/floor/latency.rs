//! Hands jobs over by hand.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::cmd;
use rusqlite::Connection;
use tokio::sync::Notify;

use super::redis::{READY, Text, connect};
use super::sqlite;
use crate::child::{Role, Wire};
use crate::fail::Fail;
use crate::runtime::{self, Threads};
use crate::scenario::latency::{Order, Ping, pause};
use crate::store::Place;

/// The counterparts of mq's: same order, same answers.
pub(crate) const WORKER: Role = Role { name: "latency-floor-worker", run: work };
pub(crate) const PRODUCER: Role = Role { name: "latency-floor-producer", run: produce };
pub(crate) const ALONE: Role = Role { name: "latency-floor-alone", run: alone };

/// As often as a worker of mq looks.
const LOOK: Duration = Duration::from_millis(20);

fn work(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let ages_us = match &order.place {
            Place::Redis { url } => pop(&mut wire, url, order.jobs).await?,
            place => look(&mut wire, &sqlite::open(place)?, order.jobs).await?,
        };
        wire.say(&ages_us)
    })
}

fn produce(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        match &order.place {
            Place::Redis { url } => {
                let mut connection = connect(url).await?;
                wire.ready().await?;
                for job in 0..order.jobs {
                    pause(job).await;
                    let ping = serde_json::to_vec(&Ping::now())?;
                    cmd("RPUSH").arg(READY).arg(ping).query_async::<()>(&mut connection).await?;
                }
            }
            place => {
                let mut conn = sqlite::open(place)?;
                wire.ready().await?;
                for job in 0..order.jobs {
                    pause(job).await;
                    sqlite::insert(&mut conn, &[serde_json::to_vec(&Ping::now())?])?;
                }
            }
        }
        wire.say(&())
    })
}

async fn pop(wire: &mut Wire, url: &str, jobs: u64) -> Result<Vec<f64>, Fail> {
    let mut connection = connect(url).await?;
    wire.ready().await?;
    let mut ages_us = Vec::new();
    while (ages_us.len() as u64) < jobs {
        let (_, ping): (Text, Text) =
            cmd("BLPOP").arg(READY).arg(0).query_async(&mut connection).await?;
        ages_us.push(serde_json::from_slice::<Ping>(&ping)?.age_us());
    }
    Ok(ages_us)
}

/// Waits until another connection has changed the file.
async fn look(wire: &mut Wire, conn: &Connection, jobs: u64) -> Result<Vec<f64>, Fail> {
    let version = |conn: &Connection| -> Result<i64, Fail> {
        Ok(conn.query_row("PRAGMA data_version", [], |row| row.get(0))?)
    };
    let mut ages_us = Vec::new();
    let mut known = version(conn)?;
    wire.ready().await?;
    while (ages_us.len() as u64) < jobs {
        tokio::time::sleep(LOOK).await;
        let found = version(conn)?;
        if found != known {
            known = found;
            take(conn, &mut ages_us)?;
        }
    }
    Ok(ages_us)
}

/// Takes all jobs that are there.
fn take(conn: &Connection, ages_us: &mut Vec<f64>) -> Result<(), Fail> {
    for ping in sqlite::take_all(conn)? {
        ages_us.push(serde_json::from_slice::<Ping>(&ping)?.age_us());
    }
    Ok(())
}

fn alone(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let conn = Arc::new(Mutex::new(sqlite::open(&order.place)?));
        let stored = Arc::new(Notify::new());
        wire.ready().await?;
        let (to, told) = (Arc::clone(&conn), Arc::clone(&stored));
        let producer = tokio::spawn(async move {
            for job in 0..order.jobs {
                pause(job).await;
                let ping = serde_json::to_vec(&Ping::now())?;
                sqlite::insert(&mut to.lock().unwrap_or_else(PoisonError::into_inner), &[ping])?;
                told.notify_one();
            }
            Ok::<(), Fail>(())
        });
        let mut ages_us = Vec::new();
        while (ages_us.len() as u64) < order.jobs {
            stored.notified().await;
            let conn = conn.lock().unwrap_or_else(PoisonError::into_inner);
            take(&conn, &mut ages_us)?;
        }
        producer.await??;
        wire.say(&ages_us)
    })
}
