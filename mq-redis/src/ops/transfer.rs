//! Moves jobs to another queue of the same server, which may be on another shard: a hand-over in
//! three steps, each of which may be repeated.
//!
//! 1. *take*: out of its place and into `moving` of the source, with a note. Nobody can claim it.
//! 2. *put*: into its place at the destination, once per token, however often it is tried.
//! 3. *drop*: record, history and note go from the source.
//!
//! After a crash in between, the note says all that [`complete`] needs.

use std::collections::BTreeMap;

use mq_core::engine::{Act, EngineError, EngineErrorKind};
use mq_core::{JobId, QueueName, WorkerId};
use redis::Value;

use super::answer::{ask, bytes, list, text};
use super::verb::{self, Seen, Verb, command, key_of, unsettled, variadic_command};
use crate::engine::RedisEngine;
use crate::link::Request;
use crate::script;

/// Jobs that are carried at a time, with their records.
const CARRY_MAX: usize = 50;
/// Pages of notes that one call of [`complete`] goes through.
const PAGES_MAX: usize = 20;
/// How often a hand-over that stands in the way is completed first.
const TRIES_MAX: usize = 4;

/// See [`Engine::transfer`](mq_core::engine::Engine::transfer).
pub(crate) async fn transfer(
    engine: &RedisEngine,
    from: &QueueName,
    to: &QueueName,
    ids: &[JobId],
) -> Result<Vec<Act>, EngineError> {
    if from == to {
        let message = format!("the jobs are in queue `{from}` already: name another destination");
        return Err(EngineError::new(EngineErrorKind::Invalid, message));
    }
    let acts = take(engine, from, to, ids).await?;
    let taken = ids.iter().zip(&acts).filter(|(_, act)| **act == Act::Applied);
    let taken: Vec<_> = taken.map(|(id, _)| id.to_text().to_vec()).collect();
    carry(engine, from, &taken).await?;
    Ok(acts)
}

/// Completes hand-overs from a queue that were interrupted, and any that are under way: their own
/// caller then finds the rest done. Bounded; returns how many were completed.
pub(crate) async fn complete(engine: &RedisEngine, from: &QueueName) -> Result<usize, EngineError> {
    let (mut cursor, mut completed) = (String::from("0"), 0);
    for _ in 0..PAGES_MAX {
        let mut scan = command("HSCAN", &engine.keys.queue(from).moving());
        scan.arg(&cursor).arg("COUNT").arg(CARRY_MAX);
        let mut request = Request::new();
        request.cmd(scan);
        let mut page = list(ask(engine, &request).await?.next().unwrap_or_default());
        cursor = page.next().map(text).unwrap_or_default();
        let notes = super::answer::pairs(page.next().unwrap_or_default());
        let ids: Vec<_> = notes.into_iter().map(|(id, _)| id).collect();
        completed = carry(engine, from, &ids).await?.saturating_add(completed);
        if cursor == "0" || cursor.is_empty() {
            break;
        }
    }
    Ok(completed)
}

/// Step 1.
pub(super) async fn take(
    engine: &RedisEngine,
    from: &QueueName,
    to: &QueueName,
    ids: &[JobId],
) -> Result<Vec<Act>, EngineError> {
    let token = || WorkerId::random().to_text().to_vec();
    let args = |seen: &Seen| vec![seen.id.clone(), token()];
    let first = to.as_str().as_bytes().to_vec();
    let verb = Verb { script: &script::TRANSFER_TAKE, first, reads: false, args: &args };
    verb::apply(engine, from, ids, &verb).await
}

/// What the source remembers of a hand-over: `token place score level destination`.
#[derive(Debug)]
pub(super) struct Note {
    token: String,
    place: String,
    score: String,
    level: String,
    to: QueueName,
}

impl Note {
    /// Reads a note; none if it is not one.
    pub(super) fn parse(note: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(note).ok()?.splitn(5, ' ').map(str::to_owned);
        let mut next = || parts.next();
        let (token, place, score, level) = (next()?, next()?, next()?, next()?);
        Some(Self { token, place, score, level, to: QueueName::new(next()?).ok()? })
    }

    /// When the job is due, if it waits for a time.
    pub(super) fn due_ms(&self) -> Option<u64> {
        let waits = matches!(self.place.as_str(), "scheduled" | "retry");
        super::answer::parse_number(self.score.as_bytes()).filter(|_| waits)
    }
}

/// A job between two queues.
struct Moving {
    id: Vec<u8>,
    raw_note: Vec<u8>,
    note: Note,
    record: Vec<u8>,
    history: Vec<u8>,
}

