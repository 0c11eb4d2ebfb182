//! How soon the jobs of workers that were gone were in good hands again.

use mq_core::JobId;

use super::life::Life;
use super::links::Link;
use super::report::Report;
use super::rules::Rules;
use super::verdict::{Check, Times};
use super::world::World;

/// Each takeover, and what came of it.
#[derive(Default)]
pub(super) struct Recovered {
    /// For how long it could be noticed that the worker was gone, in ns; when; and which job.
    takeovers: Vec<(u64, u64, JobId)>,
    /// The same, and the time to the next claim that was not a sweep's.
    reclaims: Vec<u64>,
}

impl Recovered {
    pub(super) fn add(&mut self, life: &Life<'_>, links: &[Link<'_>], world: &World<'_>) {
        for (at, link) in links.iter().enumerate() {
            let Link::TakenOver(Some(why)) = link else { continue };
            let (held, taken) = (&life.grants[at], &life.grants[at + 1]);
            // A claim that came after its process was hit is gone since it came.
            let took = world.noticeable(why.since.max(held.at), held, taken);
            self.takeovers.push((took, taken.at, life.id));
            if let Some(next) = life.grants[at + 2..].iter().find(|next| !next.reaped) {
                self.reclaims.push(took + next.at.saturating_sub(taken.at));
            }
        }
    }

    pub(super) fn check(mut self, rules: &Rules, report: &mut Report) {
        if let Some(bound) = rules.recovery {
            let late = self.takeovers.iter();
            for (took, at, id) in late.filter(|(took, ..)| u128::from(*took) > bound.as_nanos()) {
                report.add(Check::Recovery, Some(*id), *at, || {
                    let took = *took as f64 / 1e9;
                    format!("taken over {took:.3} s after its worker was gone, not in {bound:?}")
                });
            }
        }
        let mut took: Vec<u64> = self.takeovers.iter().map(|(took, ..)| *took).collect();
        report.counts.takeovers = took.len() as u64;
        report.counts.recovery = Times::of(&mut took);
        report.counts.reclaim = Times::of(&mut self.reclaims);
    }
}
