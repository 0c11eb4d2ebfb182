//! Makes due jobs ready, scheduled ones and retries in turn.

use mq_core::QueueName;
use mq_core::engine::{BATCH_MAX, Progress};

use crate::column;
use crate::error::Result;
use crate::jobs::{NORMAL, Place};
use crate::sql;
use crate::tx::{Queue, Tx};

/// See [`Engine::promote`](mq_core::engine::Engine::promote).
pub(crate) fn promote(tx: &mut Tx<'_>, name: &QueueName, limit: usize) -> Result<Progress> {
    let Some(queue) = tx.queue(name)? else { return Ok(Progress::default()) };
    let done = move_due(tx, &queue, limit.min(BATCH_MAX))?;
    // Also makes up for a wake-up that got lost.
    if tx.has_ready(&queue)? {
        tx.wake(&queue);
    }
    let more = tx.next_due_ms(&queue)?.is_some_and(|due_ms| due_ms <= tx.now_ms);
    Ok(Progress { done, more })
}

/// Makes at most so many due jobs ready; returns how many.
pub(super) fn move_due(tx: &mut Tx<'_>, queue: &Queue, limit: usize) -> Result<usize> {
    let (scheduled, retries) = (due(tx, queue, false, limit)?, due(tx, queue, true, limit)?);
    // Half of the limit each, and what one does not need is the other's.
    let half = limit.div_ceil(2).min(scheduled.len());
    let from_retries = retries.len().min(limit - half);
    let from_scheduled = scheduled.len().min(limit - from_retries);
    let (first, second) = scheduled[..from_scheduled].split_at(half);
    for (pk, level) in first.iter().chain(&retries[..from_retries]).chain(second) {
        tx.put(queue, *pk, *level, Place::Ready { is_front: false })?;
    }
    Ok(from_scheduled + from_retries)
}

/// Numbers and levels of due jobs, the earliest first.
fn due(tx: &Tx<'_>, queue: &Queue, is_retry: bool, limit: usize) -> Result<Vec<(i64, i64)>> {
    let asked = (queue.pk, is_retry, tx.now_ms, limit as i64);
    tx.rows(sql!("due"), asked, |row| Ok((row.get(0)?, column::integer(row, 1)?.unwrap_or(NORMAL))))
}
