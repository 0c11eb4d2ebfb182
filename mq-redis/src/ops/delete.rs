//! Removes jobs.

use mq_core::engine::{Act, EngineError};
use mq_core::{JobId, QueueName};

use super::verb::{self, Seen, Verb};
use crate::engine::RedisEngine;
use crate::script;

/// See [`Engine::delete`](mq_core::engine::Engine::delete).
pub(crate) async fn delete(
    engine: &RedisEngine,
    queue: &QueueName,
    ids: &[JobId],
) -> Result<Vec<Act>, EngineError> {
    let first = engine.now_arg();
    let args = |seen: &Seen| vec![seen.id.clone(), seen.key()];
    let verb = Verb { script: &script::DELETE, first, reads: true, args: &args };
    verb::apply(engine, queue, ids, &verb).await
}
