//! Not before its time, and not more often than the rules allow.

use crate::recorder::{Destination, TIMES_TAKEN};

use super::life::Life;
use super::links::Link;
use super::report::Report;
use super::verdict::Check;
use super::world::World;

pub(super) fn check(life: &Life<'_>, links: &[Link<'_>], world: &World<'_>, report: &mut Report) {
    due(life, world, report);
    delayed(life, world, report);
    executions(life, links, world, report);
    poison(life, world, report);
}

fn due(life: &Life<'_>, world: &World<'_>, report: &mut Report) {
    for (at, grant) in life.grants.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| &life.grants[before]);
        let last = before.and_then(|held| held.outcome).filter(|end| {
            // What was in doubt has surely had its effect if the next claim came without a sweep.
            !end.mixed && (end.sure.is_known() || !grant.reaped)
        });
        let again = last.filter(|end| end.to == Destination::Again).and_then(|end| end.due_ms);
        let first = life.sent.and_then(|sent| sent.due_ms);
        let undone = before.is_some_and(|held| world.is_grant_undone(held, grant.at));
        // An order to run it now holds for the time that it waited for then.
        let hurried = |since| life.acted(since, grant.at, &["run_now", "retry", "import"]);
        let since = before.map_or(0, |held| held.at);
        let first = first.filter(|_| !hurried(0));
        let again = again.filter(|_| !hurried(since) && !undone);
        let Some(due_ms) = first.max(again) else { continue };
        if world.is_taken(TIMES_TAKEN, life.sent.map_or(0, |sent| sent.at), grant.at) {
            continue;
        }
        let now_ms = world.time_at(grant);
        if now_ms < due_ms {
            report.add(Check::Due, Some(life.id), grant.at, || {
                let early = due_ms - now_ms;
                format!("{} was granted {early} ms before it was due ({due_ms})", grant.claim)
            });
        }
    }
}

/// A delay begins when the store has the job, which is after it was sent, so the first claim is not
/// answered before that much time has passed. The store's clock may be ahead of ours, not faster.
fn delayed(life: &Life<'_>, world: &World<'_>, report: &mut Report) {
    let Some((sent, first)) = life.sent.zip(life.grants.first()) else { return };
    let Some(delay_ms) = sent.delay_ms.filter(|_| !world.rules.clock_steps) else { return };
    let taken = world.is_taken(TIMES_TAKEN, sent.at, first.at);
    if taken || life.acted(0, first.at, &["run_now", "retry", "import"]) {
        return;
    }
    let passed_ms = first.at.saturating_sub(sent.at) / 1_000_000;
    // Clocks that are adjusted while they run may differ by a thousandth. Whole ms are compared,
    // by the store as well.
    if passed_ms + 1 + delay_ms / 1_000 < delay_ms {
        report.add(Check::Due, Some(life.id), first.at, || {
            let claim = first.claim;
            format!("{claim} was granted {passed_ms} ms after it was sent, delayed by {delay_ms}")
        });
    }
}

/// Attempts that count, and interruptions: neither what was handed back nor what was put off.
fn executions(life: &Life<'_>, links: &[Link<'_>], world: &World<'_>, report: &mut Report) {
    let Some(max_attempts) = world.rules.max_attempts else { return };
    let starts = life.grants.iter().filter(|grant| grant.started.is_some());
    let free = life.grants.iter().zip(links).filter(|(grant, link)| {
        grant.started.is_some()
            && matches!(link, Link::PutOff | Link::HandedBack | Link::RolledBack)
    });
    let counted = starts.count() - free.count();
    let lives = 1 + life.revivals().count();
    let per_life = max_attempts as usize + world.rules.poison_limit.unwrap_or(0) as usize;
    if counted > per_life * lives {
        let at = life.grants.last().map_or(0, |grant| grant.at);
        report.add(Check::Executions, Some(life.id), at, || {
            format!("executed {counted} times, {} are allowed", per_life * lives)
        });
    }
}

fn poison(life: &Life<'_>, world: &World<'_>, report: &mut Report) {
    let Some(limit) = world.rules.poison_limit else { return };
    // Who takes such a job back from the dead letters wants it to run.
    if life.revivals().next().is_some() {
        return;
    }
    let poisonous = |interruptions| interruptions >= limit;
    for grant in life.grants.iter().filter(|grant| poisonous(grant.interruptions)) {
        if !grant.reaped {
            report.add(Check::Executions, Some(life.id), grant.at, || {
                format!("{} was granted after {} interruptions", grant.claim, grant.interruptions)
            });
        }
    }
}
