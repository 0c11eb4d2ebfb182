//! The first look: where every job seems to be.

use std::collections::{BTreeSet, HashMap};

use mq_core::JobId;
use mq_core::engine::{EngineError, FindingKind};
use redis::Value;

use super::Audit;
use crate::link::Request;
use crate::ops::answer::{ask, bytes, list, pairs, text};
use crate::ops::locate::registered;
use crate::ops::verb::command;
use crate::script;

/// Entries per page.
const PAGE_LEN: usize = 1_000;
/// How much a page of a list reaches back into the one before, which shows how far the list has
/// moved meanwhile.
const OVERLAP: usize = 200;

/// What the first look has seen.
#[derive(Debug, Default)]
pub(super) struct FirstLook {
    /// Per job: whether it has a record, and the first place in which it was seen, 0 for none.
    jobs: HashMap<JobId, (bool, u8)>,
    /// Jobs that were seen in two places.
    pub(super) twice: BTreeSet<JobId>,
    /// Ids in the structures beside: history, levels, cancels.
    beside: BTreeSet<JobId>,
}

impl FirstLook {
    /// Notes a place; `again` if the same structure may show an entry twice.
    fn place(&mut self, id: JobId, place: u8, again: bool) {
        let seen = self.jobs.entry(id).or_default();
        if seen.1 == 0 {
            seen.1 = place;
        } else if seen.1 != place || !again {
            self.twice.insert(id);
        }
    }

    fn has_record(&self, id: &JobId) -> bool {
        self.jobs.get(id).is_some_and(|seen| seen.0)
    }

    /// Jobs with a record and no place, or with a place and no record.
    pub(super) fn halves(&self) -> Vec<JobId> {
        let halves = self.jobs.iter().filter(|(_, seen)| seen.0 != (seen.1 != 0));
        let mut ids: Vec<_> = halves.map(|(id, _)| *id).collect();
        ids.extend(self.beside.iter().filter(|id| !self.jobs.contains_key(id)));
        ids.sort();
        ids
    }
}

/// Reads all structures. Records come first and the places follow the way that jobs take, so that
/// few of them slip through between two pages; what is due is read twice, since retries go back.
///
/// `claims` names workers that have claims, registered or not.
pub(super) async fn read(
    audit: &mut Audit<'_>,
    claims: &[Vec<u8>],
) -> Result<FirstLook, EngineError> {
    let keys = audit.engine.keys.queue(audit.queue);
    let mut look = FirstLook::default();
    for id in ids_of(audit, &keys.jobs(), "jobs").await? {
        look.jobs.entry(id).or_default().0 = true;
    }
    audit.report.jobs = look.jobs.len() as u64;
    let due = [(keys.scheduled(), "scheduled", 1), (keys.retry(), "retry", 2)];
    for (key, name, place) in &due {
        read_set(audit, &mut look, key, name, *place).await?;
    }
    for level in 0..3 {
        read_list(audit, &mut look, &keys.ready(level), 3 + level).await?;
    }
    read_claims(audit, &mut look, claims).await?;
    for id in ids_of(audit, &keys.moving(), "moving").await? {
        look.place(id, 7, true);
    }
    let kept = [(keys.dead(), "dead", 8), (keys.done(), "done", 9)];
    let cancelled = [(keys.cancelled(), "cancelled", 10)];
    for (key, name, place) in kept.iter().chain(&cancelled).chain(&due) {
        read_set(audit, &mut look, key, name, *place).await?;
    }
    let beside =
        [(keys.history(), "history"), (keys.levels(), "levels"), (keys.cancels(), "cancels")];
    for (key, name) in beside {
        let ids = ids_of(audit, &key, name).await?;
        let orphans: Vec<_> = ids.into_iter().filter(|id| !look.has_record(id)).collect();
        look.beside.extend(orphans);
    }
    Ok(look)
}

/// The fields of a hash that are ids; others are reported.
async fn ids_of(audit: &mut Audit<'_>, key: &str, name: &str) -> Result<Vec<JobId>, EngineError> {
    let mut ids = Vec::new();
    let mut cursor = Some(b"0".to_vec());
    while let Some(at) = cursor {
        let (next, fields) = fields(audit, key, &at).await?;
        cursor = next;
        for field in fields {
            ids.extend(id(audit, &field, name));
        }
    }
    Ok(ids)
}

