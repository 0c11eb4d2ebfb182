//! Stops claiming from a queue, and lets it go on.

use mq_core::QueueName;
use mq_core::engine::EngineError;

use super::answer::ask;
use crate::engine::RedisEngine;
use crate::link::Request;
use crate::script;

/// See [`Engine::pause`](mq_core::engine::Engine::pause).
pub(crate) async fn pause(engine: &RedisEngine, queue: &QueueName) -> Result<(), EngineError> {
    let keys = engine.keys.queue(queue);
    let mut request = Request::new();
    request.script(&script::PAUSE, &[keys.paused()], &[engine.now_arg()]);
    ask(engine, &request).await.map(drop)
}

/// See [`Engine::resume`](mq_core::engine::Engine::resume).
pub(crate) async fn resume(engine: &RedisEngine, queue: &QueueName) -> Result<(), EngineError> {
    let keys = engine.keys.queue(queue);
    let mut request = Request::new();
    request.script(&script::RESUME, &[keys.paused(), keys.wake()], &[] as &[&[u8]]);
    ask(engine, &request).await.map(drop)
}
