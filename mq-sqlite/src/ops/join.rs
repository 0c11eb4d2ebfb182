//! Makes a worker known on a queue, or renews its lease.

use std::time::Duration;

use mq_core::engine::About;
use mq_core::{QueueName, WorkerId};

use super::extend::about_text;
use crate::error::Result;
use crate::sql;
use crate::tx::{Tx, span};

/// See [`Engine::join`](mq_core::engine::Engine::join).
pub(crate) fn join(
    tx: &mut Tx<'_>,
    name: &QueueName,
    worker: WorkerId,
    lease: Duration,
    about: &About,
) -> Result<()> {
    let queue = tx.queue_or_new(name)?;
    let until_ms = tx.lease_ms.saturating_add(span(lease));
    let text = about_text(about);
    tx.execute(sql!("join"), (queue.pk, worker.to_string(), until_ms, about.housekeeper, text))?;
    Ok(())
}
