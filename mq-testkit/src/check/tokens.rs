//! No token is granted twice, and a job ends once.

use std::collections::HashMap;

use mq_core::JobId;

use crate::recorder::Answer;

use super::life::{Life, Sure, Tell};
use super::links::take;
use super::report::Report;
use super::verdict::Check;
use super::world::World;

/// Which process had each token first, and for which job. One claim may bring many jobs, but to one
/// process.
#[derive(Default)]
pub(super) struct Holders<'a>(HashMap<(&'a str, &'a str), (u32, JobId)>);

impl<'a> Holders<'a> {
    pub(super) fn add(&mut self, life: &Life<'a>, report: &mut Report) {
        for grant in &life.grants {
            let holder = (grant.process, life.id);
            let token = (grant.queue.as_str(), grant.claim);
            let (process, job) = *self.0.entry(token).or_insert(holder);
            if process != grant.process {
                report.add(Check::Token, Some(life.id), grant.at, || {
                    let (claim, other) = (grant.claim, grant.process);
                    format!("{claim} was granted to process {other}, and {job} to {process}")
                });
            }
        }
    }
}

pub(super) fn check(life: &Life<'_>, world: &World<'_>, report: &mut Report) {
    for repeat in &life.repeats {
        let claim = repeat.claim;
        if repeat.other_process {
            report.add(Check::Token, Some(life.id), repeat.at, || {
                format!("{claim} was granted to two processes")
            });
        } else if life.grants.iter().any(|other| {
            (repeat.since + 1..repeat.at).contains(&other.at)
                && !world.is_undone(other.at, other.at, repeat.at)
        }) {
            report.add(Check::Token, Some(life.id), repeat.at, || {
                format!("{claim} was granted again after another claim had the job")
            });
        }
    }
    for grant in &life.grants {
        let applied = |tell: &&Tell| matches!(tell.answer, Some((.., Answer::Applied)));
        let accepted: Vec<_> = grant.tells.iter().filter(applied).collect();
        let by = |tell: &Tell| tell.answer.map_or(u64::MAX, |(at, ..)| at);
        let twice = accepted.windows(2).find(|pair| {
            let (first, again) = (pair[0], pair[1]);
            !world.is_undone(first.sent, by(first), by(again))
        });
        if let Some(pair) = twice {
            report.add(Check::Outcome, Some(life.id), pair[1].sent, || {
                format!("two ends by {} were accepted", grant.claim)
            });
        }
    }
    one_outcome(life, world, report);
}

fn one_outcome(life: &Life<'_>, world: &World<'_>, report: &mut Report) {
    let ends = life.grants.iter().filter_map(|grant| grant.outcome.map(|end| (grant, end)));
    let ends = ends.filter(|(_, end)| end.sure == Sure::Applied && end.to.is_end());
    let ends: Vec<_> = ends.collect();
    let mut revivals: Vec<_> = life.revivals().copied().collect();
    for pair in ends.windows(2) {
        let ((first, end), (second, again)) = (&pair[0], &pair[1]);
        // Of two that overlap either may have been the first.
        let (from, to) = (end.sent.min(again.sent), end.by.max(again.by));
        if !take(&mut revivals, from, to) && !world.is_undone(end.sent, end.by, again.by) {
            report.add(Check::Outcome, Some(life.id), again.by, || {
                format!("the ends by {} and by {} were accepted", first.claim, second.claim)
            });
        }
    }
}
