//! The second look: what is really wrong with the jobs that the first look found suspect.

use std::collections::BTreeSet;

use mq_core::engine::{EngineError, FindingKind, total};
use mq_core::{History, JobId};

use super::Audit;
use super::scan::FirstLook;
use crate::link::Request;
use crate::ops::answer::{ask, bytes, list, number, text};
use crate::ops::locate::registered;
use crate::ops::verb::{call, command, unsettled, variadic_command};
use crate::script;

/// Suspects per script call that spares the ready lists.
const LOOK_MAX: usize = 500;
/// Entries of ready lists that one script call may pass over.
const SCAN_MAX: u64 = 1_000_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How often a call is repeated because workers came or went.
const TRIES_MAX: usize = 16;

/// A job as the script has found it.
#[derive(Debug, Default)]
struct Found {
    has_record: bool,
    places: Vec<String>,
    beside: Vec<String>,
}

/// Looks again at every suspect; reports, and repairs if asked to.
pub(super) async fn check(audit: &mut Audit<'_>, look: &FirstLook) -> Result<(), EngineError> {
    let mut deep: BTreeSet<JobId> = look.twice.clone();
    for chunk in look.suspects().chunks(LOOK_MAX) {
        // Most have only moved on between two pages. This is cheap, the search in the ready lists
        // is not.
        for (id, found) in chunk.iter().zip(ask_script(audit, b"look", chunk).await?) {
            if !found.has_record || found.places.len() != 1 || found.has_idle_cancel() {
                deep.insert(*id);
            }
        }
    }
    let deep: Vec<_> = deep.into_iter().collect();
    let chunk_len = chunk_len(audit).await?;
    let mut rest = &deep[..];
    while !rest.is_empty() && audit.room() > 0 {
        // No more than the report has room for: what is mended must be in it.
        let (chunk, after) = rest.split_at(rest.len().min(chunk_len).min(audit.room()));
        rest = after;
        let depth: &[u8] = if audit.repair { b"mend" } else { b"deep" };
        for (id, found) in chunk.iter().zip(ask_script(audit, depth, chunk).await?) {
            if let Some((kind, detail)) = found.verdict() {
                audit.add(kind, &id.to_text(), detail);
            }
        }
    }
    Ok(())
}

impl Found {
    fn read(words: impl Iterator<Item = String>) -> Self {
        let mut found = Self::default();
        for word in words {
            match word.as_str() {
                "record" => found.has_record = true,
                "history" | "level" | "cancel" => found.beside.push(word),
                _ => found.places.push(word),
            }
        }
        found
    }

    /// Whether somebody asks to cancel it although it has ended.
    fn has_idle_cancel(&self) -> bool {
        let ended = ["dead", "done", "cancelled"];
        let is_asked = self.beside.iter().any(|word| word == "cancel");
        is_asked && self.places.first().is_some_and(|place| ended.contains(&place.as_str()))
    }

    fn verdict(&self) -> Option<(FindingKind, String)> {
        let places = self.places.join(" and ");
        match (self.has_record, self.places.len()) {
            (true, 0) => Some((FindingKind::Nowhere, "the job is in no state".to_owned())),
            (true, 1) if self.has_idle_cancel() => {
                Some((FindingKind::Orphan, format!("a request to cancel a job that is {places}")))
            }
            (true, 1) => None,
            (true, _) => Some((FindingKind::Twice, format!("the job is {places}"))),
            (false, 0) if self.beside.is_empty() => None,
            (false, 0) => {
                let detail = format!("{} of a job that does not exist", self.beside.join(", "));
                Some((FindingKind::Orphan, detail))
            }
            (false, _) => Some((FindingKind::NoRecord, format!("{places}, but has no record"))),
        }
    }
}

async fn ask_script(
    audit: &Audit<'_>,
    depth: &[u8],
    ids: &[JobId],
) -> Result<Vec<Found>, EngineError> {
    let (engine, queue) = (audit.engine, audit.queue);
    let homes = homes(audit, ids).await?;
    for _ in 0..TRIES_MAX {
        let workers = registered(engine, queue).await?;
        let args = ids.iter().zip(&homes).flat_map(|(id, (home, score))| {
            let score = score.to_string().into_bytes();
            [id.to_text().to_vec(), home.as_bytes().to_vec(), score]
        });
        let rest = (ids.len(), args);
        let call = call(engine, queue, &script::AUDIT, depth, &workers, rest).await?;
        if let Some(replies) = call {
            return Ok(replies.map(|words| Found::read(list(words).map(text))).collect());
        }
    }
    Err(unsettled(queue))
}

/// Where jobs belong that are nowhere, by what their histories say, and with which score there.
/// Histories of jobs that are nowhere do not change.
async fn homes(audit: &Audit<'_>, ids: &[JobId]) -> Result<Vec<(&'static str, u64)>, EngineError> {
    if !audit.repair {
        return Ok(vec![("ready", 0); ids.len()]);
    }
    let texts: Vec<_> = ids.iter().map(JobId::to_text).collect();
    let key = audit.engine.keys.queue(audit.queue).history();
    let histories = list(audit.one(variadic_command("HMGET", &key, &texts)).await?);
    Ok(histories.map(|history| home(&bytes(history).unwrap_or_default())).collect())
}

fn home(history: &[u8]) -> (&'static str, u64) {
    let past = History::decode(history);
    match (past.death, past.ended_ms) {
        (Some(death), _) => ("dead", death.at_ms),
        // How long it was to be kept is not known.
        (None, Some(ended_ms)) => ("done", ended_ms.saturating_add(DAY_MS)),
        (None, None) => ("ready", 0),
    }
}

/// How many suspects one script call may search the ready lists for.
async fn chunk_len(audit: &Audit<'_>) -> Result<usize, EngineError> {
    let keys = audit.engine.keys.queue(audit.queue);
    let mut request = Request::new();
    for level in 0..3 {
        request.cmd(command("LLEN", &keys.ready(level)));
    }
    let lengths: Vec<u64> = ask(audit.engine, &request).await?.filter_map(number).collect();
    let entries = total(&lengths);
    Ok(usize::try_from(SCAN_MAX / entries.max(1)).unwrap_or(1).clamp(1, LOOK_MAX))
}
