//! What is not about single jobs: types of keys, keys that nobody knows, counters, workers, and
//! the index of idempotency keys.

use mq_core::engine::{AuditReport, EngineError, FindingKind};
use mq_core::{QueueName, WorkerId};
use redis::Value;

use super::Audit;
use super::scan::fields;
use crate::engine::RedisEngine;
use crate::link::Request;
use crate::ops::answer::{ask, bytes, list, number, pairs, text};
use crate::ops::locate::registered;
use crate::ops::transfer::Note;
use crate::ops::verb::{command, variadic_command};
use crate::script;

/// Keys per step of the walk over the database.
const SCAN_COUNT: usize = 1_000;
const CLAIMS: &[u8] = b"claims:";
const PRODUCER: &[u8] = b"producer:";

/// Checks types, names and counters. Returns the workers that have claims.
pub(super) async fn check(audit: &mut Audit<'_>) -> Result<Vec<Vec<u8>>, EngineError> {
    let known = known(audit.engine, audit.queue);
    let names = all_keys(audit).await?;
    let base_len = base(audit.engine, audit.queue).len();
    let (mut claims, mut typed) = (Vec::new(), known.clone());
    for name in &names {
        let suffix = &name[base_len..];
        if let Some(worker) = suffix.strip_prefix(CLAIMS) {
            if WorkerId::parse(worker).is_err() {
                audit.add(FindingKind::Foreign, name, "a key of claims that names no worker");
                continue;
            }
            claims.push(worker.to_vec());
            typed.push((String::from_utf8_lossy(name).into_owned(), "hash"));
        } else if !suffix.starts_with(PRODUCER)
            && !known.iter().any(|(key, _)| key.as_bytes() == name)
        {
            audit.add(FindingKind::Foreign, name, "a key that mq does not know");
        }
    }
    check_types(audit, &typed).await?;
    if !has_wrong_type(&audit.report) {
        check_counters(audit).await?;
    }
    Ok(claims)
}

const WRONG_TYPE: &str = "the key is of the wrong type";

