//! The first look: where every job seems to be.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use mq_core::engine::{BATCH_MAX, EngineError};
use mq_core::{JobId, Record};

use super::garbage::{Garbage, Sort};
use super::records::damage;
use super::{Audit, step};
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
/// About how many bytes of records come at a time.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// The length of the first page of records: what they weigh is not known before.
const FIRST_PAGE_LEN: usize = 100;

/// What the first look has seen.
#[derive(Debug, Default)]
pub(super) struct FirstLook {
    /// Per job: whether it has a record, and the first place in which it was seen, 0 for none.
    jobs: HashMap<JobId, (bool, u8)>,
    /// Jobs that were seen in two places.
    pub(super) twice: BTreeSet<JobId>,
    /// Ids in the structures beside without a record: history, levels, cancels. Also requests to
    /// cancel what has ended.
    beside: BTreeSet<JobId>,
    /// Jobs whose records no worker could decode.
    pub(super) unreadable: BTreeSet<JobId>,
    /// Jobs with levels that are none.
    pub(super) levels: Vec<(JobId, Vec<u8>)>,
    /// Elements that are no ids of jobs, at most a few more than a report has room for.
    pub(super) garbage: BTreeSet<Garbage>,
    /// Hashes of the jobs' idempotency keys.
    keys: HashMap<JobId, u64>,
    hasher: RandomState,
}

/// Places that a job does not leave by itself.
const ENDS: std::ops::RangeInclusive<u8> = 8..=10;

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

    fn has_ended(&self, id: &JobId) -> bool {
        self.jobs.get(id).is_some_and(|seen| ENDS.contains(&seen.1))
    }

    fn record(&mut self, id: JobId, bytes: &[u8]) {
        self.jobs.entry(id).or_default().0 = true;
        if damage(bytes).is_some() {
            self.unreadable.insert(id);
        } else if let Ok(Some(key)) = Record::decode(bytes).map(|record| record.idempotency_key) {
            self.keys.insert(id, self.hasher.hash_one(key.as_bytes()));
        }
    }

    /// Whether the job has a record that names another idempotency key, or none.
    pub(super) fn has_other_key(&self, id: &JobId, key: &[u8]) -> bool {
        let own = self.keys.get(id);
        self.has_record(id)
            && !self.unreadable.contains(id)
            && own != Some(&self.hasher.hash_one(key))
    }

    /// Jobs with a record and no place, or with a place and no record, and those with something
    /// beside that they cannot have.
    pub(super) fn suspects(&self) -> Vec<JobId> {
        let halves = self.jobs.iter().filter(|(_, seen)| seen.0 != (seen.1 != 0));
        let mut ids: Vec<_> = halves.map(|(id, _)| *id).collect();
        ids.extend(&self.beside);
        ids.sort();
        ids.dedup();
        ids
    }

    /// Reads an id; what is none is noted.
    fn id(&mut self, text: &[u8], key: &str, sort: Sort, name: &'static str) -> Option<JobId> {
        let id = JobId::parse(text).ok();
        if id.is_none() && self.garbage.len() <= BATCH_MAX {
            let (key, element) = (key.to_owned(), text.to_vec());
            self.garbage.insert(Garbage { key, sort, name, element });
        }
        id
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
    read_records(audit, &mut look).await?;
    audit.report.jobs = look.jobs.len() as u64;
    let due = [(keys.scheduled(), "scheduled", 1), (keys.retry(), "retry", 2)];
    for (key, name, place) in &due {
        read_set(audit, &mut look, key, name, *place).await?;
    }
    for level in 0..3 {
        read_list(audit, &mut look, &keys.ready(level), 3 + level).await?;
    }
    read_claims(audit, &mut look, claims).await?;
    for id in ids_of(audit, &mut look, &keys.moving(), "moving").await? {
        look.place(id, 7, true);
    }
    let kept = [(keys.dead(), "dead", 8), (keys.done(), "done", 9)];
    let cancelled = [(keys.cancelled(), "cancelled", 10)];
    for (key, name, place) in kept.iter().chain(&cancelled).chain(&due) {
        read_set(audit, &mut look, key, name, *place).await?;
    }
    read_levels(audit, &mut look).await?;
    for (key, name) in [(keys.history(), "history"), (keys.cancels(), "cancels")] {
        let ids = ids_of(audit, &mut look, &key, name).await?;
        let is_wrong = |id: &JobId| !look.has_record(id) || name == "cancels" && look.has_ended(id);
        let wrong: Vec<_> = ids.into_iter().filter(is_wrong).collect();
        look.beside.extend(wrong);
    }
    read_moved(audit, &mut look).await?;
    Ok(look)
}

/// Records, in pages that grow and shrink with what the last one weighed.
async fn read_records(audit: &Audit<'_>, look: &mut FirstLook) -> Result<(), EngineError> {
    let key = audit.engine.keys.queue(audit.queue).jobs();
    let (mut cursor, mut count) = ("0".to_owned(), FIRST_PAGE_LEN);
    loop {
        let mut reply = list(audit.one(step("HSCAN", &key, &cursor, count)).await?);
        cursor = reply.next().map(text).unwrap_or_default();
        let page = pairs(reply.next().unwrap_or_default());
        let weight: usize = page.iter().map(|(_, record)| record.len() + 1).sum();
        let average = (weight / page.len().max(1)).max(1);
        count = (PAGE_BYTES / average).clamp(1, PAGE_LEN);
        for (field, record) in page {
            if let Some(id) = look.id(&field, &key, Sort::Records, "jobs") {
                look.record(id, &record);
            }
        }
        if cursor == "0" || cursor.is_empty() {
            return Ok(());
        }
    }
}

