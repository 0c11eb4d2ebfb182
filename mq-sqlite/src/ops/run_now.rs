//! Makes scheduled jobs ready before their time.

use mq_core::engine::Act;
use mq_core::{JobId, QueueName};

use super::verb;
use crate::error::Result;
use crate::jobs::{Place, READY, SCHEDULED};
use crate::tx::Tx;

/// See [`Engine::run_now`](mq_core::engine::Engine::run_now).
pub(crate) fn run_now(tx: &mut Tx<'_>, name: &QueueName, ids: &[JobId]) -> Result<Vec<Act>> {
    verb::each(tx, name, ids, |tx, target| match target.job.state {
        READY => Ok(Some(Act::Already)),
        SCHEDULED => {
            let place = Place::Ready { is_front: false };
            tx.put(target.queue, target.job.pk, target.job.level, place)?;
            Ok(Some(Act::Applied))
        }
        _ => Ok(None),
    })
}
