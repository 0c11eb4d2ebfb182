//! Everything known about jobs.

use mq_core::engine::{EngineError, Stored};
use mq_core::{JobId, QueueName, WorkerId};
use redis::Value;

use super::answer::{ask, bytes, list, parse_number, text};
use super::transfer::Note;
use super::verb::{call, check_batch, state_of, unsettled, workers_command};
use crate::engine::RedisEngine;
use crate::link::Request;
use crate::script;

/// Jobs per script call; their records come along.
const CHUNK_MAX: usize = 100;
/// How often a call is repeated because workers came or went.
const TRIES_MAX: usize = 16;

/// See [`Engine::get`](mq_core::engine::Engine::get).
pub(crate) async fn get(
    engine: &RedisEngine,
    queue: &QueueName,
    ids: &[JobId],
) -> Result<Vec<Option<Stored>>, EngineError> {
    check_batch(ids)?;
    let mut out = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK_MAX) {
        for (id, reply) in chunk.iter().zip(locate(engine, queue, chunk).await?) {
            out.push(stored(queue, *id, reply)?);
        }
    }
    Ok(out)
}

async fn locate(
    engine: &RedisEngine,
    queue: &QueueName,
    ids: &[JobId],
) -> Result<std::vec::IntoIter<Value>, EngineError> {
    for _ in 0..TRIES_MAX {
        let workers = registered(engine, queue).await?;
        let texts = ids.iter().map(|id| id.to_text().to_vec());
        let rest = (ids.len(), texts);
        let call = call(engine, queue, &script::LOCATE, b"", &workers, rest).await?;
        if let Some(replies) = call {
            return Ok(replies);
        }
    }
    Err(unsettled(queue))
}

/// The names of the registered workers.
pub(super) async fn registered(
    engine: &RedisEngine,
    queue: &QueueName,
) -> Result<Vec<Vec<u8>>, EngineError> {
    let mut request = Request::new();
    request.cmd(workers_command(engine, queue));
    let workers = ask(engine, &request).await?.next().unwrap_or_default();
    Ok(list(workers).filter_map(bytes).collect())
}

fn stored(queue: &QueueName, id: JobId, reply: Value) -> Result<Option<Stored>, EngineError> {
    let mut parts = list(reply);
    let Some(word) = parts.next().map(text) else { return Ok(None) };
    let mut next = || parts.next().and_then(bytes).unwrap_or_default();
    let (detail, asked, record, history) = (next(), next(), next(), next());
    let at_ms = match word.as_str() {
        "running" | "ready" => None,
        "moving" => Note::parse(&detail).and_then(|note| note.due_ms()),
        _ => parse_number(&detail),
    };
    Ok(Some(Stored {
        id,
        queue: queue.clone(),
        state: state_of(&word)?,
        record,
        history: Some(history).filter(|history| !history.is_empty()),
        at_ms,
        worker: if word == "running" { WorkerId::parse(&detail).ok() } else { None },
        cancel_requested: !asked.is_empty(),
    }))
}
