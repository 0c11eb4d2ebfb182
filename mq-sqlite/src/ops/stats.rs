//! Sizes and counters of a queue.

use mq_core::QueueName;
use mq_core::engine::{QueueStats, total};
use rusqlite::Row;

use crate::column;
use crate::error::Result;
use crate::jobs::{CANCELLED, DEAD, DONE};
use crate::sql;
use crate::tx::{Queue, Tx, time};

/// See [`Engine::stats`](mq_core::engine::Engine::stats).
pub(crate) fn stats(tx: &mut Tx<'_>, name: &QueueName) -> Result<QueueStats> {
    let mut stats = QueueStats::default();
    stats.now_ms = tx.now();
    let Some(queue) = tx.queue(name)? else { return Ok(stats) };
    sizes(tx, &queue, &mut stats)?;
    let head = tx.row(sql!("stats_head"), [queue.pk], |row| column::id(row, 0))?.flatten();
    let created = head.map(|id| id.created_at().timestamp_millis());
    stats.oldest_ready_ms = created.map(time);
    stats.next_due_ms = tx.next_due_ms(&queue)?.map(time);
    // One that is fenced out is not registered any more, although it is still to be taken over.
    let workers = "SELECT count(*) FROM mq_workers
        WHERE queue = ?1 AND housekeeper = 0 AND is_revoked = 0";
    stats.workers = time(tx.number(workers, [queue.pk])?);
    tx.row(sql!("stats_totals"), [queue.pk], |row| totals(row, &mut stats))?;
    let minute = (queue.pk, tx.now_ms / 60_000 - 1);
    tx.row(sql!("stats_minute"), minute, |row| {
        stats.enqueued_last_minute = size(row, 0)?;
        stats.done_last_minute = size(row, 1)?;
        stats.failed_last_minute = size(row, 2)?;
        Ok(())
    })?;
    Ok(stats)
}

/// Counted in the indexes of the places, which are far smaller than the table.
fn sizes(tx: &Tx<'_>, queue: &Queue, stats: &mut QueueStats) -> Result<()> {
    let pair = |row: &Row<'_>| Ok((column::integer(row, 0)?.unwrap_or(-1), row.get(1)?));
    let levels: Vec<(i64, i64)> = tx.rows(sql!("stats_ready"), [queue.pk], pair)?;
    for (level, count) in levels {
        let at = usize::try_from(level).unwrap_or(usize::MAX);
        if let Some(size) = stats.ready_by_priority.get_mut(at) {
            *size = size.saturating_add(time(count));
        }
    }
    stats.ready = total(&stats.ready_by_priority);
    let due: Vec<(i64, i64)> = tx.rows(sql!("stats_due"), [queue.pk], pair)?;
    for (is_retry, count) in due {
        let size = if is_retry == 0 { &mut stats.scheduled } else { &mut stats.retrying };
        *size = size.saturating_add(time(count));
    }
    let running = "SELECT count(*) FROM mq_jobs WHERE queue = ?1 AND state = 2";
    stats.running = time(tx.number(running, [queue.pk])?);
    let kept: Vec<(i64, i64)> = tx.rows(sql!("stats_kept"), [queue.pk], pair)?;
    for (state, count) in kept {
        match state {
            DONE => stats.done = time(count),
            DEAD => stats.dead = time(count),
            CANCELLED => stats.cancelled = time(count),
            _ => {}
        }
    }
    Ok(())
}

fn size(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(time(column::integer(row, column)?.unwrap_or(0)))
}

fn totals(row: &Row<'_>, stats: &mut QueueStats) -> rusqlite::Result<()> {
    stats.paused_since_ms = column::integer(row, 0)?.map(time);
    stats.enqueued_total = size(row, 1)?;
    stats.done_total = size(row, 2)?;
    stats.failed_total = size(row, 3)?;
    stats.dead_total = size(row, 4)?;
    stats.interrupted_total = size(row, 5)?;
    Ok(())
}
