//! Sizes and counters of one queue.

use mq_core::engine::{About, EngineError, QueueStats, total};
use mq_core::{JobId, QueueName};
use redis::Value;

use super::answer::{ask, bytes, list, number, pairs};
use super::verb::{claims_keys, command, unsettled, worker_args};
use crate::engine::RedisEngine;
use crate::link::Request;
use crate::script;

/// How often the call is repeated because workers came or went.
const TRIES_MAX: usize = 16;

/// See [`Engine::stats`](mq_core::engine::Engine::stats).
pub(crate) async fn stats(
    engine: &RedisEngine,
    queue: &QueueName,
) -> Result<QueueStats, EngineError> {
    for _ in 0..TRIES_MAX {
        let (workers, count) = workers(engine, queue).await?;
        let mut keys = stats_keys(engine, queue);
        keys.extend(claims_keys(engine, queue, &workers));
        let mut request = Request::new();
        request.script(&script::STATS, &keys, &worker_args(&engine.now_arg(), &workers));
        let reply = ask(engine, &request).await?.next().unwrap_or_default();
        if matches!(reply, Value::Array(_)) {
            let mut stats = read(reply);
            stats.workers = count;
            return Ok(stats);
        }
    }
    Err(unsettled(queue))
}

/// All registered workers, and how many of them can run jobs: neither keep house nor are gone.
async fn workers(
    engine: &RedisEngine,
    queue: &QueueName,
) -> Result<(Vec<Vec<u8>>, u64), EngineError> {
    let keys = engine.keys.queue(queue);
    let mut request = Request::new();
    let mut workers = command("ZRANGE", &keys.workers());
    workers.arg(0).arg(-1).arg("WITHSCORES");
    request.cmd(workers).cmd(command("HGETALL", &keys.about()));
    let mut values = ask(engine, &request).await?;
    let workers = pairs(values.next().unwrap_or_default());
    let abouts = pairs(values.next().unwrap_or_default());
    let keeps_house = |worker: &Vec<u8>| {
        let about = abouts.iter().find(|(of, _)| of == worker);
        about.is_some_and(|(_, about)| about_of(about).housekeeper)
    };
    let runs = |(worker, lease): &&(Vec<u8>, Vec<u8>)| lease != b"0" && !keeps_house(worker);
    let count = workers.iter().filter(runs).count() as u64;
    Ok((workers.into_iter().map(|(worker, _)| worker).collect(), count))
}

/// What a worker says about itself; nothing if it cannot be read.
pub(super) fn about_of(bytes: &[u8]) -> About {
    serde_json::from_slice(bytes).unwrap_or_default()
}

/// The keys of `lua/stats.lua` before the claims, in its order.
fn stats_keys(engine: &RedisEngine, queue: &QueueName) -> Vec<String> {
    let keys = engine.keys.queue(queue);
    vec![
        keys.ready(0),
        keys.ready(1),
        keys.ready(2),
        keys.scheduled(),
        keys.retry(),
        keys.dead(),
        keys.done(),
        keys.cancelled(),
        keys.moving(),
        keys.paused(),
        keys.stats(),
        keys.rates(),
        keys.workers(),
    ]
}

fn read(reply: Value) -> QueueStats {
    let mut parts = list(reply);
    let now_ms = parts.next().and_then(number).unwrap_or(0);
    let ready_by_priority = numbers(parts.next());
    let [scheduled, retrying, dead, done, cancelled, moving] = numbers(parts.next());
    let running = parts.next().and_then(number).unwrap_or(0);
    let heads = list(parts.next().unwrap_or_default());
    let due = list(parts.next().unwrap_or_default());
    let paused_since_ms = parts.next().and_then(number);
    let counters: [u64; 5] = numbers(parts.next());
    let rates: [u64; 3] = numbers(parts.next());
    let created_ms = |id| {
        let id = JobId::parse(&bytes(id)?).ok()?;
        u64::try_from(id.created_at().timestamp_millis()).ok()
    };
    let mut stats = QueueStats::default();
    stats.ready = total(&ready_by_priority);
    stats.ready_by_priority = ready_by_priority;
    stats.scheduled = total(&[scheduled, moving]);
    stats.retrying = retrying;
    stats.running = running;
    stats.done = done;
    stats.dead = dead;
    stats.cancelled = cancelled;
    stats.oldest_ready_ms = heads.filter_map(created_ms).next();
    stats.next_due_ms = due.filter_map(number).min();
    stats.paused_since_ms = paused_since_ms;
    [
        stats.enqueued_total,
        stats.done_total,
        stats.failed_total,
        stats.dead_total,
        stats.interrupted_total,
    ] = counters;
    [stats.enqueued_last_minute, stats.done_last_minute, stats.failed_last_minute] = rates;
    stats.now_ms = now_ms;
    stats
}

/// So many numbers of an array; zero for those that are not there.
fn numbers<const N: usize>(value: Option<Value>) -> [u64; N] {
    let mut elements = list(value.unwrap_or_default());
    std::array::from_fn(|_| elements.next().and_then(number).unwrap_or(0))
}
