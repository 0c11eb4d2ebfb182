//! Keys as such: types, names, expiry.

use mq_core::engine::{AuditReport, EngineError, FindingKind};
use mq_core::{QueueName, WorkerId};

use super::Audit;
use crate::engine::RedisEngine;
use crate::link::Request;
use crate::ops::answer::{ask, bytes, list, number, text};
use crate::ops::verb::variadic_command;
use crate::script;

/// Keys per step of the walk over the database.
const SCAN_COUNT: usize = 1_000;
const CLAIMS: &[u8] = b"claims:";
const PRODUCER: &[u8] = b"producer:";
/// What an audit has found and moved out of the way. Reported once, when it was found.
const ASIDE: &[u8] = b"aside:";
/// As the producer itself sets it.
const PRODUCER_KEPT_MS: u64 = 24 * 60 * 60 * 1000;

/// A key that is there, its name in the queue, and what it should be.
struct Key {
    name: Vec<u8>,
    suffix: Vec<u8>,
    expected: &'static str,
}

/// Checks types, names and expiry. Returns the workers that have claims.
pub(super) async fn check(audit: &mut Audit<'_>) -> Result<Vec<Vec<u8>>, EngineError> {
    let known = known(audit.engine, audit.queue);
    let names = all_keys(audit).await?;
    let base_len = base(audit.engine, audit.queue).len();
    let (mut claims, mut keys, mut has_jobs) = (Vec::new(), Vec::new(), false);
    for name in names {
        let suffix = name[base_len..].to_vec();
        let fixed = known.iter().find(|(key, _)| key.as_bytes() == name).map(|(_, kind)| *kind);
        let expected = if let Some(worker) = suffix.strip_prefix(CLAIMS) {
            if WorkerId::parse(worker).is_err() {
                audit.add(FindingKind::Foreign, &name, "a key of claims that names no worker");
                continue;
            }
            claims.push(worker.to_vec());
            "hash"
        } else if suffix.starts_with(PRODUCER) {
            "string"
        } else if suffix.starts_with(ASIDE) {
            continue;
        } else if let Some(expected) = fixed {
            expected
        } else {
            audit.add(FindingKind::Foreign, &name, "a key that mq does not know");
            continue;
        };
        has_jobs |= suffix == b"jobs";
        keys.push(Key { name, suffix, expected });
    }
    for chunk in keys.chunks(SCAN_COUNT) {
        check_types(audit, chunk).await?;
        check_expiry(audit, chunk).await?;
    }
    if has_jobs {
        check_listed(audit).await?;
    }
    Ok(claims)
}

/// Whether a structure cannot be read at all.
pub(super) fn has_wrong_type(report: &AuditReport) -> bool {
    report.findings.iter().any(|finding| finding.kind == FindingKind::WrongType)
}

/// All keys of a queue that have a fixed name, with their types.
fn known(engine: &RedisEngine, queue: &QueueName) -> Vec<(String, &'static str)> {
    let keys = engine.keys.queue(queue);
    vec![
        (keys.jobs(), "hash"),
        (keys.history(), "hash"),
        (keys.levels(), "hash"),
        (keys.ready(0), "list"),
        (keys.ready(1), "list"),
        (keys.ready(2), "list"),
        (keys.scheduled(), "zset"),
        (keys.retry(), "zset"),
        (keys.dead(), "zset"),
        (keys.done(), "zset"),
        (keys.cancelled(), "zset"),
        (keys.workers(), "zset"),
        (keys.about(), "hash"),
        (keys.gone(), "list"),
        (keys.keys(), "hash"),
        (keys.keys_expiry(), "zset"),
        (keys.cancels(), "hash"),
        (keys.paused(), "string"),
        (keys.stats(), "hash"),
        (keys.rates(), "hash"),
        (keys.recent(), "list"),
        (keys.wake(), "zset"),
        (keys.swept(), "string"),
        (keys.grace(), "string"),
        (keys.moving(), "hash"),
        (keys.moved(), "zset"),
        (keys.orders(), "hash"),
    ]
}

/// What all keys of a queue begin with.
fn base(engine: &RedisEngine, queue: &QueueName) -> String {
    let jobs = engine.keys.queue(queue).jobs();
    jobs.strip_suffix("jobs").unwrap_or_default().to_owned()
}

