//! The workers of one queue.

use mq_core::engine::{BATCH_MAX, EngineError, WorkerStats};
use mq_core::{JobId, QueueName, WorkerId};

use super::answer::{ask, bytes, list, pairs, parse_number};
use super::stats::about_of;
use super::verb::{command, variadic_command};
use crate::engine::RedisEngine;
use crate::link::Request;

/// See [`Engine::workers`](mq_core::engine::Engine::workers). A worker whose jobs are being taken
/// over is still listed, with a lease that ended in 1970.
pub(crate) async fn workers(
    engine: &RedisEngine,
    queue: &QueueName,
) -> Result<Vec<WorkerStats>, EngineError> {
    let keys = engine.keys.queue(queue);
    let mut request = Request::new();
    let mut leases = command("ZRANGE", &keys.workers());
    leases.arg(0).arg(-1).arg("WITHSCORES");
    request.cmd(leases);
    let leases = pairs(ask(engine, &request).await?.next().unwrap_or_default());
    if leases.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<_> = leases.iter().map(|(worker, _)| worker).collect();
    let mut request = Request::new();
    request.cmd(variadic_command("HMGET", &keys.about(), &names));
    for worker in &names {
        request.cmd(command("HGETALL", &keys.claims(worker)));
    }
    let mut values = ask(engine, &request).await?;
    let mut abouts = list(values.next().unwrap_or_default());
    let mut out = Vec::with_capacity(leases.len());
    for (name, lease) in &leases {
        let about = abouts.next().and_then(bytes);
        let mut running = held(values.next().unwrap_or_default());
        let Ok(worker) = WorkerId::parse(name) else { continue };
        let lease_until_ms = parse_number(lease).unwrap_or(0);
        let mut stats = WorkerStats::new(worker, queue.clone(), lease_until_ms);
        stats.about = about.as_deref().map(about_of).unwrap_or_default();
        stats.running_count = running.len();
        running.truncate(BATCH_MAX);
        stats.running = running;
        out.push(stats);
    }
    out.sort_by_key(|stats| (stats.about.started_ms, stats.worker));
    Ok(out)
}

/// The jobs in the claims of one worker, sorted.
pub(super) fn held(claims: redis::Value) -> Vec<JobId> {
    let receipts = pairs(claims).into_iter().filter(|(number, _)| number != b"last");
    let mut ids: Vec<_> = receipts
        .flat_map(|(_, ids)| {
            let ids = ids.chunks(JobId::TEXT_LEN).map(JobId::parse);
            ids.filter_map(Result::ok).collect::<Vec<_>>()
        })
        .collect();
    ids.sort();
    ids
}
