//! Stores jobs as another store had them.

use mq_core::State;
use mq_core::engine::{Act, Stored};

use crate::error::Result;
use crate::jobs::{CANCELLED, DEAD, DONE, READY, SCHEDULED};
use crate::sql;
use crate::tx::{Tx, ms};

/// See [`Engine::import`](mq_core::engine::Engine::import).
pub(crate) fn import(tx: &mut Tx<'_>, jobs: &[Stored]) -> Result<Vec<Act>> {
    jobs.iter().map(|job| import_one(tx, job)).collect()
}

fn import_one(tx: &mut Tx<'_>, job: &Stored) -> Result<Act> {
    let state = match job.state {
        State::Ready => READY,
        State::Scheduled => SCHEDULED,
        State::Done => DONE,
        State::Dead => DEAD,
        State::Cancelled => CANCELLED,
        other => return Ok(Act::Refused(other)),
    };
    let queue = tx.queue_or_new(&job.queue)?;
    if tx.job(&queue, job.id)?.is_some() {
        return Ok(Act::Already);
    }
    let (id, key) = (job.id.to_string(), job.idempotency_key());
    let level = i64::from(job.priority().level());
    let (at_ms, seq) = if state == READY {
        (None, Some(tx.seq(&queue, level, false)?))
    } else {
        (Some(ms(job.at_ms.unwrap_or(0))), None)
    };
    // A request to cancel stands for as long as the job is to be run.
    let is_cancel = job.cancel_requested && matches!(state, READY | SCHEDULED);
    let (is_retry, history, record) = (job.is_retry(), &job.history, &job.record);
    let row = rusqlite::params![
        queue.pk, id, state, level, seq, at_ms, is_retry, is_cancel, key, history, record
    ];
    tx.execute(sql!("import"), row)?;
    tx.own_key(&queue, key.as_deref(), job.id)?;
    if matches!(state, DONE | CANCELLED) {
        tx.end_key(&queue, key.as_deref(), job.id)?;
    }
    tx.wake(&queue);
    Ok(Act::Applied)
}
