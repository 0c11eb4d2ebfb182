//! Sends jobs that wait to the dead letters.

use mq_core::engine::Act;
use mq_core::{History, JobId, QueueName};

use super::verb;
use crate::error::Result;
use crate::jobs::{DEAD, Place, READY, SCHEDULED};
use crate::tx::Tx;

/// See [`Engine::discard`](mq_core::engine::Engine::discard).
pub(crate) fn discard(tx: &mut Tx<'_>, name: &QueueName, ids: &[JobId]) -> Result<Vec<Act>> {
    verb::each(tx, name, ids, |tx, target| match target.job.state {
        DEAD => Ok(Some(Act::Already)),
        READY | SCHEDULED => bury(tx, target).map(|()| Some(Act::Applied)),
        _ => Ok(None),
    })
}

fn bury(tx: &mut Tx<'_>, target: &verb::Target<'_>) -> Result<()> {
    let (queue, job) = (target.queue, target.job);
    let past = tx.history(job)?.as_deref().map(History::decode).unwrap_or_default();
    tx.put_history(job, &past.discarded(tx.now()).encode())?;
    tx.tally(queue).dead += 1;
    tx.put(queue, job.pk, job.level, Place::Kept { state: DEAD, at_ms: tx.now_ms })
}
