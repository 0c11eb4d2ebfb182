//! How soon the jobs of workers that were gone were in good hands again.

use std::collections::HashMap;

use mq_core::{JobId, State};

use super::life::{Life, Sent};
use super::links::Link;
use super::places::Found;
use super::report::Report;
use super::verdict::{Check, Times};
use super::world::World;

/// Each takeover, and what came of it.
#[derive(Default)]
pub(super) struct Recovered<'a> {
    /// For how long it could be noticed that the worker was gone, in ns; when; and which job.
    takeovers: Vec<(u64, u64, JobId)>,
    /// The same, and the time to the next claim that was not a sweep's.
    reclaims: Vec<u64>,
    /// Jobs that nobody has taken over by the end, and for how long somebody could have.
    left: Vec<(u64, JobId)>,
    lists: HashMap<(&'a str, u8), List>,
}

/// Jobs of one ready list that nothing but their turn kept from running.
#[derive(Default)]
struct List {
    /// Still there: when each was acknowledged.
    waiting: Vec<(u64, JobId)>,
    /// When each was sent, and claimed.
    claimed: Vec<(u64, u64)>,
}

impl<'a> Recovered<'a> {
    pub(super) fn add(
        &mut self,
        life: &Life<'a>,
        links: &[Link<'_>],
        place: Found<'_>,
        world: &World<'_>,
    ) {
        if world.rules.recovery.is_some() {
            self.add_open(life, place, world);
        }
        for (at, link) in links.iter().enumerate() {
            let Link::TakenOver(Some(why)) = link else { continue };
            let (held, taken) = (&life.grants[at], &life.grants[at + 1]);
            // A claim that came after its process was hit is gone since it came.
            let lease = world.lease(world.worker(held.claim));
            let took = world.noticeable(why.since.max(held.at), taken.at, lease);
            self.takeovers.push((took, taken.at, life.id));
            if let Some(next) = life.grants[at + 2..].iter().find(|next| !next.reaped) {
                self.reclaims.push(took + next.at.saturating_sub(taken.at));
            }
        }
    }

    /// What waits or runs at the end, or was in a list with something that waits.
    fn add_open(&mut self, life: &Life<'a>, place: Found<'_>, world: &World<'_>) {
        let state = place.place.map(|place| place.state);
        let last = life.grants.last().filter(|last| last.outcome.is_none());
        if let (Some(State::Running), Some(held), []) = (state, last, life.acts.as_slice()) {
            let lease = world.lease(world.worker(held.claim));
            let took = world.noticeable(world.out_since(held), world.end, lease);
            self.left.push((took, life.id));
        }
        let plain = life.acts.is_empty() && life.sendings == 1 && world.rollbacks.is_empty();
        let (Some(Sent { at, queue, priority, due_ms: None, .. }), true) = (life.sent, plain)
        else {
            return;
        };
        let list = self.lists.entry((queue.as_str(), priority.level())).or_default();
        match (life.acked, life.grants.first()) {
            (_, Some(first)) if !first.reaped => list.claimed.push((at, first.at)),
            (Some((acked, _)), None) if state == Some(State::Ready) => {
                list.waiting.push((acked, life.id));
            }
            _ => {}
        }
    }

    /// Notes jobs that wait although others are claimed that were sent after they had been
    /// acknowledged.
    fn passed(&mut self, world: &World<'_>) {
        for list in self.lists.values_mut() {
            list.claimed.sort_unstable();
            let mut latest = 0;
            for (_, claimed) in list.claimed.iter_mut().rev() {
                latest = latest.max(*claimed);
                *claimed = latest;
            }
            for &(acked, id) in &list.waiting {
                let after = list.claimed.partition_point(|(sent, _)| *sent <= acked);
                let Some((_, claimed)) = list.claimed.get(after) else { continue };
                self.left.push((world.noticeable(acked, *claimed, world.lease(None)), id));
            }
        }
    }

    pub(super) fn check(mut self, world: &World<'_>, report: &mut Report) {
        self.passed(world);
        let rules = world.rules;
        if let Some(bound) = rules.recovery {
            let late = self.takeovers.iter();
            for (took, at, id) in late.filter(|(took, ..)| u128::from(*took) > bound.as_nanos()) {
                report.add(Check::Recovery, Some(*id), *at, || {
                    let took = *took as f64 / 1e9;
                    format!("taken over {took:.3} s after its worker was gone, not in {bound:?}")
                });
            }
        }
        if let Some(bound) = rules.recovery {
            self.left.sort_unstable_by_key(|(_, id)| *id);
            let late = self.left.iter();
            for (took, id) in late.filter(|(took, _)| u128::from(*took) > bound.as_nanos()) {
                report.add(Check::Recovery, Some(*id), 0, || {
                    let took = *took as f64 / 1e9;
                    format!("nobody has taken it in {took:.3} s, not only in {bound:?}")
                });
            }
        }
        let mut took: Vec<u64> = self.takeovers.iter().map(|(took, ..)| *took).collect();
        report.counts.takeovers = took.len() as u64;
        report.counts.recovery = Times::of(&mut took);
        report.counts.reclaim = Times::of(&mut self.reclaims);
    }
}
