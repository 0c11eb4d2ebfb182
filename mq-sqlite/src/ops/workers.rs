//! The workers of a queue and what they hold.

use mq_core::engine::{BATCH_MAX, WorkerStats};
use mq_core::{JobId, QueueName, WorkerId};

use crate::error::Result;
use crate::jobs;
use crate::sql;
use crate::tx::{Tx, clocked, time};

/// See [`Engine::workers`](mq_core::engine::Engine::workers).
pub(crate) fn workers(tx: &mut Tx<'_>, name: &QueueName) -> Result<Vec<WorkerStats>> {
    let Some(queue) = tx.queue(name)? else { return Ok(Vec::new()) };
    let known = "SELECT worker, until_ms, about FROM mq_workers WHERE queue = ?1";
    let known: Vec<(WorkerId, i64, String)> =
        tx.rows(known, [queue.pk], |row| Ok((jobs::worker(row, 0)?, row.get(1)?, row.get(2)?)))?;
    // Leases go by a clock of their own.
    let ahead_ms = tx.now_ms - tx.lease_ms;
    let mut all = Vec::with_capacity(known.len());
    for (worker, until_ms, about) in known {
        let mut stats = WorkerStats::new(worker, name.clone(), time(clocked(until_ms) + ahead_ms));
        // For people: what cannot be read is left out.
        stats.about = serde_json::from_str(&about).unwrap_or_default();
        let held = (queue.pk, worker.to_string(), BATCH_MAX as i64);
        let running: Vec<JobId> = tx.rows(sql!("workers_held"), held, |row| jobs::id(row, 0))?;
        stats.running_count = if running.len() < BATCH_MAX {
            running.len()
        } else {
            let held = (queue.pk, worker.to_string());
            usize::try_from(tx.number(sql!("workers_count"), held)?).unwrap_or(usize::MAX)
        };
        stats.running = running;
        all.push(stats);
    }
    all.sort_by_key(|stats| (stats.about.started_ms, stats.worker));
    Ok(all)
}
