//! Moves jobs to another queue. One transaction, so there is no half way.

use mq_core::engine::{Act, EngineError, EngineErrorKind};
use mq_core::{JobId, QueueName};

use super::verb::{self, Target};
use crate::error::Result;
use crate::jobs::{DEAD, READY, SCHEDULED};
use crate::tx::{Queue, Tx};

/// See [`Engine::transfer`](mq_core::engine::Engine::transfer).
pub(crate) fn transfer(
    tx: &mut Tx<'_>,
    from: &QueueName,
    to: &QueueName,
    ids: &[JobId],
) -> Result<Vec<Act>> {
    if from == to {
        let text = format!("the jobs are in queue `{from}` already: name another destination");
        return Err(EngineError::new(EngineErrorKind::Invalid, text));
    }
    verb::each(tx, from, ids, |tx, target| match target.job.state {
        READY | SCHEDULED | DEAD => {
            let to = tx.queue_or_new(to)?;
            move_one(tx, target, &to).map(|()| Some(Act::Applied))
        }
        _ => Ok(None),
    })
}

fn move_one(tx: &mut Tx<'_>, target: &Target<'_>, to: &Queue) -> Result<()> {
    if tx.job(to, target.id)?.is_some() {
        // The job is there already, and may even run: the copy here must not become a second one.
        return tx.remove(target.queue, target.id, target.job);
    }
    let job = target.job;
    // Here the job has ended; a producer that repeats itself must not make a second one.
    tx.end_key(target.queue, job.key.as_deref(), target.id)?;
    let seq = if job.state == READY { Some(tx.seq(to, job.level, false)?) } else { None };
    let moved = (job.pk, to.pk, seq);
    tx.execute("UPDATE mq_jobs SET queue = ?2, seq = ?3, cancel = 0 WHERE pk = ?1", moved)?;
    tx.own_key(to, job.key.as_deref(), target.id)?;
    tx.wake(to);
    Ok(())
}