/// The fields of a hash that are ids, without their values.
async fn ids_of(
    audit: &Audit<'_>,
    look: &mut FirstLook,
    key: &str,
    name: &'static str,
) -> Result<Vec<JobId>, EngineError> {
    let mut ids = Vec::new();
    let mut cursor = Some(b"0".to_vec());
    while let Some(at) = cursor {
        let mut request = Request::new();
        let args = [at, PAGE_LEN.to_string().into_bytes()];
        request.script(&script::AUDIT_FIELDS, &[key], &args);
        let mut reply = list(ask(audit.engine, &request).await?.next().unwrap_or_default());
        cursor = reply.next().and_then(bytes).filter(|cursor| cursor != b"0");
        for field in list(reply.next().unwrap_or_default()).filter_map(bytes) {
            ids.extend(look.id(&field, key, Sort::Hash, name));
        }
    }
    Ok(ids)
}

async fn read_levels(audit: &Audit<'_>, look: &mut FirstLook) -> Result<(), EngineError> {
    let key = audit.engine.keys.queue(audit.queue).levels();
    let mut cursor = "0".to_owned();
    loop {
        let mut reply = list(audit.one(step("HSCAN", &key, &cursor, PAGE_LEN)).await?);
        cursor = reply.next().map(text).unwrap_or_default();
        for (field, level) in pairs(reply.next().unwrap_or_default()) {
            let Some(id) = look.id(&field, &key, Sort::Hash, "levels") else { continue };
            if !look.has_record(&id) {
                look.beside.insert(id);
            } else if !matches!(&level[..], b"0" | b"1" | b"2") && look.levels.len() <= BATCH_MAX {
                look.levels.push((id, level));
            }
        }
        if cursor == "0" || cursor.is_empty() {
            return Ok(());
        }
    }
}

async fn read_set(
    audit: &Audit<'_>,
    look: &mut FirstLook,
    key: &str,
    name: &'static str,
    place: u8,
) -> Result<(), EngineError> {
    let mut cursor = "0".to_owned();
    loop {
        let mut reply = list(audit.one(step("ZSCAN", key, &cursor, PAGE_LEN)).await?);
        cursor = reply.next().map(text).unwrap_or_default();
        for (member, _) in pairs(reply.next().unwrap_or_default()) {
            if let Some(id) = look.id(&member, key, Sort::Set, name) {
                look.place(id, place, true);
            }
        }
        if cursor == "0" || cursor.is_empty() {
            return Ok(());
        }
    }
}

/// Hand-overs that were put here: the id of a job and a token of the same length.
async fn read_moved(audit: &Audit<'_>, look: &mut FirstLook) -> Result<(), EngineError> {
    let key = audit.engine.keys.queue(audit.queue).moved();
    let mut cursor = "0".to_owned();
    loop {
        let mut reply = list(audit.one(step("ZSCAN", &key, &cursor, PAGE_LEN)).await?);
        cursor = reply.next().map(text).unwrap_or_default();
        for (member, _) in pairs(reply.next().unwrap_or_default()) {
            let is_right = member.len() == 2 * JobId::TEXT_LEN;
            let id = if is_right { &member[..JobId::TEXT_LEN] } else { &member };
            if JobId::parse(id).is_err() {
                look.id(&member, &key, Sort::Set, "moved");
            }
        }
        if cursor == "0" || cursor.is_empty() {
            return Ok(());
        }
    }
}

async fn read_list(
    audit: &Audit<'_>,
    look: &mut FirstLook,
    key: &str,
    place: u8,
) -> Result<(), EngineError> {
    let (mut start, mut last) = (0, None::<Vec<u8>>);
    loop {
        let mut range = command("LRANGE", key);
        range.arg(start).arg(start + PAGE_LEN - 1);
        let page: Vec<_> = list(audit.one(range).await?).filter_map(bytes).collect();
        // Jobs that were claimed meanwhile have moved the rest to the left.
        let seen = last.and_then(|last| page.iter().rposition(|id| *id == last));
        let new = &page[seen.map_or(0, |seen| seen + 1)..];
        for text in new {
            if let Some(id) = look.id(text, key, Sort::List, "ready") {
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

/// Also those of workers that are not registered: their jobs are not nowhere. What is no id has
/// been seen to before.
async fn read_claims(
    audit: &Audit<'_>,
    look: &mut FirstLook,
    claims: &[Vec<u8>],
) -> Result<(), EngineError> {
    let keys = audit.engine.keys.queue(audit.queue);
    let mut workers: BTreeSet<_> = claims.iter().cloned().collect();
    workers.extend(registered(audit.engine, audit.queue).await?);
    for worker in workers {
        let receipts = audit.one(command("HGETALL", &keys.claims(&worker))).await?;
        for (number, ids) in pairs(receipts) {
            if number == b"last" {
                continue;
            }
            for id in ids.chunks(JobId::TEXT_LEN).filter_map(|text| JobId::parse(text).ok()) {
                look.place(id, 6, false);
            }
        }
    }
    Ok(())
}