/// One page of the fields of a hash, and where the next one begins.
pub(super) async fn fields(
    audit: &Audit<'_>,
    key: &str,
    cursor: &[u8],
) -> Result<(Option<Vec<u8>>, Vec<Vec<u8>>), EngineError> {
    let mut request = Request::new();
    let args = [cursor.to_vec(), PAGE_LEN.to_string().into_bytes()];
    request.script(&script::AUDIT_FIELDS, &[key], &args);
    let mut reply = list(ask(audit.engine, &request).await?.next().unwrap_or_default());
    let next = reply.next().and_then(bytes).filter(|cursor| cursor != b"0");
    Ok((next, list(reply.next().unwrap_or_default()).filter_map(bytes).collect()))
}

/// Reads an id; what is none is reported.
fn id(audit: &mut Audit<'_>, text: &[u8], name: &str) -> Option<JobId> {
    let id = JobId::parse(text).ok();
    if id.is_none() {
        let detail = format!("`{name}` has this entry, which is not the id of a job");
        let known = &audit.report.findings;
        // What is due is read twice.
        let subject = String::from_utf8_lossy(text).escape_debug().to_string();
        if !known.iter().any(|known| known.subject == subject && known.detail == detail) {
            audit.add(FindingKind::Foreign, text, detail);
        }
    }
    id
}

async fn read_set(
    audit: &mut Audit<'_>,
    look: &mut FirstLook,
    key: &str,
    name: &str,
    place: u8,
) -> Result<(), EngineError> {
    let mut cursor = "0".to_owned();
    loop {
        let mut scan = command("ZSCAN", key);
        scan.arg(&cursor).arg("COUNT").arg(PAGE_LEN);
        let mut reply = list(one(audit, scan).await?);
        cursor = reply.next().map(text).unwrap_or_default();
        for (member, _) in pairs(reply.next().unwrap_or_default()) {
            if let Some(id) = id(audit, &member, name) {
                look.place(id, place, true);
            }
        }
        if cursor == "0" || cursor.is_empty() {
            return Ok(());
        }
    }
}

async fn read_list(
    audit: &mut Audit<'_>,
    look: &mut FirstLook,
    key: &str,
    place: u8,
) -> Result<(), EngineError> {
    let (mut start, mut last) = (0, None::<Vec<u8>>);
    loop {
        let mut range = command("LRANGE", key);
        range.arg(start).arg(start + PAGE_LEN - 1);
        let page: Vec<_> = list(one(audit, range).await?).filter_map(bytes).collect();
        // Jobs that were claimed meanwhile have moved the rest to the left.
        let seen = last.and_then(|last| page.iter().rposition(|id| *id == last));
        let new = &page[seen.map_or(0, |seen| seen + 1)..];
        for text in new {
            if let Some(id) = id(audit, text, "ready") {
                look.place(id, place, false);
            }
        }
        if page.len() < PAGE_LEN {
            return Ok(());
        }
        last = page.last().cloned();
        start += PAGE_LEN - OVERLAP;
    }
}

/// Also those of workers that are not registered: their jobs are not nowhere.
async fn read_claims(
    audit: &mut Audit<'_>,
    look: &mut FirstLook,
    claims: &[Vec<u8>],
) -> Result<(), EngineError> {
    let keys = audit.engine.keys.queue(audit.queue);
    let mut workers: BTreeSet<_> = claims.iter().cloned().collect();
    workers.extend(registered(audit.engine, audit.queue).await?);
    for worker in workers {
        let receipts = one(audit, command("HGETALL", &keys.claims(&worker))).await?;
        for (number, ids) in pairs(receipts) {
            if number == b"last" {
                continue;
            }
            for text in ids.chunks(JobId::TEXT_LEN) {
                if let Some(id) = id(audit, text, "claims") {
                    look.place(id, 6, false);
                }
            }
        }
    }
    Ok(())
}

async fn one(audit: &Audit<'_>, cmd: redis::Cmd) -> Result<Value, EngineError> {
    let mut request = Request::new();
    request.cmd(cmd);
    Ok(ask(audit.engine, &request).await?.next().unwrap_or_default())
}
