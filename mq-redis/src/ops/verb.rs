//! What the verbs on jobs have in common: read first, let a script decide, read again if something
//! has changed in between.

use mq_core::engine::{Act, BATCH_MAX, EngineError, EngineErrorKind};
use mq_core::name::quoted;
use mq_core::{JobId, QueueName, Record, State};
use redis::{Cmd, Value};

use super::answer::{ask, bytes, exactly, list, number, text};
use super::transfer;
use crate::engine::RedisEngine;
use crate::link::Request;
use crate::reply;
use crate::script::Script;

/// Most jobs per script call: records are read along, and may have 1 MiB each.
const CHUNK_MAX: usize = 100;
/// Entries of ready lists that one script call may pass over: 10 to 20 ms of the server's time.
const SCAN_MAX: u64 = 1_000_000;
/// How often a job that changes under the verb's hands is tried again.
const TRIES_MAX: usize = 16;

/// A verb: its script and what that wants to know.
pub(super) struct Verb<'a> {
    pub(super) script: &'static Script,
    /// The script's first argument.
    pub(super) first: Vec<u8>,
    /// Whether record and history are wanted.
    pub(super) reads: bool,
    /// The arguments of the script for one job.
    pub(super) args: &'a (dyn Fn(&Seen) -> Vec<Vec<u8>> + Sync),
}

/// A job as it was read before the script is called.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Its place among the ids that the verb was given.
    pub(super) index: usize,
    pub(super) id: Vec<u8>,
    pub(super) record: Option<Vec<u8>>,
    pub(super) history: Option<Vec<u8>>,
    /// The store's time.
    pub(super) now_ms: u64,
}

impl Seen {
    /// The job's idempotency key or nothing; a record that cannot be read has none.
    pub(super) fn key(&self) -> Vec<u8> {
        key_of(self.record.as_deref())
    }
}

/// The idempotency key in a record, or nothing.
pub(super) fn key_of(record: Option<&[u8]>) -> Vec<u8> {
    let record = record.and_then(|record| Record::decode(record).ok());
    let key = record.and_then(|record| record.idempotency_key);
    key.map_or_else(Vec::new, |key| key.as_bytes().to_vec())
}

/// Carries a verb out on jobs, in script calls of bounded cost. Answers per job, in order.
pub(super) async fn apply(
    engine: &RedisEngine,
    queue: &QueueName,
    ids: &[JobId],
    verb: &Verb<'_>,
) -> Result<Vec<Act>, EngineError> {
    check_batch(ids)?;
    let chunk_len = chunk_len(engine, queue).await?;
    let mut acts = vec![Act::NotFound; ids.len()];
    let positions: Vec<usize> = (0..ids.len()).collect();
    for chunk in positions.chunks(chunk_len) {
        let mut open = chunk.to_vec();
        let mut tries = 0;
        while !open.is_empty() {
            tries += 1;
            if tries > TRIES_MAX {
                return Err(unsettled(queue));
            }
            open = once(engine, queue, ids, &open, verb, &mut acts).await?;
        }
    }
    Ok(acts)
}

/// Refuses more jobs than the contract allows in one request.
pub(super) fn check_batch(ids: &[JobId]) -> Result<(), EngineError> {
    if ids.len() <= BATCH_MAX {
        return Ok(());
    }
    let message = format!(
        "{} jobs in one request: at most {BATCH_MAX} are allowed, split them up",
        ids.len()
    );
    Err(EngineError::new(EngineErrorKind::Invalid, message))
}

/// One try; returns the positions that need another one.
async fn once(
    engine: &RedisEngine,
    queue: &QueueName,
    ids: &[JobId],
    open: &[usize],
    verb: &Verb<'_>,
    acts: &mut [Act],
) -> Result<Vec<usize>, EngineError> {
    let (workers, seen) = look(engine, queue, ids, open, verb.reads).await?;
    let args = seen.iter().flat_map(|seen| (verb.args)(seen));
    let rest = (open.len(), args);
    let call = call(engine, queue, verb.script, &verb.first, &workers, rest).await?;
    let Some(replies) = call else { return Ok(open.to_vec()) };
    let (mut again, mut moving) = (Vec::new(), false);
    for (&position, reply) in open.iter().zip(replies) {
        match text(reply).as_str() {
            "changed" => again.push(position),
            "moving" => {
                again.push(position);
                moving = true;
            }
            word => acts[position] = act(word)?,
        }
    }
    if moving {
        transfer::complete(engine, queue).await?;
    }
    Ok(again)
}

fn act(word: &str) -> Result<Act, EngineError> {
    Ok(match word {
        "applied" => Act::Applied,
        "already" => Act::Already,
        "requested" => Act::Requested,
        "absent" => Act::NotFound,
        word => Act::Refused(state_of(word)?),
    })
}

/// The state that a word of the scripts stands for.
pub(super) fn state_of(word: &str) -> Result<State, EngineError> {
    Ok(match word {
        "ready" => State::Ready,
        // A job between two queues waits as well, if only for the rest of its transfer.
        "scheduled" | "retry" | "moving" => State::Scheduled,
        "running" => State::Running,
        "done" => State::Done,
        "dead" => State::Dead,
        "cancelled" => State::Cancelled,
        word => {
            let word = quoted(word);
            let message = format!("a script answered `{word}`, which this mq does not understand");
            return Err(EngineError::new(EngineErrorKind::Invalid, message));
        }
    })
}

