//! Removes what retention and bounds say, in portions.

use mq_core::engine::{BATCH_MAX, Progress, PruneLimits};
use mq_core::{JobId, QueueName};
use rusqlite::Params;

use crate::column;
use crate::error::Result;
use crate::sql;
use crate::tx::{Queue, Tx, ms};

/// Full minutes whose figures are kept.
const MINUTES: i64 = 60;

/// See [`Engine::prune`](mq_core::engine::Engine::prune).
pub(crate) fn prune(tx: &mut Tx<'_>, name: &QueueName, limits: PruneLimits) -> Result<Progress> {
    let Some(queue) = tx.queue(name)? else { return Ok(Progress::default()) };
    let batch = limits.batch.clamp(1, BATCH_MAX);
    let asked = batch as i64 + 1;
    let mut progress = Progress::default();

    remove(tx, &queue, &mut progress, batch, sql!("prune_kept"), (queue.pk, tx.now_ms, asked))?;

    let count = "SELECT count(*) FROM mq_jobs WHERE queue = ?1 AND state = 4 AND state >= 3";
    let dead = tx.number(count, [queue.pk])?;
    let too_many = dead.saturating_sub(i64::try_from(limits.dead_count).unwrap_or(i64::MAX)).max(0);
    let oldest = (queue.pk, too_many.min(asked));
    remove(tx, &queue, &mut progress, batch, sql!("prune_dead_count"), oldest)?;
    let before_ms = tx.now_ms.saturating_sub(ms(limits.dead_age_ms));
    let left = batch.saturating_sub(usize::try_from(too_many).unwrap_or(usize::MAX));
    let old = (queue.pk, before_ms, left as i64 + 1);
    remove(tx, &queue, &mut progress, left, sql!("prune_dead_age"), old)?;

    let freed = (queue.pk, tx.now_ms, asked);
    let keys: Vec<Option<String>> =
        tx.rows(sql!("prune_keys"), freed, |row| column::text(row, 0))?;
    progress.more |= keys.len() > batch;
    for key in keys.iter().take(batch).flatten() {
        tx.execute("DELETE FROM mq_keys WHERE queue = ?1 AND key = ?2", (queue.pk, key))?;
        progress.done += 1;
    }
    let long_ago = (queue.pk, tx.now_ms / 60_000 - MINUTES);
    tx.execute("DELETE FROM mq_minutes WHERE queue = ?1 AND minute < ?2", long_ago)?;
    Ok(progress)
}

/// Removes the jobs that a statement finds, at most so many.
fn remove(
    tx: &Tx<'_>,
    queue: &Queue,
    progress: &mut Progress,
    limit: usize,
    sql: &str,
    params: impl Params,
) -> Result<()> {
    let found: Vec<Option<JobId>> = tx.rows(sql, params, |row| column::id(row, 0))?;
    progress.more |= found.len() > limit;
    for id in found.into_iter().take(limit).flatten() {
        if let Some(job) = tx.job(queue, id)? {
            tx.remove(queue, id, &job)?;
            progress.done += 1;
        }
    }
    Ok(())
}
