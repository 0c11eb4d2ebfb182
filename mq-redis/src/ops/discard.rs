//! Sends jobs that wait to the dead letters.

use mq_core::engine::{Act, EngineError};
use mq_core::{History, JobId, QueueName};

use super::verb::{self, Seen, Verb};
use crate::engine::RedisEngine;
use crate::script;

/// See [`Engine::discard`](mq_core::engine::Engine::discard).
pub(crate) async fn discard(
    engine: &RedisEngine,
    queue: &QueueName,
    ids: &[JobId],
) -> Result<Vec<Act>, EngineError> {
    let first = engine.now_arg();
    let verb = Verb { script: &script::DISCARD, first, reads: true, args: &args };
    verb::apply(engine, queue, ids, &verb).await
}

fn args(seen: &Seen) -> Vec<Vec<u8>> {
    let read = seen.history.clone().unwrap_or_default();
    let history = History::decode(&read).discarded(seen.now_ms);
    vec![seen.id.clone(), read, history.encode()]
}
