//! The total queue: what was acknowledged has ended or is there.

use std::collections::HashMap;

use mq_core::JobId;

use crate::recorder::Destination;

use super::life::Life;
use super::links::Link;
use super::places::Found;
use super::report::Report;
use super::verdict::Check;
use super::world::World;

/// Orders after which a job need not be anywhere.
const REMOVALS: [&str; 2] = ["delete", "cancel"];
/// For how long a key holds after its job's end, in ns.
const KEY_HOLDS: u64 = 24 * 60 * 60 * 1_000_000_000;

pub(super) fn check(
    life: &Life<'_>,
    links: &[Link<'_>],
    place: Found<'_>,
    world: &World<'_>,
    report: &mut Report,
) {
    let is_visible = place.count > 0;
    if is_visible || !life.grants.is_empty() {
        report.counts.recovered += u64::from(life.acked.is_none() && life.doubts > 0);
    }
    let Some((at, level)) = life.acked else { return };
    let sent = life.sent.map_or(at, |sent| sent.at);
    if is_visible || has_ended(life, links) {
        return;
    }
    let window = world.rules.loss_window.as_nanos() as u64;
    let allowed = level < world.rules.respects
        && world.undoing(sent, at).any(|back| at.saturating_add(window) >= back.cut);
    if allowed {
        report.counts.lost_within_level += 1;
        return;
    }
    let last = life.grants.last().map_or("never granted to anybody".to_owned(), |grant| {
        format!("last granted as {} and not ended", grant.claim)
    });
    report.add(Check::Lost, Some(life.id), at, || {
        format!("acknowledged ({level}), {last}, and the store does not have it")
    });
}

/// Whether it may have come to an end, or been removed.
fn has_ended(life: &Life<'_>, links: &[Link<'_>]) -> bool {
    let other = |verb: &str| REMOVALS.contains(&verb) || !is_verb(verb);
    if life.acts.iter().any(|act| other(act.verb)) {
        return true;
    }
    // A claim that came after an end says that it was none, or was undone; unless it should not
    // have come, which others find.
    let claimed = life.grants.iter().zip(links);
    let ignored = claimed.filter(|(_, link)| **link == Link::Unreleased);
    if ignored.filter_map(|(grant, _)| grant.outcome).any(|end| end.is_sure_end()) {
        return true;
    }
    let Some(end) = life.grants.last().and_then(|grant| grant.outcome) else { return false };
    // A dead letter does not go away, and one that was taken back waits.
    let revived = life.revivals().any(|act| act.from >= end.by);
    let waits = end.to == Destination::Dead && end.sure.is_known() && revived;
    (end.to.is_end() || end.mixed) && !waits
}

fn is_verb(verb: &str) -> bool {
    matches!(verb, "retry" | "run_now" | "delete" | "cancel" | "discard" | "transfer" | "import")
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
