//! Moves jobs to another queue of the same server, which may be on another shard: a hand-over in
//! four steps, each of which may be repeated.
//!
//! 0. *announce*: the queue is listed, so that whoever prunes any queue finds what stays behind.
//! 1. *take*: out of its place and into `moving` of the source, with a note. Nobody can claim it.
//! 2. *put*: into its place at the destination, once per token, however often it is tried.
//! 3. *drop*: record, history and note go from the source.
//!
//! After a crash in between, the note says all that [`complete`] needs.

use std::collections::BTreeMap;

use mq_core::engine::{Act, EngineError, EngineErrorKind, Progress};
use mq_core::{JobId, QueueName, WorkerId};
use redis::Value;

use super::answer::{ask, bytes, list, number, text};
use super::verb::{self, Seen, Verb, command, key_of, unsettled, variadic_command};
use crate::engine::RedisEngine;
use crate::link::{Request, USUAL};
use crate::script;

/// Jobs that are carried at a time, with their records.
const CARRY_MAX: usize = 50;
/// Pages of notes that one call of [`complete`] goes through.
const PAGES_MAX: usize = 20;
/// How often a hand-over that stands in the way is completed first.
const TRIES_MAX: usize = 4;
const HOUR_MS: u64 = 60 * 60 * 1000;
/// How long an entry is kept at least; the scripts refuse a step that comes an hour late.
const LISTED_HOURS: u64 = 24;

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
/// caller then finds the rest done. Bounded; returns how many were completed, and whether there may
/// be more.
pub(crate) async fn complete(
    engine: &RedisEngine,
    from: &QueueName,
) -> Result<Progress, EngineError> {
    let mut cursor = String::from("0");
    let mut progress = Progress { done: 0, more: true };
    for _ in 0..PAGES_MAX {
        let mut scan = command("HSCAN", &engine.keys.queue(from).moving());
        scan.arg(&cursor).arg("COUNT").arg(CARRY_MAX);
        let mut request = Request::new();
        request.cmd(scan);
        let mut page = list(ask(engine, &request).await?.next().unwrap_or_default());
        cursor = page.next().map(text).unwrap_or_default();
        let notes = super::answer::pairs(page.next().unwrap_or_default());
        let ids: Vec<_> = notes.into_iter().map(|(id, _)| id).collect();
        progress.done = carry(engine, from, &ids).await?.saturating_add(progress.done);
        if cursor == "0" || cursor.is_empty() {
            progress.more = false;
            break;
        }
    }
    Ok(progress)
}

/// Completes hand-overs from `queue` and from all queues that are listed. If there is no more, none
/// is left that was there when this began. A failure of another queue is not one of this queue.
pub(super) async fn settle(
    engine: &RedisEngine,
    queue: &QueueName,
) -> Result<Progress, EngineError> {
    let mut request = Request::new();
    request.cmd(command("SMEMBERS", &engine.keys.transfers()));
    request.cmd(command("HLEN", &engine.keys.queue(queue).moving()));
    let mut values = ask(engine, &request).await?;
    let entries = list(values.next().unwrap_or_default()).map(text);
    let entries: Vec<_> = entries.filter_map(|entry| Listed::parse(&entry)).collect();
    let is_moving = values.next().and_then(number).unwrap_or(0) > 0;
    let mut settled = match is_moving {
        true => complete(engine, queue).await?,
        false => Progress { done: 0, more: false },
    };
    if !entries.is_empty() {
        let others = settle_listed(engine, queue, &entries).await?;
        settled.done = settled.done.saturating_add(others.done);
        settled.more |= others.more;
    }
    Ok(settled)
}

async fn settle_listed(
    engine: &RedisEngine,
    queue: &QueueName,
    entries: &[Listed],
) -> Result<Progress, EngineError> {
    let mut request = Request::new();
    request.cmd(redis::cmd("TIME"));
    for entry in entries {
        request.cmd(command("HLEN", &engine.keys.queue(&entry.from).moving()));
    }
    // Not `ask`: what is wrong with one queue must not keep the others.
    let mut values = engine.link.run(&request, USUAL).await?.into_iter();
    let time = list(values.next().unwrap_or_default());
    let hour = verb::now_ms(engine, time.as_slice()) / HOUR_MS;
    let (mut settled, mut over) = (Progress { done: 0, more: false }, Vec::new());
    for (entry, moving) in entries.iter().zip(values) {
        match number(moving) {
            Some(0) if hour > entry.hour.saturating_add(LISTED_HOURS) => over.push(entry.text()),
            Some(0) => {}
            Some(_) if entry.from == *queue => {}
            _ => match complete(engine, &entry.from).await {
                Ok(progress) => {
                    settled.done = settled.done.saturating_add(progress.done);
                    settled.more |= progress.more;
                }
                Err(error) => {
                    settled.more = true;
                    let (queue, error) = (&entry.from, mq_core::chain_text(&error));
                    tracing::warn!(%queue, error, "a transfer from a queue is not completed yet");
                }
            },
        }
    }
    if !over.is_empty() {
        let mut request = Request::new();
        request.cmd(variadic_command("SREM", &engine.keys.transfers(), &over));
        ask(engine, &request).await?;
    }
    Ok(settled)
}

