//! Jobs of workers that are gone. One trip finds them out; only if there are some, a second one,
//! which can name their receipts as keys, takes the jobs over.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use mq_core::WorkerId;
use mq_core::engine::{BATCH_MAX, EngineError, ReapReply, ReapRequest};
use mq_core::failpoint::point;
use redis::Value;

use super::claim::{Taken, fetch};
use super::extend::lease_arg;
use crate::engine::RedisEngine;
use crate::link::{Request, USUAL};
use crate::{reply, script};

/// Workers that are taken over at a time.
const WORKERS_MAX: usize = 16;

/// What a sweep found.
struct Sweep {
    /// Found gone by this one.
    gone: Vec<WorkerId>,
    /// To be taken over, by whichever sweep they were found gone.
    revoked: Vec<Vec<u8>>,
    /// What the claim holds already, if this is a repeat.
    ids: Vec<u8>,
}

/// See [`Engine::reap`](mq_core::engine::Engine::reap).
pub(crate) async fn reap(
    engine: &RedisEngine,
    request: &ReapRequest,
) -> Result<ReapReply, EngineError> {
    let (now_ms, sweep) = sweep(engine, request).await?;
    let Some(sweep) = sweep else {
        return Ok(ReapReply { lost: true, now_ms, ..ReapReply::default() });
    };
    let mut reply = ReapReply { workers: sweep.gone, now_ms, ..ReapReply::default() };
    let mut ids = sweep.ids;
    reply.more = !sweep.revoked.is_empty();
    // What a repeat finds is left to the next sweep.
    if ids.is_empty() && reply.more {
        let now = sweep.revoked.chunks(WORKERS_MAX).next().unwrap_or_default();
        point("reap.fenced");
        match take(engine, request, now).await? {
            Some((taken, is_left)) => {
                ids = taken;
                reply.more = is_left;
            }
            None => reply.lost = true,
        }
    }
    if !ids.is_empty() {
        let taken = Taken { claim: &request.claim, ids, has_past: true, inline: None };
        reply.jobs = fetch(engine, vec![taken]).await?;
    }
    Ok(reply)
}

/// The time, and what the sweep found; nothing if the reaper itself is not registered.
async fn sweep(
    engine: &RedisEngine,
    request: &ReapRequest,
) -> Result<(u64, Option<Sweep>), EngineError> {
    let keys = engine.keys.queue(&request.claim.queue);
    let reaper = request.claim.worker.to_text();
    let of_script = [
        keys.workers(),
        keys.claims(reaper),
        keys.swept(),
        keys.grace(),
        keys.ready(0),
        keys.ready(1),
        keys.ready(2),
        keys.paused(),
        keys.wake(),
    ];
    let mut trip = Request::new();
    trip.script(
        &script::REAP,
        &of_script,
        &[
            engine.now_arg(),
            reaper.to_vec(),
            number(request.claim.number),
            lease_arg(request.lease),
            number(WORKERS_MAX as u64),
        ],
    );
    let answer = reply::only(engine.link.run(&trip, USUAL).await?)?;
    let [now, gone, revoked, ids] = reply::array(answer)?;
    let now_ms = reply::number(now)?;
    engine.time.learn(now_ms);
    if gone == Value::Nil {
        return Ok((now_ms, None));
    }
    let mut workers = Vec::new();
    for worker in texts(gone)? {
        workers.extend(WorkerId::parse(&worker));
    }
    let sweep = Sweep { gone: workers, revoked: texts(revoked)?, ids: reply::text(ids)? };
    Ok((now_ms, Some(sweep)))
}

/// The ids that were taken over, and whether jobs were left; nothing if the reaper is lost.
async fn take(
    engine: &RedisEngine,
    request: &ReapRequest,
    workers: &[Vec<u8>],
) -> Result<Option<(Vec<u8>, bool)>, EngineError> {
    let keys = engine.keys.queue(&request.claim.queue);
    let reaper = request.claim.worker.to_text();
    let mut of_script =
        vec![keys.workers(), keys.claims(reaper), keys.about(), keys.stats(), keys.gone()];
    of_script.extend(workers.iter().map(|worker| keys.claims(worker)));
    let limit = request.limit.min(BATCH_MAX) as u64;
    let mut args = vec![reaper.to_vec(), number(request.claim.number), number(limit)];
    args.extend_from_slice(workers);
    let mut trip = Request::new();
    trip.script(&script::REAP_TAKE, &of_script, &args);
    match reply::only(engine.link.run(&trip, USUAL).await?)? {
        answer @ Value::Array(_) => {
            let [ids, is_left] = reply::array(answer)?;
            Ok(Some((reply::text(ids)?, reply::number(is_left)? == 1)))
        }
        _ => Ok(None),
    }
}

fn texts(value: Value) -> Result<Vec<Vec<u8>>, EngineError> {
    reply::list(value)?.into_iter().map(reply::text).collect()
}

fn number(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}
