//! Puts jobs into a store by hand, 1,000 per request or transaction, as mq does in bulk.

use redis::aio::MultiplexedConnection;
use rusqlite::Connection;

use super::{redis as by_redis, sqlite};
use crate::fail::Fail;
use crate::job::Noop;
use crate::store::Place;

/// mq's own limit.
const BATCH: u64 = 1_000;

/// A store that is open.
pub(crate) enum Fill {
    Redis(MultiplexedConnection),
    Sqlite(Connection),
}

impl Fill {
    pub(crate) async fn open(place: &Place) -> Result<Self, Fail> {
        match place {
            Place::Redis { url } => Ok(Self::Redis(by_redis::connect(url).await?)),
            place => Ok(Self::Sqlite(sqlite::open(place)?)),
        }
    }

    /// Adds so many jobs.
    pub(crate) async fn fill(&mut self, jobs: u64) -> Result<(), Fail> {
        let mut next = 0;
        while next < jobs {
            let batch = next..jobs.min(next + BATCH);
            next = batch.end;
            match self {
                Self::Redis(connection) => {
                    let (mut hash, mut list) = (redis::cmd("HSET"), redis::cmd("RPUSH"));
                    hash.arg(by_redis::JOBS);
                    list.arg(by_redis::READY);
                    for number in batch {
                        let id = id(number);
                        list.arg(&id);
                        hash.arg(id).arg(serde_json::to_vec(&Noop::new())?);
                    }
                    let mut request = redis::pipe();
                    request.add_command(hash).add_command(list);
                    by_redis::send(connection, &request).await?;
                }
                Self::Sqlite(conn) => {
                    let payloads = batch.map(|_| serde_json::to_vec(&Noop::new()));
                    sqlite::insert(conn, &payloads.collect::<Result<Vec<_>, _>>()?)?;
                }
            }
        }
        Ok(())
    }
}

/// As long as an id of mq: 22 characters.
pub(crate) fn id(number: u64) -> String {
    format!("{number:022}")
}
