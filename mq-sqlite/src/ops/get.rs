//! Everything known about jobs.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use mq_core::engine::Stored;
use mq_core::{JobId, QueueName};
use rusqlite::Row;

use crate::column;
use crate::error::Result;
use crate::jobs::{self, CANCELLED, RUNNING};
use crate::sql;
use crate::tx::{Tx, time};

/// See [`Engine::get`](mq_core::engine::Engine::get).
pub(crate) fn get(tx: &mut Tx<'_>, name: &QueueName, ids: &[JobId]) -> Result<Vec<Option<Stored>>> {
    let Some(queue) = tx.queue(name)? else { return Ok(vec![None; ids.len()]) };
    let one = |id: &JobId| {
        let found = tx.row(sql!("get"), (queue.pk, id.to_string()), |row| stored(row, name))?;
        Ok(found.flatten())
    };
    ids.iter().map(one).collect()
}

/// Reads a job from the columns that `sql/get.sql` begins with; none if its id is none.
pub(super) fn stored(row: &Row<'_>, name: &QueueName) -> rusqlite::Result<Option<Stored>> {
    let state = column::integer(row, 1)?.unwrap_or(CANCELLED);
    let worker = if state == RUNNING { column::worker(row, 3)? } else { None };
    let (at_ms, record) = (column::integer(row, 2)?, column::bytes(row, 5)?);
    let (history, cancel) = (column::bytes(row, 6)?, column::integer(row, 4)?);
    Ok(column::id(row, 0)?.map(|id| Stored {
        id,
        queue: name.clone(),
        state: jobs::state(state),
        record: record.unwrap_or_default(),
        history,
        at_ms: at_ms.map(time),
        worker,
        cancel_requested: cancel == Some(1),
    }))
}