/// Steps 2 and 3 for jobs that were taken; those that are not (any more) are passed over.
async fn carry(
    engine: &RedisEngine,
    from: &QueueName,
    ids: &[Vec<u8>],
) -> Result<usize, EngineError> {
    let mut carried = 0;
    for chunk in ids.chunks(CARRY_MAX) {
        let mut by_queue = BTreeMap::<QueueName, Vec<Moving>>::new();
        for job in read(engine, from, chunk).await? {
            by_queue.entry(job.note.to.clone()).or_default().push(job);
        }
        for (to, jobs) in by_queue {
            put(engine, &to, &jobs).await?;
            carried = drop_moved(engine, from, &jobs).await?.saturating_add(carried);
        }
    }
    Ok(carried)
}

async fn read(
    engine: &RedisEngine,
    from: &QueueName,
    ids: &[Vec<u8>],
) -> Result<Vec<Moving>, EngineError> {
    let keys = engine.keys.queue(from);
    let mut request = Request::new();
    // The notes first: while there is one, record and history do not change.
    for key in [keys.moving(), keys.jobs(), keys.history()] {
        request.cmd(variadic_command("HMGET", &key, ids));
    }
    let mut values = ask(engine, &request).await?;
    let mut next = || list(values.next().unwrap_or_default()).map(bytes);
    let (notes, mut records, mut histories) = (next(), next(), next());
    let mut jobs = Vec::with_capacity(ids.len());
    for (id, raw_note) in ids.iter().zip(notes) {
        let (record, history) = (records.next().flatten(), histories.next().flatten());
        let (Some(raw_note), Some(record)) = (raw_note, record) else { continue };
        let Some(note) = Note::parse(&raw_note) else { continue };
        let history = history.unwrap_or_default();
        jobs.push(Moving { id: id.clone(), raw_note, note, record, history });
    }
    Ok(jobs)
}

async fn put(engine: &RedisEngine, to: &QueueName, jobs: &[Moving]) -> Result<(), EngineError> {
    let mut args = vec![engine.now_arg()];
    for job in jobs {
        let note = &job.note;
        args.extend([job.id.clone(), note.token.as_bytes().to_vec()]);
        args.extend([job.record.clone(), job.history.clone()]);
        args.extend([&note.place, &note.score, &note.level].map(|part| part.as_bytes().to_vec()));
        args.push(key_of(Some(&job.record)));
    }
    let mut request = Request::new();
    request.cmd(variadic_command("SADD", &engine.keys.queues(), &[to.as_str()]));
    request.script(&script::TRANSFER_PUT, &put_keys(engine, to), &args);
    for _ in 0..TRIES_MAX {
        let replies = ask(engine, &request).await?.nth(1).unwrap_or_default();
        if !list(replies).map(text).any(|reply| reply == "busy") {
            return Ok(());
        }
        // Boxed, because that may in turn put jobs, though never in a circle: of two hand-overs of
        // one job the older one has been put.
        Box::pin(complete(engine, to)).await?;
    }
    Err(unsettled(to))
}

/// The keys of `lua/transfer_put.lua`, in its order.
fn put_keys(engine: &RedisEngine, to: &QueueName) -> Vec<String> {
    let keys = engine.keys.queue(to);
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
        keys.keys(),
        keys.keys_expiry(),
        keys.moving(),
        keys.moved(),
        keys.wake(),
    ]
}

async fn drop_moved(
    engine: &RedisEngine,
    from: &QueueName,
    jobs: &[Moving],
) -> Result<usize, EngineError> {
    let keys = engine.keys.queue(from);
    let keys = [
        keys.jobs(),
        keys.history(),
        keys.levels(),
        keys.keys(),
        keys.keys_expiry(),
        keys.cancels(),
        keys.moving(),
    ];
    let mut args = vec![engine.now_arg()];
    for job in jobs {
        args.extend([job.id.clone(), job.raw_note.clone(), key_of(Some(&job.record))]);
    }
    let mut request = Request::new();
    request.script(&script::TRANSFER_DROP, &keys, &args);
    let dropped: Option<Value> = ask(engine, &request).await?.next();
    Ok(dropped.and_then(super::answer::number).unwrap_or(0) as usize)
}

/// The steps one by one.
#[cfg(test)]
pub(super) mod steps {
    use super::*;

    pub(in crate::ops) use super::take;

    pub(in crate::ops) async fn put(
        engine: &RedisEngine,
        from: &QueueName,
        ids: &[JobId],
    ) -> Result<(), EngineError> {
        let ids: Vec<_> = ids.iter().map(|id| id.to_text().to_vec()).collect();
        for job in read(engine, from, &ids).await? {
            super::put(engine, &job.note.to.clone(), &[job]).await?;
        }
        Ok(())
    }
}
