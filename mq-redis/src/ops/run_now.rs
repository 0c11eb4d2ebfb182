//! Makes scheduled jobs ready.

use mq_core::engine::{Act, EngineError};
use mq_core::{JobId, QueueName};

use super::verb::{self, Seen, Verb};
use crate::engine::RedisEngine;
use crate::script;

/// See [`Engine::run_now`](mq_core::engine::Engine::run_now).
pub(crate) async fn run_now(
    engine: &RedisEngine,
    queue: &QueueName,
    ids: &[JobId],
) -> Result<Vec<Act>, EngineError> {
    let args = |seen: &Seen| vec![seen.id.clone()];
    let verb = Verb { script: &script::RUN_NOW, first: Vec::new(), reads: false, args: &args };
    verb::apply(engine, queue, ids, &verb).await
}
