//! How many handlers ran at a time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use mq_core::JobId;

use super::life::Life;
use super::report::Report;
use super::rules::Rules;
use super::verdict::Check;
use super::world::World;

/// All executions, each up to where it stopped to count: its handler ended, its worker had done
/// with it or was fenced or dead, or a later claim had the job.
#[derive(Default)]
pub(super) struct Executions(Vec<Execution>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Execution {
    process: u32,
    from: u64,
    to: u64,
    job: JobId,
}

impl Executions {
    pub(super) fn add(&mut self, life: &Life<'_>, world: &World<'_>) {
        for (at, grant) in life.grants.iter().enumerate() {
            let Some(from) = grant.started else { continue };
            let next = life.grants.get(at + 1).map(|next| next.at);
            // Whoever starts a handler for a claim that is over runs it all the same.
            let told = grant.tells.first().map(|tell| tell.sent).filter(|told| *told >= from);
            let known = [grant.ended, told, next].into_iter().flatten().min();
            let gone = world.fenced_at(grant).min(world.last_of(grant.process, grant.at));
            let to = known.unwrap_or(u64::MAX).min(gone).max(from);
            self.0.push(Execution { process: grant.process, from, to, job: life.id });
        }
    }

    pub(super) fn check(mut self, rules: &Rules, report: &mut Report) {
        if let Some(limit) = rules.concurrency {
            self.0.sort_unstable();
            for of_process in self.0.chunk_by(|one, next| one.process == next.process) {
                sweep(of_process, limit, Check::Limit, report);
            }
        }
        if rules.order {
            self.0.sort_unstable_by_key(|execution| execution.from);
            sweep(&self.0, 1, Check::Order, report);
        }
    }
}

/// Goes through executions by their beginnings, with those that have not ended yet at hand.
fn sweep(executions: &[Execution], limit: usize, check: Check, report: &mut Report) {
    let mut running = BinaryHeap::new();
    for execution in executions {
        while running.peek().is_some_and(|Reverse(end)| *end <= execution.from) {
            running.pop();
        }
        running.push(Reverse(execution.to));
        if running.len() > limit {
            report.add(check, Some(execution.job), execution.from, || {
                let (count, process) = (running.len(), execution.process);
                format!("the execution number {count} at a time, in process {process}, of {limit}")
            });
        }
    }
}
