//! Takes a worker off a queue; a sweep takes over what it still holds.

use mq_core::{QueueName, WorkerId};

use crate::error::Result;
use crate::tx::Tx;

/// See [`Engine::leave`](mq_core::engine::Engine::leave).
pub(crate) fn leave(tx: &mut Tx<'_>, name: &QueueName, worker: WorkerId) -> Result<()> {
    let Some(queue) = tx.queue(name)? else { return Ok(()) };
    let who = (queue.pk, worker.to_string());
    let revoke = "UPDATE mq_workers SET is_revoked = 1, until_ms = 0
         WHERE queue = ?1 AND worker = ?2 AND is_revoked = 0";
    tx.execute(revoke, who)?;
    tx.bury_workers(&queue)
}
