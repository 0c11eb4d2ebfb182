//! The names of all queues.

use mq_core::QueueName;
use mq_core::engine::EngineError;

use super::answer::{ask, bytes, list};
use super::verb::command;
use crate::engine::RedisEngine;
use crate::link::Request;

/// See [`Engine::queues`](mq_core::engine::Engine::queues). Names that mq would not have accepted
/// are left out: nobody could ask for such a queue.
pub(crate) async fn queues(engine: &RedisEngine) -> Result<Vec<QueueName>, EngineError> {
    let mut request = Request::new();
    request.cmd(command("SMEMBERS", &engine.keys.queues()));
    let names = ask(engine, &request).await?.next().unwrap_or_default();
    let name = |name| QueueName::new(String::from_utf8(bytes(name)?).ok()?).ok();
    let mut queues: Vec<_> = list(names).filter_map(name).collect();
    queues.sort();
    Ok(queues)
}
