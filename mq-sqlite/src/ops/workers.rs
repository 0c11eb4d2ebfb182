//! The workers of a queue and what they hold.

use mq_core::engine::{BATCH_MAX, WorkerStats};
use mq_core::{JobId, QueueName, WorkerId};

use crate::column;
use crate::error::Result;
use crate::sql;
use crate::tx::{Tx, clocked, time};

/// See [`Engine::workers`](mq_core::engine::Engine::workers).
pub(crate) fn workers(tx: &mut Tx<'_>, name: &QueueName) -> Result<Vec<WorkerStats>> {
    let Some(queue) = tx.queue(name)? else { return Ok(Vec::new()) };
    let known =
        "SELECT worker, until_ms, about FROM mq_workers WHERE queue = ?1 AND is_revoked < 2";
    let known = tx.rows(known, [queue.pk], |row| {
        let until_ms = column::integer(row, 1)?.unwrap_or(0);
        let about = column::text(row, 2)?.unwrap_or_default();
        Ok(column::worker(row, 0)?.map(|worker: WorkerId| (worker, until_ms, about)))
    })?;
    // Leases go by a clock of their own.
    let ahead_ms = tx.now_ms - tx.lease_ms;
    let mut all = Vec::with_capacity(known.len());
    for (worker, until_ms, about) in known.into_iter().flatten() {
        let until_ms = time(clocked(until_ms).saturating_add(ahead_ms));
        let mut stats = WorkerStats::new(worker, name.clone(), until_ms);
        // For people: what cannot be read is left out.
        stats.about = serde_json::from_str(&about).unwrap_or_default();
        let held = (queue.pk, worker.to_string(), BATCH_MAX as i64);
        let running = tx.rows(sql!("workers_held"), held, |row| column::id(row, 0))?;
        let running: Vec<Option<JobId>> = running;
        stats.running_count = if running.len() < BATCH_MAX {
            running.len()
        } else {
            let held = (queue.pk, worker.to_string());
            usize::try_from(tx.number(sql!("workers_count"), held)?).unwrap_or(usize::MAX)
        };
        stats.running = running.into_iter().flatten().collect();
        all.push(stats);
    }
    all.sort_by_key(|stats| (stats.about.started_ms, stats.worker));
    Ok(all)
}
