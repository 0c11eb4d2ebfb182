//! One job per idempotency key, and answers that name the job that has it.

use std::collections::HashMap;

use mq_core::engine::Durability;
use mq_core::{JobId, QueueName};

use crate::recorder::{Entry, Event};

use super::index::Index;
use super::life::Life;
use super::places::Found;
use super::report::Report;
use super::verdict::Check;
use super::world::World;

/// For how long a key holds after its job's end, in ns.
const KEY_HOLDS: u64 = 24 * 60 * 60 * 1_000_000_000;

/// Jobs that acknowledgements of others have named in their place: to name a job is to say that it
/// is stored, which matters if nobody else ever said so.
pub(super) struct Named(HashMap<JobId, (u64, Durability)>);

impl Named {
    pub(super) fn of(index: &Index<'_>, report: &mut Report) -> Self {
        let mut named = HashMap::new();
        for entry in index.all() {
            let Event::Acked { id, level, instead: Some(other) } = &entry.event else { continue };
            named.entry(*other).or_insert((entry.at_ns, *level));
            if let Some(why) = mismatch(index, entry, *id, *other) {
                report.add(Check::Key, Some(*id), entry.at_ns, || {
                    format!("answered with {other} in its place, {why}")
                });
            }
        }
        Self(named)
    }

    /// When a job was first named, and what it survived then.
    pub(super) fn first(&self, id: JobId) -> Option<(u64, Durability)> {
        self.0.get(&id).copied()
    }
}

/// Why the one cannot have been there in place of the other.
fn mismatch(index: &Index<'_>, ack: &Entry, id: JobId, other: JobId) -> Option<&'static str> {
    let (key, queue) = sendings(index, id).next().map(|(_, key, queue)| (key, queue))?;
    let before = || sendings(index, other).filter(|(at, ..)| *at <= ack.at_ns);
    if before().next().is_none() {
        Some("which nobody had sent")
    } else if key.is_none() || !before().any(|(_, others, _)| others == key) {
        Some("which was not sent under its key")
    } else if !before().any(|(.., others)| others == queue) && !is_moved(index, other) {
        Some("which is in another queue")
    } else {
        None
    }
}

fn sendings<'a>(
    index: &Index<'a>,
    id: JobId,
) -> impl Iterator<Item = (u64, Option<&'a str>, &'a QueueName)> {
    let events = index.number(id).into_iter().flat_map(|job| index.events(job));
    events.filter_map(|(_, entry)| match &entry.event {
        Event::Sent { key, queue, .. } => Some((entry.at_ns, key.as_deref(), queue)),
        _ => None,
    })
}

/// Whether an operator may have taken it to another queue, with its key.
fn is_moved(index: &Index<'_>, id: JobId) -> bool {
    let mut events = index.number(id).into_iter().flat_map(|job| index.events(job));
    events.any(|(_, entry)| match &entry.event {
        Event::Operating { verb, .. } | Event::Operated { verb, .. } => {
            matches!(verb.as_str(), "transfer" | "import")
        }
        _ => false,
    })
}

/// Jobs by queue and idempotency key.
#[derive(Default)]
pub(super) struct Keys<'a>(HashMap<(&'a str, &'a str), Vec<Holder>>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Holder {
    sent: u64,
    /// When it was last heard of.
    last: u64,
    job: JobId,
}

impl<'a> Keys<'a> {
    /// Remembers a job that the store surely had under a key.
    pub(super) fn add(&mut self, life: &Life<'a>, place: Found<'_>) {
        let Some(sent) = life.sent else { return };
        let Some(key) = sent.key else { return };
        if life.acked.is_some() || !life.grants.is_empty() || place.count > 0 {
            let ends = life.grants.iter().filter_map(|grant| grant.outcome).map(|end| end.sent);
            let last = ends.max().unwrap_or(sent.at);
            let jobs = self.0.entry((sent.queue.as_str(), key)).or_default();
            jobs.push(Holder { sent: sent.at, last, job: life.id });
        }
    }

    pub(super) fn check(self, world: &World<'_>, report: &mut Report) {
        let mut shared: Vec<_> = self.0.into_iter().filter(|(_, jobs)| jobs.len() > 1).collect();
        shared.sort_unstable_by_key(|(key, _)| *key);
        for ((_, key), mut jobs) in shared {
            jobs.sort_unstable();
            for pair in jobs.windows(2) {
                let (first, second) = (&pair[0], &pair[1]);
                let holds = second.sent <= first.last.saturating_add(KEY_HOLDS);
                if holds && !world.is_undone(first.sent, first.last, u64::MAX) {
                    report.add(Check::Key, Some(second.job), second.sent, || {
                        format!("stored under the key `{key}`, which {} holds", first.job)
                    });
                }
            }
        }
    }
}
