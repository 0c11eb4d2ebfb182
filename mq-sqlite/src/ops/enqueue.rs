//! Stores jobs, each once.

use mq_core::JobId;
use mq_core::engine::{EnqueueReply, NewJob, Schedule};

use crate::column;
use crate::error::Result;
use crate::jobs::{READY, SCHEDULED};
use crate::sql;
use crate::tx::{Queue, Tx, ms, span, time};

/// See [`Engine::enqueue`](mq_core::engine::Engine::enqueue).
pub(crate) fn enqueue(tx: &mut Tx<'_>, jobs: &[NewJob]) -> Result<Vec<EnqueueReply>> {
    NewJob::check_schedules(jobs, time(tx.now_ms))?;
    jobs.iter().map(|job| enqueue_one(tx, job)).collect()
}

fn enqueue_one(tx: &mut Tx<'_>, job: &NewJob) -> Result<EnqueueReply> {
    let queue = tx.queue_or_new(&job.queue)?;
    let id = job.id.to_string();
    if tx.is_there("SELECT 1 FROM mq_jobs WHERE queue = ?1 AND id = ?2", (queue.pk, &id))? {
        return Ok(EnqueueReply { id: job.id, duplicate: false });
    }
    if let Some(key) = &job.idempotency_key {
        if let Some(other) = holder(tx, &queue, key)? {
            // A job that has ended under this very id is no duplicate of itself.
            return Ok(EnqueueReply { id: other, duplicate: other != job.id });
        }
        tx.execute("REPLACE INTO mq_keys VALUES (?1, ?2, ?3, NULL)", (queue.pk, key, &id))?;
    }
    let at_ms = match job.schedule {
        Schedule::After(delay) => tx.now_ms.saturating_add(span(delay)),
        Schedule::At(at_ms) => ms(at_ms),
        _ => tx.now_ms,
    };
    let level = i64::from(job.priority.level());
    let (state, at_ms, seq) = if at_ms <= tx.now_ms {
        (READY, None, Some(tx.seq(&queue, level, false)?))
    } else {
        (SCHEDULED, Some(at_ms), None)
    };
    let row = (queue.pk, &id, state, level, seq, at_ms, &job.idempotency_key, &job.record);
    tx.execute(sql!("enqueue"), row)?;
    let tally = tx.tally(&queue);
    tally.enqueued += 1;
    tally.is_awake = true;
    Ok(EnqueueReply { id: job.id, duplicate: false })
}

/// The job to which a key belongs, if it is not free.
fn holder(tx: &Tx<'_>, queue: &Queue, key: &str) -> Result<Option<JobId>> {
    let holder =
        tx.row(sql!("key_holder"), (queue.pk, key, tx.now_ms), |row| column::id(row, 0))?;
    Ok(holder.flatten())
}
