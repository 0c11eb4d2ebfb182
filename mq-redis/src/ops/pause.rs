//! Stops claiming from a queue, and lets it go on.

use mq_core::QueueName;
use mq_core::engine::EngineError;

use super::answer::ask;
use super::join::listed;
use crate::engine::RedisEngine;
use crate::link::{Request, USUAL};
use crate::{reply, script};

/// See [`Engine::pause`](mq_core::engine::Engine::pause).
pub(crate) async fn pause(engine: &RedisEngine, queue: &QueueName) -> Result<(), EngineError> {
    let keys = engine.keys.queue(queue);
    // Also of a queue that never was: a pause that nobody sees would be forgotten.
    let mut listing = redis::cmd("SADD");
    listing.arg(engine.keys.queues()).arg(queue.as_str());
    let mut request = Request::new();
    request.cmd(listing);
    request.script(&script::PAUSE, &[keys.paused()], &[engine.now_arg()]);
    let mut replies = engine.link.run(&request, USUAL).await?.into_iter();
    let listing = replies.next().unwrap_or_default();
    reply::text(replies.next().unwrap_or_default())?;
    listed(listing)
}

/// See [`Engine::resume`](mq_core::engine::Engine::resume).
pub(crate) async fn resume(engine: &RedisEngine, queue: &QueueName) -> Result<(), EngineError> {
    let keys = engine.keys.queue(queue);
    let mut request = Request::new();
    request.script(&script::RESUME, &[keys.paused(), keys.wake()], &[] as &[&[u8]]);
    ask(engine, &request).await.map(drop)
}
