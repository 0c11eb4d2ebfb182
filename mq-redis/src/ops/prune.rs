//! What retention and bounds remove.

use mq_core::QueueName;
use mq_core::engine::{BATCH_MAX, EngineError, Progress, PruneLimits};
use mq_core::lifecycle::LATEST_MS;
use redis::Value;

use super::transfer;
use super::verb::key_of;
use crate::engine::RedisEngine;
use crate::link::{Request, USUAL};
use crate::{reply, script};

/// Dead letters whose records are read at a time; each may have 1 MiB.
const CHUNK_MAX: usize = 100;

/// See [`Engine::prune`](mq_core::engine::Engine::prune).
pub(crate) async fn prune(
    engine: &RedisEngine,
    queue: &QueueName,
    limits: PruneLimits,
) -> Result<Progress, EngineError> {
    // First, because what says that a hand-over was put must outlive its note.
    let settled = transfer::settle(engine, queue).await;
    let is_settled = settled.as_ref().is_ok_and(|settled| !settled.more);
    let keys = engine.keys.queue(queue);
    let of_script = [
        keys.jobs(),
        keys.history(),
        keys.levels(),
        keys.done(),
        keys.cancelled(),
        keys.dead(),
        keys.keys(),
        keys.keys_expiry(),
        keys.rates(),
        keys.moved(),
    ];
    let number = |number: u64| number.to_string().into_bytes();
    let mut request = Request::new();
    request.script(
        &script::PRUNE,
        &of_script,
        &[
            engine.now_arg(),
            number(limits.batch.clamp(1, BATCH_MAX) as u64),
            number(limits.dead_count as u64),
            number(limits.dead_age_ms.min(LATEST_MS)),
            number(is_settled.into()),
        ],
    );
    let answer = reply::only(engine.link.run(&request, USUAL).await?)?;
    let [now, removed, more, dead] = reply::array(answer)?;
    engine.time.learn(reply::number(now)?);
    let mut progress =
        Progress { done: reply::number(removed)? as usize, more: reply::number(more)? == 1 };
    for chunk in reply::list(dead)?.chunks(CHUNK_MAX) {
        let removed = remove_dead(engine, queue, chunk).await?;
        progress.done = progress.done.saturating_add(removed);
    }
    progress.done = progress.done.saturating_add(settled?.done);
    Ok(progress)
}

/// Removes dead letters together with their keys, which only their records know.
async fn remove_dead(
    engine: &RedisEngine,
    queue: &QueueName,
    ids: &[Value],
) -> Result<usize, EngineError> {
    let keys = engine.keys.queue(queue);
    let ids = ids.iter().cloned().map(reply::text).collect::<Result<Vec<_>, _>>()?;
    let mut records = redis::cmd("HMGET");
    records.arg(keys.jobs()).arg(&ids);
    let mut request = Request::new();
    request.cmd(records);
    let records = reply::list(reply::only(engine.link.run(&request, USUAL).await?)?)?;
    let mut args = vec![engine.now_arg()];
    for (id, record) in ids.into_iter().zip(records) {
        args.extend([id, key_of(reply::bytes(record)?.as_deref())]);
    }
    let of_script = [
        keys.jobs(),
        keys.history(),
        keys.levels(),
        keys.dead(),
        keys.keys(),
        keys.keys_expiry(),
        keys.cancels(),
    ];
    let mut request = Request::new();
    request.script(&script::PRUNE_DEAD, &of_script, &args);
    let removed = reply::number(reply::only(engine.link.run(&request, USUAL).await?)?)?;
    Ok(removed as usize)
}
