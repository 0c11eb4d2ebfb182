//! Cancels jobs.

use std::time::Duration;

use mq_core::engine::{Act, EngineError};
use mq_core::{History, JobId, QueueName, Record};

use super::verb::{self, Seen, Verb};
use crate::engine::RedisEngine;
use crate::script;

/// Longest retention, in ms: keeps times within what a sorted set's scores hold exactly.
const KEEP_MS_MAX: u64 = 1 << 50;

/// See [`Engine::cancel`](mq_core::engine::Engine::cancel).
pub(crate) async fn cancel(
    engine: &RedisEngine,
    queue: &QueueName,
    ids: &[JobId],
) -> Result<Vec<Act>, EngineError> {
    let first = engine.now_arg();
    let verb = Verb { script: &script::CANCEL, first, reads: true, args: &args };
    verb::apply(engine, queue, ids, &verb).await
}

fn args(seen: &Seen) -> Vec<Vec<u8>> {
    let read = seen.history.clone().unwrap_or_default();
    let keep_ms = seen.record.as_deref().and_then(retention).map(|keep| {
        u64::try_from(keep.as_millis()).unwrap_or(u64::MAX).min(KEEP_MS_MAX).to_string()
    });
    let mut history = History::decode(&read);
    history.ended_ms = Some(seen.now_ms);
    let keep_ms = keep_ms.unwrap_or_default().into_bytes();
    vec![seen.id.clone(), seen.key(), keep_ms, read, history.encode()]
}

fn retention(record: &[u8]) -> Option<Duration> {
    Record::decode(record).ok()?.retention
}
