//! Runs dead, cancelled or scheduled jobs again, with all their attempts.

use std::time::Duration;

use mq_core::engine::Act;
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
    spread: Option<Duration>,
) -> Result<Vec<Act>> {
    verb::each(tx, name, ids, |tx, target| match target.job.state {
        READY => Ok(Some(Act::Already)),
        RUNNING | DONE => Ok(None),
        _ => revive(tx, target, spread).map(|()| Some(Act::Applied)),
    })
}

fn revive(tx: &mut Tx<'_>, target: &verb::Target<'_>, spread: Option<Duration>) -> Result<()> {
    let (queue, job) = (target.queue, target.job);
    if let Some(past) = tx.history(job)? {
        tx.put_history(job, &History::decode(&past).revived().encode())?;
    }
    tx.own_key(queue, job.key.as_deref(), target.id)?;
    let nth = i64::try_from(target.index).unwrap_or(i64::MAX).saturating_add(1);
    let wait_ms = spread.map_or(0, |spread| span(spread).saturating_mul(nth));
    let at_ms = tx.now_ms.saturating_add(wait_ms).min(LATEST_MS as i64);
    let place = if wait_ms == 0 {
        Place::Ready { is_front: false }
    } else {
        Place::Scheduled { at_ms, is_retry: false }
    };
    tx.put(queue, job.pk, job.level, place)
}
