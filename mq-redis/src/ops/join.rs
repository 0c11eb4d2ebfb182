//! Workers come and go.

use std::time::Duration;

use mq_core::engine::{About, EngineError, EngineErrorKind};
use mq_core::{QueueName, WorkerId};
use redis::Value;

use super::extend::{about_json, lease_arg};
use crate::engine::RedisEngine;
use crate::link::{Request, USUAL};
use crate::{reply, script};

/// See [`Engine::join`](mq_core::engine::Engine::join).
pub(crate) async fn join(
    engine: &RedisEngine,
    queue: &QueueName,
    worker: WorkerId,
    lease: Duration,
    about: &About,
) -> Result<(), EngineError> {
    let keys = engine.keys.queue(queue);
    let mut listing = redis::cmd("SADD");
    listing.arg(engine.keys.queues()).arg(queue.as_str());
    // Without an answer the caller takes another name: a copy that arrives when the worker has been
    // gone for long must find nobody who might go by it.
    let mut request = Request::sent_once();
    request.cmd(listing);
    request.script(
        &script::JOIN,
        &[keys.workers(), keys.about(), keys.gone()],
        &[engine.now_arg(), worker.to_text().to_vec(), lease_arg(lease), about_json(about)?],
    );
    let mut replies = engine.link.run(&request, USUAL).await?.into_iter();
    let listing = replies.next().unwrap_or_default();
    reply::text(replies.next().unwrap_or_default())?;
    listed(listing)
}

/// Whether a queue could be listed. At its memory limit the server lists no new one, but workers
/// must be able to start and operators to pause, or nothing would ever be freed. A queue that has
/// jobs is listed already.
pub(super) fn listed(reply: Value) -> Result<(), EngineError> {
    match reply::checked(reply) {
        Err(error) if error.kind() != EngineErrorKind::Full => Err(error),
        _ => Ok(()),
    }
}

/// See [`Engine::leave`](mq_core::engine::Engine::leave).
pub(crate) async fn leave(
    engine: &RedisEngine,
    queue: &QueueName,
    worker: WorkerId,
) -> Result<(), EngineError> {
    let keys = engine.keys.queue(queue);
    let worker = worker.to_text();
    let mut request = Request::new();
    let of_script = [keys.workers(), keys.about(), keys.claims(worker), keys.gone()];
    request.script(&script::LEAVE, &of_script, &[worker]);
    reply::text(reply::only(engine.link.run(&request, USUAL).await?)?).map(drop)
}
