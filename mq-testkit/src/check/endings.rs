//! A claim ends as its handler did, and starts no handler when it is over.

use crate::recorder::{Answer, Destination};

use super::life::{Grant, Life, Tell};
use super::report::Report;
use super::verdict::Check;
use super::world::World;

/// A handler that does not obey when its time is up is given up this much later by workers that
/// are not told otherwise. Whatever it returns does not count from then on.
const GIVEN_UP_NS: u64 = 5_000_000_000;

pub(super) fn check(life: &Life<'_>, world: &World<'_>, report: &mut Report) {
    for grant in &life.grants {
        late_start(life, grant, world, report);
        if world.rules.layers {
            continue;
        }
        if let Some(tell) = grant.tells.iter().find(|tell| is_other(grant, tell, world)) {
            report.add(Check::Outcome, Some(life.id), tell.sent, || {
                let ended = if grant.ok { "succeeded" } else { "did not succeed" };
                let (claim, to, failed) = (grant.claim, tell.to, tell.failed);
                let failed = if failed { " as a failure" } else { "" };
                format!(
                    "the handler under {claim} {ended}, and the job was to go to {to:?}{failed} \
                     (if a layer may do that, say so by `Rules::layers`)"
                )
            });
        }
    }
}

/// Whether a claim was ended otherwise than its handler. A job that was handed back or cancelled
/// may have been taken from a handler that had ended just then, and between its success and the end
/// of its task a fault may have made that panic or late.
fn is_other(grant: &Grant<'_>, tell: &Tell, world: &World<'_>) -> bool {
    let (Some(started), Some(ended)) = (grant.started, grant.ended) else { return false };
    if ended > tell.sent {
        return false;
    }
    match tell.to {
        Destination::Done => !grant.ok,
        Destination::Again | Destination::Dead => {
            let is_given_up = tell.sent >= started.saturating_add(GIVEN_UP_NS);
            grant.ok && !is_given_up && !world.is_hit(grant.process, ended, tell.sent)
        }
        Destination::HandedBack | Destination::Cancelled => false,
    }
}

/// A start is a zombie's if its worker could not know better. If it could, it is a mistake.
fn late_start(life: &Life<'_>, grant: &Grant<'_>, world: &World<'_>, report: &mut Report) {
    let Some(started) = grant.started else { return };
    let applied = |tell: &Tell| match tell.answer {
        // An end that was undone has the claim run again.
        Some((at, _, Answer::Applied)) if !world.is_undone(tell.sent, at, started) => Some(at),
        _ => None,
    };
    let over = grant.tells.iter().find_map(applied);
    if over.is_some_and(|over| over < started) {
        report.add(Check::Rerun, Some(life.id), started, || {
            format!("started under {} after the end of that claim was accepted", grant.claim)
        });
    } else if world.knew_at(grant, started).is_some() {
        report.add(Check::Rerun, Some(life.id), started, || {
            format!("started under {} long after its worker knew that it was lost", grant.claim)
        });
    }
}
