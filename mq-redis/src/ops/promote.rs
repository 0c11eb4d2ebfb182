//! Due jobs become ready.

use mq_core::QueueName;
use mq_core::engine::{BATCH_MAX, EngineError, Progress};

use crate::engine::RedisEngine;
use crate::link::{Request, USUAL};
use crate::{reply, script};

/// See [`Engine::promote`](mq_core::engine::Engine::promote).
pub(crate) async fn promote(
    engine: &RedisEngine,
    queue: &QueueName,
    limit: usize,
) -> Result<Progress, EngineError> {
    #[cfg(feature = "mutants")]
    if mq_core::mutant::is(6) {
        return crate::mutants::promote_by_two(engine, queue).await;
    }
    let keys = engine.keys.queue(queue);
    let of_script = [
        keys.scheduled(),
        keys.retry(),
        keys.levels(),
        keys.ready(0),
        keys.ready(1),
        keys.ready(2),
        keys.wake(),
        keys.paused(),
    ];
    let limit = limit.min(BATCH_MAX).to_string().into_bytes();
    let mut request = Request::new();
    request.script(&script::PROMOTE, &of_script, &[engine.now_arg(), limit]);
    let [moved, more] = reply::array(reply::only(engine.link.run(&request, USUAL).await?)?)?;
    Ok(Progress { done: reply::number(moved)? as usize, more: reply::number(more)? == 1 })
}
