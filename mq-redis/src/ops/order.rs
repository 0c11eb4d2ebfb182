//! Requests of operators that change nothing when a copy of them comes late. Each names the one
//! before it, which the client has read, and is refused when that is not the last one any more.
//!
//! Not by a number that is counted up: a store that was set back would give it away twice. Nor by
//! time, as transfers do: this has nothing to forget.

use mq_core::engine::{EngineError, EngineErrorKind};
use mq_core::{QueueName, WorkerId};
use redis::Value;

use super::answer::{ask, bytes};
use super::verb::command;
use crate::engine::RedisEngine;
use crate::link::{Request, USUAL};

/// How often a request that another one has overtaken is begun again.
const TRIES_MAX: usize = 16;

/// The arguments of `lua/lib/ordered.lua`.
pub(super) struct Order {
    pub(super) name: Vec<u8>,
    pub(super) previous: Vec<u8>,
}

/// Sends a request whose last command is a script that minds the order, until it has its turn.
pub(super) async fn give(
    engine: &RedisEngine,
    queue: &QueueName,
    request: impl Fn(&Order) -> Request,
) -> Result<Vec<Value>, EngineError> {
    for _ in 0..TRIES_MAX {
        let previous = last(engine, queue).await?;
        let order = Order { name: WorkerId::random().to_text().to_vec(), previous };
        let values = engine.link.run(&request(&order), USUAL).await?;
        if !matches!(values.last(), Some(Value::BulkString(reply)) if reply == b"late") {
            return Ok(values);
        }
    }
    let message = format!(
        "other operators kept changing queue `{queue}` during the request; it may or may not have \
         been carried out, and repeating it is safe"
    );
    Err(EngineError::new(EngineErrorKind::Unknown, message))
}

/// The name of the last request.
async fn last(engine: &RedisEngine, queue: &QueueName) -> Result<Vec<u8>, EngineError> {
    let mut get = command("HGET", &engine.keys.queue(queue).orders());
    get.arg("last");
    let mut request = Request::new();
    request.cmd(get);
    let last = ask(engine, &request).await?.next().and_then(bytes);
    Ok(last.unwrap_or_default())
}
