//! Stores jobs as another store had them.

use std::collections::BTreeMap;

use mq_core::engine::{Act, BATCH_MAX, EngineError, EngineErrorKind, Stored};
use mq_core::lifecycle::LATEST_MS;
use mq_core::{QueueName, State};

use super::answer::{exactly, text};
use super::order::{self, Order};
use super::verb::variadic_command;
use crate::engine::RedisEngine;
use crate::link::Request;
use crate::{reply, script};

/// Records and histories in one script call; one job goes through whatever it has.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// See [`Engine::import`](mq_core::engine::Engine::import).
pub(crate) async fn import(engine: &RedisEngine, jobs: &[Stored]) -> Result<Vec<Act>, EngineError> {
    if jobs.len() > BATCH_MAX {
        let count = jobs.len();
        let text = format!("{count} jobs in one request: at most {BATCH_MAX} are allowed");
        return Err(EngineError::new(EngineErrorKind::Invalid, text));
    }
    let mut acts = vec![Act::Refused(State::Running); jobs.len()];
    let mut by_queue = BTreeMap::<&QueueName, Vec<usize>>::new();
    for (at, job) in jobs.iter().enumerate().filter(|(_, job)| place(job).is_some()) {
        by_queue.entry(&job.queue).or_default().push(at);
    }
    for (queue, positions) in by_queue {
        for chunk in chunks(jobs, &positions) {
            let replies = put(engine, queue, chunk.iter().map(|at| &jobs[*at])).await?;
            for (at, act) in chunk.iter().zip(replies) {
                acts[*at] = act;
            }
        }
    }
    Ok(acts)
}

/// Splits a queue's jobs so that no script call has too many bytes.
fn chunks<'a>(jobs: &[Stored], positions: &'a [usize]) -> Vec<&'a [usize]> {
    let (mut chunks, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (index, at) in positions.iter().enumerate() {
        let job = &jobs[*at];
        let len = job.record.len() + job.history.as_ref().map_or(0, Vec::len);
        if index > begin && bytes + len > BYTES_MAX {
            chunks.push(&positions[begin..index]);
            (begin, bytes) = (index, 0);
        }
        bytes += len;
    }
    chunks.push(&positions[begin..]);
    chunks
}

/// The word of the script for where a job goes; none if it cannot be there.
fn place(job: &Stored) -> Option<&'static str> {
    match job.state {
        State::Ready => Some("ready"),
        State::Scheduled if job.is_retry() => Some("retry"),
        State::Scheduled => Some("scheduled"),
        State::Done => Some("done"),
        State::Dead => Some("dead"),
        State::Cancelled => Some("cancelled"),
        _ => None,
    }
}

async fn put(
    engine: &RedisEngine,
    queue: &QueueName,
    jobs: impl Iterator<Item = &Stored>,
) -> Result<Vec<Act>, EngineError> {
    let (mut args, mut count) = (Vec::new(), 0);
    for job in jobs {
        count += 1;
        let score = job.at_ms.unwrap_or(0).min(LATEST_MS).to_string();
        let cancel: &[u8] = if job.cancel_requested { b"1" } else { b"" };
        args.extend([job.id.to_text().to_vec(), job.record.clone()]);
        args.push(job.history.clone().unwrap_or_default());
        args.extend([place(job).unwrap_or_default().into(), score.into_bytes()]);
        args.push(job.priority().level().to_string().into_bytes());
        args.extend([job.idempotency_key().unwrap_or_default().into_bytes(), cancel.to_vec()]);
    }
    let request = |order: &Order| {
        let head = [engine.now_arg(), order.name.clone(), order.previous.clone()];
        let mut request = Request::new();
        request.cmd(variadic_command("SADD", &engine.keys.queues(), &[queue.as_str()]));
        request.script(&script::IMPORT, &keys(engine, queue), &[&head, args.as_slice()].concat());
        request
    };
    let mut values = order::give(engine, queue, request).await?.into_iter();
    let listing = values.next().unwrap_or_default();
    reply::checked(listing)?;
    let replies = reply::checked(values.next().unwrap_or_default())?;
    let is_new = |reply| text(reply) == "applied";
    Ok(exactly(count, replies)?
        .map(|r| if is_new(r) { Act::Applied } else { Act::Already })
        .collect())
}

/// The keys of `lua/import.lua`, in its order.
fn keys(engine: &RedisEngine, queue: &QueueName) -> Vec<String> {
    let keys = engine.keys.queue(queue);
    vec![
        keys.jobs(),
        keys.history(),
        keys.levels(),
        keys.ready(0),
        keys.ready(1),
        keys.ready(2),
        keys.scheduled(),
        keys.retry(),
        keys.dead(),
        keys.done(),
        keys.cancelled(),
        keys.keys(),
        keys.keys_expiry(),
        keys.cancels(),
        keys.wake(),
        keys.orders(),
    ]
}
