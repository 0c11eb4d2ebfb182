//! First in, first out, where one slot takes all.

use std::collections::BTreeMap;

use mq_core::JobId;

use crate::recorder::Destination;

use super::life::{Life, Sure};
use super::report::Report;
use super::verdict::Check;
use super::world::World;

/// What each ready list saw.
#[derive(Default)]
pub(super) struct Order<'a>(BTreeMap<(&'a str, u8), List>);

#[derive(Default)]
struct List {
    waits: Vec<Wait>,
    steps: Vec<Step>,
}

/// A job's way from its enqueue to its first claim.
struct Wait {
    sent: u64,
    acked: u64,
    claimed: (u64, u32),
    job: JobId,
}

/// A claim, or a job that comes back to the front.
struct Step {
    at: (u64, u32),
    job: JobId,
    is_back: bool,
}

impl<'a> Order<'a> {
    /// Takes a job in, unless operators, times or lost answers had a part in its order.
    pub(super) fn add(&mut self, life: &Life<'a>, world: &World<'_>) {
        let (Some(sent), Some((acked, _)), []) = (life.sent, life.acked, life.acts.as_slice())
        else {
            return;
        };
        let list = self.0.entry((sent.queue.as_str(), sent.priority.level())).or_default();
        let job = life.id;
        for (at, grant) in life.grants.iter().enumerate() {
            list.steps.push(Step { at: (grant.at, grant.entry), job, is_back: false });
            let next = life.grants.get(at + 1);
            // With somebody whose answer was lost, it was claimed before anybody knew.
            let is_seen = next.is_some_and(|next| !next.reaped && next.at > grant.at);
            let back = grant.outcome.filter(|end| {
                end.to == Destination::HandedBack && end.sure == Sure::Applied && is_seen
            });
            if let Some(end) = back.filter(|end| !world.is_undone(end.sent, end.by, u64::MAX)) {
                list.steps.push(Step { at: (end.by, end.entry), job, is_back: true });
            }
        }
        let Some(first) = life.grants.first().filter(|first| !first.reaped) else { return };
        if sent.due_ms.is_none()
            && sent.delay_ms.is_none()
            && life.sendings == 1
            && !world.is_undone(sent.at, first.at, u64::MAX)
        {
            let claimed = (first.at, first.entry);
            list.waits.push(Wait { sent: sent.at, acked, claimed, job });
        }
    }

    pub(super) fn check(self, report: &mut Report) {
        for list in self.0.into_values() {
            in_turn(list.waits, report);
            front_first(list.steps, report);
        }
    }
}

/// No job is claimed before one whose acknowledgement came before it was sent.
fn in_turn(mut waits: Vec<Wait>, report: &mut Report) {
    waits.sort_unstable_by_key(|wait| wait.claimed);
    let mut earliest: Option<(u64, JobId)> = None;
    for wait in waits.iter().rev() {
        if let Some((acked, other)) = earliest.filter(|(acked, _)| *acked < wait.sent) {
            report.add(Check::Order, Some(wait.job), wait.claimed.0, || {
                let before = (wait.sent - acked) as f64 / 1e6;
                format!("claimed before {other}, acknowledged {before:.3} ms before it was sent")
            });
        }
        if earliest.is_none_or(|(acked, _)| wait.acked < acked) {
            earliest = Some((wait.acked, wait.job));
        }
    }
}

/// A job that was handed back is claimed before all others of its list.
fn front_first(mut steps: Vec<Step>, report: &mut Report) {
    steps.sort_unstable_by_key(|step| step.at);
    let mut front: Vec<JobId> = Vec::new();
    for step in steps {
        if step.is_back {
            front.push(step.job);
        } else if let Some(at) = front.iter().position(|job| *job == step.job) {
            front.remove(at);
        } else if let Some(passed) = front.last() {
            report.add(Check::Order, Some(step.job), step.at.0, || {
                format!("claimed before {passed}, which had been handed back")
            });
        }
    }
}
