//! Runs dead, cancelled or scheduled jobs again, with all their attempts.

use mq_core::engine::{Act, Pace};
use mq_core::lifecycle::LATEST_MS;
use mq_core::{History, JobId, QueueName};

use super::verb;
use crate::error::Result;
use crate::jobs::{DONE, Place, READY, RUNNING};
use crate::tx::{Tx, span};

/// See [`Engine::retry`](mq_core::engine::Engine::retry).
pub(crate) fn retry(
    tx: &mut Tx<'_>,
    name: &QueueName,
    ids: &[JobId],
    pace: Option<Pace>,
) -> Result<Vec<Act>> {
    verb::each(tx, name, ids, |tx, target| match target.job.state {
        READY => Ok(Some(Act::Already)),
        RUNNING | DONE => Ok(None),
        _ => revive(tx, target, pace).map(|()| Some(Act::Applied)),
    })
}

fn revive(tx: &mut Tx<'_>, target: &verb::Target<'_>, pace: Option<Pace>) -> Result<()> {
    let (queue, job) = (target.queue, target.job);
    if let Some(past) = tx.history(job)? {
        tx.put_history(job, &History::decode(&past).revived().encode())?;
    }
    tx.own_key(queue, job.key.as_deref(), target.id)?;
    let wait_ms = pace.map_or(0, |pace| span(pace.delay(target.index)));
    let at_ms = tx.now_ms.saturating_add(wait_ms).min(LATEST_MS as i64);
    let place = if wait_ms == 0 {
        Place::Ready { is_front: false }
    } else {
        Place::Scheduled { at_ms, is_retry: false }
    };
    tx.put(queue, job.pk, job.level, place)
}
