//! Everything known about jobs.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use mq_core::engine::Stored;
use mq_core::{JobId, QueueName};
use rusqlite::Row;

use crate::error::Result;
use crate::jobs::{self, RUNNING};
use crate::sql;
use crate::tx::{Tx, time};

/// See [`Engine::get`](mq_core::engine::Engine::get).
pub(crate) fn get(tx: &mut Tx<'_>, name: &QueueName, ids: &[JobId]) -> Result<Vec<Option<Stored>>> {
    let Some(queue) = tx.queue(name)? else { return Ok(vec![None; ids.len()]) };
    let one = |id: &JobId| tx.row(sql!("get"), (queue.pk, id.to_string()), |row| stored(row, name));
    ids.iter().map(one).collect()
}

/// Reads a job from the columns that `sql/get.sql` begins with.
pub(super) fn stored(row: &Row<'_>, name: &QueueName) -> rusqlite::Result<Stored> {
    let state: i64 = row.get(1)?;
    let at_ms: Option<i64> = row.get(2)?;
    let worker = if state == RUNNING { Some(jobs::worker(row, 3)?) } else { None };
    Ok(Stored {
        id: jobs::id(row, 0)?,
        queue: name.clone(),
        state: jobs::state(state),
        record: row.get(5)?,
        history: row.get(6)?,
        at_ms: at_ms.map(time),
        worker,
        cancel_requested: row.get(4)?,
    })
}
