//! Ends a pause.

use mq_core::QueueName;

use crate::error::Result;
use crate::tx::Tx;

/// See [`Engine::resume`](mq_core::engine::Engine::resume).
pub(crate) fn resume(tx: &mut Tx<'_>, name: &QueueName) -> Result<()> {
    let Some(queue) = tx.queue(name)? else { return Ok(()) };
    tx.execute("UPDATE mq_queues SET paused_ms = NULL WHERE pk = ?1", [queue.pk])?;
    tx.wake(&queue);
    Ok(())
}
