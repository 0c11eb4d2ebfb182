//! Runs jobs again.

use mq_core::engine::{Act, EngineError, Pace};
use mq_core::{History, JobId, QueueName};

use super::verb::{self, Seen, Verb};
use crate::engine::RedisEngine;
use crate::script;

/// Longest delay, in ms: keeps times within what a sorted set's scores hold exactly.
const DELAY_MS_MAX: u64 = 1 << 50;

/// See [`Engine::retry`](mq_core::engine::Engine::retry).
pub(crate) async fn retry(
    engine: &RedisEngine,
    queue: &QueueName,
    ids: &[JobId],
    pace: Option<Pace>,
) -> Result<Vec<Act>, EngineError> {
    let first = engine.now_arg();
    let args = |seen: &Seen| args(seen, pace);
    let verb = Verb { script: &script::RETRY, first, reads: true, args: &args };
    verb::apply(engine, queue, ids, &verb).await
}

fn args(seen: &Seen, pace: Option<Pace>) -> Vec<Vec<u8>> {
    let delay_ms = pace.map(|pace| {
        let delay_ms = pace.delay(seen.index).as_millis();
        u64::try_from(delay_ms).unwrap_or(u64::MAX).min(DELAY_MS_MAX)
    });
    let delay_ms = delay_ms.filter(|delay_ms| *delay_ms > 0);
    let delay_ms = delay_ms.map_or_else(Vec::new, |delay_ms| delay_ms.to_string().into_bytes());
    let revived = seen.history.as_deref().map(|read| History::decode(read).revived().encode());
    let read = seen.history.clone().unwrap_or_default();
    vec![seen.id.clone(), seen.key(), delay_ms, read, revived.unwrap_or_default()]
}