/// The names of all keys of the queue. Walks over the whole database, for there is no other way to
/// find keys that should not be there.
async fn all_keys(audit: &Audit<'_>) -> Result<Vec<Vec<u8>>, EngineError> {
    let base = base(audit.engine, audit.queue);
    // No prefix and no queue name has a character that means something in a pattern.
    let pattern = format!("{base}*");
    let (mut cursor, mut names) = ("0".to_owned(), Vec::new());
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(&cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCAN_COUNT);
        let mut reply = list(audit.one(scan).await?);
        cursor = reply.next().map(text).unwrap_or_default();
        let page = list(reply.next().unwrap_or_default()).filter_map(bytes);
        names.extend(page.filter(|name| name.starts_with(base.as_bytes())));
        if cursor == "0" || cursor.is_empty() {
            names.sort();
            names.dedup();
            return Ok(names);
        }
    }
}

/// The answers to a command on each of the keys.
async fn of_each(
    audit: &Audit<'_>,
    keys: &[Key],
    command: impl Fn(&Key) -> redis::Cmd,
) -> Result<std::vec::IntoIter<redis::Value>, EngineError> {
    let mut request = Request::new();
    for key in keys {
        request.cmd(command(key));
    }
    ask(audit.engine, &request).await
}

async fn check_types(audit: &mut Audit<'_>, keys: &[Key]) -> Result<(), EngineError> {
    let found = of_each(audit, keys, |key| {
        let mut cmd = redis::cmd("TYPE");
        cmd.arg(&key.name);
        cmd
    });
    for (key, found) in keys.iter().zip(found.await?.map(text)) {
        if found == "none" || found == key.expected || audit.room() == 0 {
            continue;
        }
        if audit.repair {
            let suffix = String::from_utf8_lossy(&key.suffix);
            let aside = audit
                .engine
                .keys
                .queue(audit.queue)
                .aside(&suffix, audit.engine.time.now().guess_ms);
            let names = [key.name.clone(), aside.into_bytes()];
            let mut request = Request::new();
            request.script(&script::AUDIT_ASIDE, &names, &[key.expected]);
            let moved = ask(audit.engine, &request).await?.next().and_then(number);
            if moved != Some(1) {
                continue;
            }
        }
        let detail = format!("the key is of the wrong type: {found} instead of {}", key.expected);
        audit.add(FindingKind::WrongType, &key.name, detail);
    }
    Ok(())
}

async fn check_expiry(audit: &mut Audit<'_>, keys: &[Key]) -> Result<(), EngineError> {
    let left = of_each(audit, keys, |key| {
        let mut cmd = redis::cmd("PTTL");
        cmd.arg(&key.name);
        cmd
    });
    for (key, left) in keys.iter().zip(left.await?) {
        let expires = matches!(left, redis::Value::Int(0..));
        let is_gone = left == redis::Value::Int(-2);
        let should = key.suffix.starts_with(PRODUCER);
        if is_gone || expires == should || audit.room() == 0 {
            continue;
        }
        if audit.repair {
            let mut mend = if should { redis::cmd("PEXPIRE") } else { redis::cmd("PERSIST") };
            mend.arg(&key.name);
            if should {
                mend.arg(PRODUCER_KEPT_MS);
            }
            audit.one(mend).await?;
        }
        let detail = if should { "the key would stay for ever" } else { "the key would vanish" };
        audit.add(FindingKind::Expiry, &key.name, detail);
    }
    Ok(())
}

/// Whether the queue is where everybody looks for queues.
async fn check_listed(audit: &mut Audit<'_>) -> Result<(), EngineError> {
    let queues = crate::ops::queues::queues(audit.engine).await?;
    if queues.contains(audit.queue) || audit.room() == 0 {
        return Ok(());
    }
    let name = audit.queue.as_str().as_bytes();
    if audit.repair {
        audit.one(variadic_command("SADD", &audit.engine.keys.queues(), &[name])).await?;
    }
    audit.add(FindingKind::Unlisted, name, "the queue has jobs and is in no list of queues");
    Ok(())
}
