//! All queues that ever were.

use mq_core::QueueName;

use crate::column;
use crate::error::Result;
use crate::tx::Tx;

/// See [`Engine::queues`](mq_core::engine::Engine::queues).
pub(crate) fn queues(tx: &Tx<'_>) -> Result<Vec<QueueName>> {
    let sql = "SELECT name FROM mq_queues ORDER BY name";
    let names = tx.rows(sql, [], |row| column::text(row, 0))?;
    // A name that mq could not have written is somebody else's.
    Ok(names.into_iter().flatten().filter_map(|name| QueueName::new(name).ok()).collect())
}
