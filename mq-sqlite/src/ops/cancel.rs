//! Cancels jobs: at once if they wait, by request if they run.

use mq_core::engine::Act;
use mq_core::{History, JobId, QueueName, Record};

use super::verb;
use crate::column;
use crate::error::Result;
use crate::jobs::{CANCELLED, Place, READY, RUNNING, SCHEDULED};
use crate::tx::{Tx, span};

/// See [`Engine::cancel`](mq_core::engine::Engine::cancel).
pub(crate) fn cancel(tx: &mut Tx<'_>, name: &QueueName, ids: &[JobId]) -> Result<Vec<Act>> {
    verb::each(tx, name, ids, |tx, target| match target.job.state {
        CANCELLED => Ok(Some(Act::Already)),
        RUNNING if target.job.is_cancel => Ok(Some(Act::Already)),
        RUNNING => {
            tx.execute("UPDATE mq_jobs SET cancel = 1 WHERE pk = ?1", [target.job.pk])?;
            Ok(Some(Act::Requested))
        }
        READY | SCHEDULED => end(tx, target).map(|()| Some(Act::Applied)),
        _ => Ok(None),
    })
}

/// Ends a job that waits; it is kept if it has a retention.
fn end(tx: &mut Tx<'_>, target: &verb::Target<'_>) -> Result<()> {
    let (queue, job) = (target.queue, target.job);
    let sql = "SELECT record FROM mq_jobs WHERE pk = ?1";
    let record = tx.row(sql, [job.pk], |row| column::bytes(row, 0))?.flatten().unwrap_or_default();
    let keep = Record::decode(&record).ok().and_then(|record| record.retention);
    let Some(keep) = keep else { return tx.remove(queue, target.id, job) };
    let mut history = History::decode(&tx.history(job)?.unwrap_or_default());
    history.ended_ms = Some(tx.now());
    tx.put_history(job, &history.encode())?;
    tx.end_key(queue, job.key.as_deref(), target.id)?;
    let at_ms = tx.now_ms.saturating_add(span(keep));
    tx.put(queue, job.pk, job.level, Place::Kept { state: CANCELLED, at_ms })
}
