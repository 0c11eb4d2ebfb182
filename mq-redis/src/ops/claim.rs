//! Finishing and claiming in one trip, and a second one for the records of large claims: they cost
//! the server half as much when they do not pass through its Lua.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use mq_core::engine::{
    BATCH_MAX, ClaimReply, ClaimRequest, Claimed, EngineError, EngineErrorKind, QueueClaim,
    QueueReply,
};
use mq_core::{Claim, JobId};
use redis::{Cmd, Value};

use super::finish::{Batch, ID_LEN, check_size, drop_args, script_keys};
use crate::engine::RedisEngine;
use crate::link::{Request, USUAL};
use crate::{reply, script};

/// Up to so many jobs of a queue come with their records at once: the trip that is saved is worth
/// more then.
const INLINE_MAX: usize = 16;

/// The ids that a claim holds, and what is known about them.
pub(super) struct Taken<'a> {
    pub(super) claim: &'a Claim,
    /// One after the other, [`ID_LEN`] bytes each.
    pub(super) ids: Vec<u8>,
    /// Whether some of them may have a history.
    pub(super) has_past: bool,
    /// Records and histories, if they came along.
    pub(super) inline: Option<(Value, Value)>,
}

/// See [`Engine::claim`](mq_core::engine::Engine::claim).
pub(crate) async fn claim(
    engine: &RedisEngine,
    request: ClaimRequest,
) -> Result<ClaimReply, EngineError> {
    check_size(request.queues.len(), "queues")?;
    let batch = Batch::new(&request.finishes)?;
    let mut trip = Request::new();
    batch.write(engine, &mut trip);
    let limit = request.limit.min(BATCH_MAX);
    let (keys, args) = call(engine, &request.queues, limit);
    trip.script(&script::CLAIM, &keys, &args);
    let mut replies = engine.link.run(&trip, USUAL).await?.into_iter();

    let finished = batch.read(&mut replies)?;
    let answer = replies.next().unwrap_or_default();
    let reply = match take_in(engine, &request.queues, answer).await {
        Err(error) if error.kind() == EngineErrorKind::Damaged => {
            // Boxed, or every claim would have the room for it.
            Box::pin(one_by_one(engine, &request.queues, limit)).await?
        }
        reply => reply?,
    };
    Ok(ClaimReply { finished, ..reply })
}

/// The reply that the script's answer amounts to, but for the finishes.
async fn take_in(
    engine: &RedisEngine,
    asked: &[QueueClaim],
    answer: Value,
) -> Result<ClaimReply, EngineError> {
    let [now, answers] = reply::array(answer)?;
    let now_ms = reply::number(now)?;
    engine.time.learn(now_ms);
    let (mut queues, mut taken) = (Vec::new(), Vec::new());
    let answers = reply::list(answers)?;
    if answers.len() != asked.len() {
        return Err(reply::odd(&Value::Array(answers), "an answer per queue"));
    }
    for (queue, answer) in asked.iter().zip(answers) {
        let (state, of_queue) = read(&queue.claim, answer)?;
        queues.push(state);
        taken.extend(of_queue);
    }
    let jobs = fetch(engine, taken).await?;
    Ok(ClaimReply { jobs, queues, now_ms, ..ClaimReply::default() })
}