/// How many jobs one script call may handle: taking one out of a ready list can cost the length
/// of the list.
async fn chunk_len(engine: &RedisEngine, queue: &QueueName) -> Result<usize, EngineError> {
    let keys = engine.keys.queue(queue);
    let mut request = Request::new();
    for level in 0..3 {
        request.cmd(command("LLEN", &keys.ready(level)));
    }
    let longest = ask(engine, &request).await?.filter_map(number).max().unwrap_or(0);
    Ok(usize::try_from(SCAN_MAX / longest.max(1)).unwrap_or(1).clamp(1, CHUNK_MAX))
}

/// Reads the registered workers and what the verb wants to know of the jobs.
async fn look(
    engine: &RedisEngine,
    queue: &QueueName,
    ids: &[JobId],
    open: &[usize],
    reads: bool,
) -> Result<(Vec<Vec<u8>>, Vec<Seen>), EngineError> {
    let keys = engine.keys.queue(queue);
    let texts: Vec<_> = open.iter().map(|&at| ids[at].to_text().to_vec()).collect();
    let mut request = Request::new();
    request.cmd(workers_command(engine, queue)).cmd(redis::cmd("TIME"));
    if reads {
        request.cmd(variadic_command("HMGET", &keys.jobs(), &texts));
        request.cmd(variadic_command("HMGET", &keys.history(), &texts));
    }
    let mut values = ask(engine, &request).await?;
    let mut next = || list(values.next().unwrap_or_default());
    let workers = next().filter_map(bytes).collect();
    let now_ms = now_ms(engine, next().as_slice());
    let (mut records, mut histories) = (next(), next());
    let seen = open.iter().zip(texts).map(|(&index, id)| Seen {
        index,
        id,
        record: records.next().and_then(bytes),
        history: histories.next().and_then(bytes),
        now_ms,
    });
    Ok((workers, seen.collect()))
}

/// The store's time from the answer to `TIME`, unless a test has set another.
pub(super) fn now_ms(engine: &RedisEngine, time: &[Value]) -> u64 {
    if let Some(now_ms) = engine.time.set_ms() {
        return now_ms;
    }
    let mut parts = time.iter().cloned().filter_map(number);
    let (seconds, micros) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    reply::time_ms(seconds, micros)
}

/// The command that lists the registered workers.
pub(super) fn workers_command(engine: &RedisEngine, queue: &QueueName) -> Cmd {
    let mut cmd = command("ZRANGE", &engine.keys.queue(queue).workers());
    cmd.arg(0).arg(-1);
    cmd
}

/// Calls a script that takes the keys of all jobs' structures and of the workers' claims. None if
/// other workers are registered by now; else as many replies as there are jobs.
pub(super) async fn call(
    engine: &RedisEngine,
    queue: &QueueName,
    script: &'static Script,
    first: &[u8],
    workers: &[Vec<u8>],
    (jobs, rest): (usize, impl Iterator<Item = Vec<u8>>),
) -> Result<Option<std::vec::IntoIter<Value>>, EngineError> {
    let mut keys = job_keys(engine, queue);
    keys.extend(claims_keys(engine, queue, workers));
    let mut args = worker_args(first, workers);
    args.extend(rest);
    let mut request = Request::new();
    request.script(script, &keys, &args);
    let value = ask(engine, &request).await?.next().unwrap_or_default();
    let is_array = matches!(value, Value::Array(_));
    is_array.then(|| exactly(jobs, value)).transpose()
}

/// The first arguments of every script that takes the workers' claims.
pub(super) fn worker_args(first: &[u8], workers: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut args = vec![first.to_vec(), workers.len().to_string().into_bytes()];
    args.extend(workers.iter().cloned());
    args
}

/// The keys of the claims of workers; foreign names have a key that holds nothing.
pub(super) fn claims_keys(
    engine: &RedisEngine,
    queue: &QueueName,
    workers: &[Vec<u8>],
) -> Vec<String> {
    let keys = engine.keys.queue(queue);
    workers.iter().map(|worker| keys.claims(worker)).collect()
}

/// The keys of `lua/lib/job_keys.lua`, in its order.
fn job_keys(engine: &RedisEngine, queue: &QueueName) -> Vec<String> {
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
        keys.workers(),
        keys.keys(),
        keys.keys_expiry(),
        keys.cancels(),
        keys.moving(),
        keys.stats(),
        keys.wake(),
        keys.moved(),
    ]
}

/// A command on a key.
pub(super) fn command(name: &str, key: &str) -> Cmd {
    let mut cmd = redis::cmd(name);
    cmd.arg(key);
    cmd
}

/// A command on a key with arguments.
pub(super) fn variadic_command<A: AsRef<[u8]>>(name: &str, key: &str, args: &[A]) -> Cmd {
    let mut cmd = command(name, key);
    for arg in args {
        cmd.arg(arg.as_ref());
    }
    cmd
}

/// Workers or jobs changed faster than the verb could follow.
pub(super) fn unsettled(queue: &QueueName) -> EngineError {
    let message = format!(
        "workers kept joining and leaving queue `{queue}`, or its jobs kept changing, during the \
         request; some of the jobs may have been handled, and repeating it is safe"
    );
    EngineError::new(EngineErrorKind::Unknown, message)
}