/// A queue from which jobs were transferred, and when. The hour is part of the entry, so that an
/// old one can be removed beside a transfer that begins just then: that one has its own.
struct Listed {
    hour: u64,
    from: QueueName,
}

impl Listed {
    fn parse(entry: &str) -> Option<Self> {
        let (hour, from) = entry.split_once(' ')?;
        Some(Self { hour: hour.parse().ok()?, from: QueueName::new(from).ok()? })
    }

    fn text(&self) -> String {
        format!("{} {}", self.hour, self.from)
    }
}

/// Step 0. Returns the server's time in ms, from which on the other steps must follow soon.
async fn announce(engine: &RedisEngine, from: &QueueName) -> Result<u64, EngineError> {
    let mut request = Request::new();
    request.cmd(redis::cmd("TIME"));
    let time = list(ask(engine, &request).await?.next().unwrap_or_default());
    let now_ms = verb::now_ms(engine, time.as_slice());
    let entry = Listed { hour: now_ms / HOUR_MS, from: from.clone() };
    let mut request = Request::new();
    request.cmd(variadic_command("SADD", &engine.keys.transfers(), &[entry.text()]));
    ask(engine, &request).await?;
    Ok(now_ms)
}

/// Steps 0 and 1.
pub(super) async fn take(
    engine: &RedisEngine,
    from: &QueueName,
    to: &QueueName,
    ids: &[JobId],
) -> Result<Vec<Act>, EngineError> {
    let began = announce(engine, from).await?.to_string().into_bytes();
    let token = || WorkerId::random().to_text().to_vec();
    let to = to.as_str().as_bytes();
    let args = |seen: &Seen| vec![seen.id.clone(), token(), began.clone(), to.to_vec()];
    let first = engine.now_arg();
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
    /// When this was read, by the server's time.
    read_ms: u64,
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
    // The time first, so that it is none that came after; then the notes: while there is one,
    // record and history do not change.
    request.cmd(redis::cmd("TIME"));
    for key in [keys.moving(), keys.jobs(), keys.history()] {
        request.cmd(variadic_command("HMGET", &key, ids));
    }
    let mut values = ask(engine, &request).await?;
    let time = list(values.next().unwrap_or_default());
    let read_ms = verb::now_ms(engine, time.as_slice());
    let mut next = || list(values.next().unwrap_or_default()).map(bytes);
    let (notes, mut records, mut histories) = (next(), next(), next());
    let mut jobs = Vec::with_capacity(ids.len());
    for (id, raw_note) in ids.iter().zip(notes) {
        let (record, history) = (records.next().flatten(), histories.next().flatten());
        let (Some(raw_note), Some(record)) = (raw_note, record) else { continue };
        let Some(note) = Note::parse(&raw_note) else { continue };
        let history = history.unwrap_or_default();
        jobs.push(Moving { id: id.clone(), read_ms, raw_note, note, record, history });
    }
    Ok(jobs)
}

async fn put(engine: &RedisEngine, to: &QueueName, jobs: &[Moving]) -> Result<(), EngineError> {
    let read_ms = jobs.iter().map(|job| job.read_ms).min().unwrap_or(0);
    let mut args = vec![engine.now_arg(), read_ms.to_string().into_bytes()];
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
        let replies: Vec<_> = list(replies).map(text).collect();
        if replies.iter().any(|reply| reply == "late") {
            break;
        }
        if !replies.iter().any(|reply| reply == "busy") {
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
        put_after(engine, from, ids, || {}).await
    }

    /// Something happens between reading and putting.
    pub(in crate::ops) async fn put_after(
        engine: &RedisEngine,
        from: &QueueName,
        ids: &[JobId],
        between: impl FnOnce(),
    ) -> Result<(), EngineError> {
        let ids: Vec<_> = ids.iter().map(|id| id.to_text().to_vec()).collect();
        let jobs = read(engine, from, &ids).await?;
        between();
        for job in jobs {
            super::put(engine, &job.note.to.clone(), &[job]).await?;
        }
        Ok(())
    }
}