/// Whether a structure cannot be read at all.
pub(super) fn has_wrong_type(report: &AuditReport) -> bool {
    report.findings.iter().any(|finding| finding.detail.starts_with(WRONG_TYPE))
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
        let mut request = Request::new();
        request.cmd(scan);
        let mut reply = list(ask(audit.engine, &request).await?.next().unwrap_or_default());
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

async fn check_types(
    audit: &mut Audit<'_>,
    typed: &[(String, &'static str)],
) -> Result<(), EngineError> {
    let mut request = Request::new();
    for (key, _) in typed {
        request.cmd(command("TYPE", key));
    }
    for ((key, expected), found) in typed.iter().zip(ask(audit.engine, &request).await?.map(text)) {
        if found != "none" && found != *expected {
            let detail = format!("{WRONG_TYPE}: {found} instead of {expected}");
            audit.add(FindingKind::Foreign, key.as_bytes(), detail);
        }
    }
    Ok(())
}

async fn check_counters(audit: &mut Audit<'_>) -> Result<(), EngineError> {
    let key = audit.engine.keys.queue(audit.queue).stats();
    let mut request = Request::new();
    request.cmd(command("HGETALL", &key));
    let counters = pairs(ask(audit.engine, &request).await?.next().unwrap_or_default());
    for (name, value) in counters {
        if number(Value::BulkString(value.clone())).is_none() {
            let shown = String::from_utf8_lossy(&value).escape_debug().to_string();
            audit.add(FindingKind::Foreign, &name, format!("the counter is `{shown}`"));
        }
    }
    Ok(())
}

/// Checks that claims, and what workers say about themselves, belong to registered workers.
pub(super) async fn check_workers(
    audit: &mut Audit<'_>,
    claims: &[Vec<u8>],
) -> Result<(), EngineError> {
    let keys = audit.engine.keys.queue(audit.queue);
    let mut request = Request::new();
    request.cmd(command("HKEYS", &keys.about()));
    let abouts = list(ask(audit.engine, &request).await?.next().unwrap_or_default());
    let mut workers: Vec<_> = claims.iter().cloned().chain(abouts.filter_map(bytes)).collect();
    workers.sort();
    workers.dedup();
    let known = registered(audit.engine, audit.queue).await?;
    workers.retain(|worker| !known.contains(worker));
    let mend = mend_arg(audit);
    for worker in workers {
        if audit.room() == 0 {
            break;
        }
        let mut request = Request::new();
        let names = [keys.workers(), keys.claims(&worker), keys.about()];
        request.script(&script::AUDIT_CLAIMS, &names, &[mend, &worker[..]]);
        let mut reply = list(ask(audit.engine, &request).await?.next().unwrap_or_default());
        let held = reply.next().and_then(number).unwrap_or(0);
        let about = reply.next().and_then(number).unwrap_or(0);
        if held > 0 {
            let detail = format!("the worker holds {held} jobs and is not registered");
            audit.add(FindingKind::Unleased, &worker, detail);
        } else if about > 0 {
            audit.add(FindingKind::Orphan, &worker, "data about a worker that is not registered");
        }
    }
    Ok(())
}

/// Checks that jobs between two queues can be carried on. Without a note that can be read a job
/// would be stuck; once it is removed, the job is nowhere and is made ready.
pub(super) async fn check_notes(audit: &mut Audit<'_>) -> Result<(), EngineError> {
    let key = audit.engine.keys.queue(audit.queue).moving();
    let mut request = Request::new();
    request.cmd(command("HGETALL", &key));
    let notes = pairs(ask(audit.engine, &request).await?.next().unwrap_or_default());
    for (id, note) in notes {
        if audit.room() == 0 || Note::parse(&note).is_some() {
            continue;
        }
        audit.add(FindingKind::Orphan, &id, "the note of a transfer that cannot be read");
        if audit.repair {
            let mut request = Request::new();
            request.cmd(variadic_command("HDEL", &key, &[id]));
            ask(audit.engine, &request).await?;
        }
    }
    Ok(())
}

/// Checks that idempotency keys belong to jobs, or will be forgotten.
pub(super) async fn check_keys(audit: &mut Audit<'_>) -> Result<(), EngineError> {
    let keys = audit.engine.keys.queue(audit.queue);
    let mut cursor = Some(b"0".to_vec());
    while let Some(at) = cursor {
        let (next, page) = fields(audit, &keys.keys(), &at).await?;
        cursor = next;
        check_keys_page(audit, &page).await?;
    }
    let mut cursor = "0".to_owned();
    loop {
        let mut scan = command("ZSCAN", &keys.keys_expiry());
        scan.arg(&cursor).arg("COUNT").arg(SCAN_COUNT);
        let mut request = Request::new();
        request.cmd(scan);
        let mut reply = list(ask(audit.engine, &request).await?.next().unwrap_or_default());
        cursor = reply.next().map(text).unwrap_or_default();
        let page = pairs(reply.next().unwrap_or_default());
        let page: Vec<_> = page.into_iter().map(|(key, _)| key).collect();
        check_keys_page(audit, &page).await?;
        if cursor == "0" || cursor.is_empty() {
            return Ok(());
        }
    }
}

async fn check_keys_page(audit: &mut Audit<'_>, page: &[Vec<u8>]) -> Result<(), EngineError> {
    let keys = audit.engine.keys.queue(audit.queue);
    let names = [keys.jobs(), keys.keys(), keys.keys_expiry()];
    let mut rest = page;
    while !rest.is_empty() && audit.room() > 0 {
        let (chunk, after) = rest.split_at(rest.len().min(SCAN_COUNT).min(audit.room()));
        rest = after;
        // The script looks at all structures at once, so this look is the second one as well.
        let mut args = vec![mend_arg(audit).to_vec()];
        args.extend_from_slice(chunk);
        let mut request = Request::new();
        request.script(&script::AUDIT_KEYS, &names, &args);
        let wrong = list(ask(audit.engine, &request).await?.next().unwrap_or_default());
        for (key, wrong) in chunk.iter().zip(wrong) {
            if number(wrong) == Some(1) {
                audit.add(FindingKind::Orphan, key, "the idempotency key belongs to no job");
            }
        }
    }
    Ok(())
}

fn mend_arg(audit: &Audit<'_>) -> &'static [u8] {
    if audit.repair { b"1" } else { b"0" }
}
