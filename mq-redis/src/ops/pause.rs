//! Stops claiming from a queue, and lets it go on.

use mq_core::QueueName;
use mq_core::engine::EngineError;

use super::join::listed;
use super::order::{self, Order};
use super::verb::variadic_command;
use crate::engine::RedisEngine;
use crate::link::Request;
use crate::{reply, script};

/// See [`Engine::pause`](mq_core::engine::Engine::pause).
pub(crate) async fn pause(engine: &RedisEngine, queue: &QueueName) -> Result<(), EngineError> {
    let keys = engine.keys.queue(queue);
    let request = |order: &Order| {
        let mut request = Request::new();
        // Also of a queue that never was: a pause that nobody sees would be forgotten.
        request.cmd(variadic_command("SADD", &engine.keys.queues(), &[queue.as_str()]));
        let args = [engine.now_arg(), order.name.clone(), order.previous.clone()];
        request.script(&script::PAUSE, &[keys.paused(), keys.orders()], &args);
        request
    };
    let mut replies = order::give(engine, queue, request).await?.into_iter();
    let listing = replies.next().unwrap_or_default();
    reply::text(replies.next().unwrap_or_default())?;
    listed(listing)
}

/// See [`Engine::resume`](mq_core::engine::Engine::resume).
pub(crate) async fn resume(engine: &RedisEngine, queue: &QueueName) -> Result<(), EngineError> {
    let keys = engine.keys.queue(queue);
    let of_script = [keys.paused(), keys.wake(), keys.orders()];
    let request = |order: &Order| {
        let mut request = Request::new();
        request.script(&script::RESUME, &of_script, &[&order.name, &order.previous]);
        request
    };
    reply::only(order::give(engine, queue, request).await?).and_then(reply::text).map(drop)
}
