//! Removes jobs that nobody runs.

use mq_core::engine::Act;
use mq_core::{JobId, QueueName};

use super::verb;
use crate::error::Result;
use crate::jobs::RUNNING;
use crate::tx::Tx;

/// See [`Engine::delete`](mq_core::engine::Engine::delete).
pub(crate) fn delete(tx: &mut Tx<'_>, name: &QueueName, ids: &[JobId]) -> Result<Vec<Act>> {
    verb::each(tx, name, ids, |tx, target| {
        if target.job.state == RUNNING {
            return Ok(None);
        }
        tx.remove(target.queue, target.id, target.job)?;
        Ok(Some(Act::Applied))
    })
}