/// Claims from one queue after the other, after a damaged one has ended the script for all of them.
/// Those that it had served before give what they gave, because their numbers are used. Not tried
/// by the script itself: each queue would have to be looked through before anything is taken.
async fn one_by_one(
    engine: &RedisEngine,
    asked: &[QueueClaim],
    limit: usize,
) -> Result<ClaimReply, EngineError> {
    let mut reply = ClaimReply::default();
    for queue in asked.chunks(1) {
        let left = limit.saturating_sub(reply.jobs.len());
        let (keys, args) = call(engine, queue, left);
        let mut trip = Request::new();
        trip.script(&script::CLAIM, &keys, &args);
        let answer = engine.link.run(&trip, USUAL).await?.pop().unwrap_or_default();
        match take_in(engine, queue, answer).await {
            Ok(of_one) => {
                reply.now_ms = of_one.now_ms;
                reply.jobs.extend(of_one.jobs);
                reply.queues.extend(of_one.queues);
            }
            Err(error) if error.kind() == EngineErrorKind::Damaged => {
                reply.queues.push(QueueReply::Damaged(error.to_string()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(reply)
}

fn call(engine: &RedisEngine, queues: &[QueueClaim], limit: usize) -> (Vec<String>, Vec<Vec<u8>>) {
    let mut keys = Vec::with_capacity(queues.len() * 12);
    let mut args = vec![engine.now_arg(), number(limit), number(INLINE_MAX)];
    for QueueClaim { claim, limit } in queues {
        let of = engine.keys.queue(&claim.queue);
        let worker = claim.worker.to_text();
        keys.extend([
            of.workers(),
            of.claims(worker),
            of.paused(),
            of.scheduled(),
            of.retry(),
            of.levels(),
            of.ready(0),
            of.ready(1),
            of.ready(2),
            of.wake(),
            of.jobs(),
            of.history(),
        ]);
        let claim = claim.number.to_string().into_bytes();
        args.extend([worker.to_vec(), claim, number((*limit).min(BATCH_MAX))]);
    }
    (keys, args)
}

/// What the script says about one queue.
fn read(claim: &Claim, answer: Value) -> Result<(QueueReply, Option<Taken<'_>>), EngineError> {
    let [status, due, ids, past, records, histories] = reply::array(answer)?;
    let status = reply::text(status)?;
    let state = match status.as_slice() {
        b"MORE" => QueueReply::More,
        b"EMPTY" => {
            let next_due_ms = match due {
                Value::Nil => None,
                due => Some(reply::number(due)?),
            };
            QueueReply::Empty { next_due_ms }
        }
        b"PAUSED" => QueueReply::Paused,
        b"LOST" => QueueReply::Lost,
        _ => return Err(reply::odd(&Value::BulkString(status), "the state of a queue")),
    };
    let ids = reply::text(ids)?;
    if ids.is_empty() {
        return Ok((state, None));
    }
    let has_past = reply::number(past)? == 1;
    let inline = (records != Value::Nil).then_some((records, histories));
    Ok((state, Some(Taken { claim, ids, has_past, inline })))
}

/// Makes claimed jobs of ids: asks for the records that have not come along, and takes ids without
/// a record out of the claim, since nobody could ever finish them.
pub(super) async fn fetch(
    engine: &RedisEngine,
    taken: Vec<Taken<'_>>,
) -> Result<Vec<Claimed>, EngineError> {
    let mut trip = Request::new();
    for taken in taken.iter().filter(|taken| taken.inline.is_none()) {
        let keys = engine.keys.queue(&taken.claim.queue);
        trip.cmd(look_up(&keys.jobs(), &taken.ids));
        if taken.has_past {
            trip.cmd(look_up(&keys.history(), &taken.ids));
        }
    }
    let mut replies = engine.link.run(&trip, USUAL).await?.into_iter();
    let mut jobs = Vec::with_capacity(taken.iter().map(|taken| taken.ids.len() / ID_LEN).sum());
    let mut drops = Request::new();
    for taken in taken {
        let (records, histories) = match taken.inline {
            Some(inline) => inline,
            None => {
                let records = replies.next().unwrap_or_default();
                let histories = if taken.has_past { replies.next() } else { None };
                (records, histories.unwrap_or_default())
            }
        };
        let gone = join_up(taken.claim, &taken.ids, records, histories, &mut jobs)?;
        if !gone.is_empty() {
            drop_ids(engine, taken.claim, &gone, &mut drops);
        }
    }
    if !drops.is_empty() {
        // Whatever becomes of it: the jobs that are there must not wait for it.
        let _ = engine.link.run(&drops, USUAL).await;
    }
    Ok(jobs)
}

fn look_up(key: &str, ids: &[u8]) -> Cmd {
    let mut cmd = Cmd::with_capacity(ids.len() / ID_LEN + 2, ids.len() * 2);
    cmd.arg("HMGET").arg(key);
    for id in ids.chunks(ID_LEN) {
        cmd.arg(id);
    }
    cmd
}

/// Adds the jobs that have a record; returns the ids that have none.
fn join_up(
    claim: &Claim,
    ids: &[u8],
    records: Value,
    histories: Value,
    jobs: &mut Vec<Claimed>,
) -> Result<Vec<Vec<u8>>, EngineError> {
    let mut records = reply::list(records)?.into_iter();
    let mut histories = match histories {
        Value::Nil => Vec::new(),
        histories => reply::list(histories)?,
    }
    .into_iter();
    let mut gone = Vec::new();
    for text in ids.chunks(ID_LEN) {
        let record = reply::bytes(records.next().unwrap_or_default())?;
        let history = reply::bytes(histories.next().unwrap_or_default())?;
        match (JobId::parse(text), record) {
            (Ok(id), Some(record)) => {
                jobs.push(Claimed { id, claim: claim.clone(), record, history });
            }
            _ => gone.push(text.to_vec()),
        }
    }
    Ok(gone)
}

fn drop_ids(engine: &RedisEngine, claim: &Claim, ids: &[Vec<u8>], request: &mut Request) {
    tracing::warn!(
        queue = %claim.queue,
        jobs = ids.len(),
        "ids without a record were in the queue and have been dropped; see `audit`",
    );
    let worker = claim.worker.to_text();
    let keys = script_keys(&engine.keys.queue(&claim.queue), &worker);
    let args = drop_args(engine, &worker, claim.number, ids);
    request.script(&script::FINISH, &keys, &args);
}

fn number(number: usize) -> Vec<u8> {
    number.to_string().into_bytes()
}
