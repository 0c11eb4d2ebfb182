//! Keeps workers from claiming.

use mq_core::QueueName;

use crate::error::Result;
use crate::tx::Tx;

/// See [`Engine::pause`](mq_core::engine::Engine::pause).
pub(crate) fn pause(tx: &mut Tx<'_>, name: &QueueName) -> Result<()> {
    let queue = tx.queue_or_new(name)?;
    let sql = "UPDATE mq_queues SET paused_ms = coalesce(paused_ms, ?2) WHERE pk = ?1";
    tx.execute(sql, (queue.pk, tx.now_ms))?;
    Ok(())
}
