//! What tells this store from all others.

use mq_core::WorkerId;
use mq_core::engine::{EngineError, EngineErrorKind};

use super::answer::{ask, text};
use super::verb::command;
use crate::engine::RedisEngine;
use crate::link::Request;

/// See [`Engine::identity`](mq_core::engine::Engine::identity). Asked of the server each time and
/// not remembered: it may have lost its data meanwhile, or be another one by now.
pub(crate) async fn identity(engine: &RedisEngine) -> Result<String, EngineError> {
    let key = engine.keys.store();
    let mut look = Request::new();
    look.cmd(command("GET", &key));
    // First without a write, which a full or read-only server would refuse.
    let known = text(ask(engine, &look).await?.next().unwrap_or_default());
    if !known.is_empty() {
        return Ok(known);
    }
    let mut request = Request::new();
    let mut set = command("SET", &key);
    set.arg(WorkerId::random().to_string()).arg("NX");
    request.cmd(set).cmd(command("GET", &key));
    let name = text(ask(engine, &request).await?.nth(1).unwrap_or_default());
    if name.is_empty() {
        let text = format!("somebody removes the key {key} as it is written: find out who");
        return Err(EngineError::new(EngineErrorKind::Unknown, text));
    }
    Ok(name)
}
