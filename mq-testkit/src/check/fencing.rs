//! What a superseded claim says changes nothing.

use mq_core::JobId;

use crate::recorder::{Destination, PASTS_TAKEN};

use super::life::{Grant, Life, Sure};
use super::links::Link;
use super::report::Report;
use super::verdict::Check;
use super::world::World;

/// How many interruptions a history keeps the times of.
const INTERRUPTIONS_KEPT: u32 = 16;

pub(super) fn check(life: &Life<'_>, links: &[Link<'_>], world: &World<'_>, report: &mut Report) {
    superseded(life, world, report);
    let imported = life.acts.iter().any(|act| act.verb == "import");
    for (pair, link) in life.grants.windows(2).zip(links) {
        let (held, next) = (&pair[0], &pair[1]);
        if *link == Link::Unreleased {
            report.add(Check::Fencing, Some(life.id), next.at, || match held.outcome {
                Some(end) if end.is_sure_end() => format!(
                    "{} was granted although the end by {} had been accepted",
                    next.claim, held.claim
                ),
                _ => format!("{} was granted while {} held the job", next.claim, held.claim),
            });
        } else if !imported && !world.is_grant_undone(held, next.at) && in_time(life, held, next) {
            if world.is_taken(PASTS_TAKEN, held.at, next.at) {
                continue;
            }
            attempts(life.id, held, next, report);
            // Who takes a job back, or runs it early by `retry`, forgives its interruptions.
            if !life.acted(held.at, next.at, &["retry"]) {
                interruptions(life.id, held, next, report);
            }
        }
    }
}

/// Whether both claims were answered in their order, and before those that came later. A large
/// claim brings the pasts of its jobs by a second request, so an answer that was held up may tell
/// what has happened since it was given.
fn in_time(life: &Life<'_>, held: &Grant<'_>, next: &Grant<'_>) -> bool {
    let mut later = life.grants.iter().skip_while(|grant| grant.claim != next.claim).skip(1);
    held.at <= next.at && later.all(|later| next.at <= later.at)
}

/// A finish that was sent when a later claim was known already, and was applied all the same.
fn superseded(life: &Life<'_>, world: &World<'_>, report: &mut Report) {
    for (at, grant) in life.grants.iter().enumerate() {
        let Some(outcome) = grant.outcome.filter(|end| end.sure == Sure::Applied) else { continue };
        let later = life.grants[at + 1..].iter().find(|later| later.at < outcome.sent);
        if let Some(later) = later.filter(|later| !world.is_grant_undone(later, outcome.by)) {
            report.add(Check::Fencing, Some(life.id), outcome.by, || {
                let (old, new) = (grant.claim, later.claim);
                format!("the end by {old} was accepted, sent after {new} had been granted the job")
            });
            continue;
        }
        // From the sweep that finds its worker gone a claim counts for nothing, also before the
        // job is in other hands.
        let reaped = world.reaped_at(grant).filter(|reaped| *reaped < outcome.sent);
        if reaped.is_some_and(|reaped| !world.is_undone(reaped, reaped, outcome.by)) {
            report.add(Check::Fencing, Some(life.id), outcome.by, || {
                format!("the end by {} was accepted, sent after its worker was fenced", grant.claim)
            });
        }
    }
}

/// The store's counters say whether what was accepted came before the next claim.
fn attempts(id: JobId, held: &Grant<'_>, next: &Grant<'_>, report: &mut Report) {
    let (least, most) = match held.outcome {
        None => (0, 0),
        Some(end) if end.to.is_end() || end.mixed => (0, 1),
        // What was in doubt has surely had its effect if the next claim came without a sweep.
        Some(end) if end.sure.is_known() || !next.reaped => {
            (u32::from(end.failed), u32::from(end.failed))
        }
        Some(end) => (0, u32::from(end.failed)),
    };
    let grown = next.attempts.checked_sub(held.attempts);
    if !grown.is_some_and(|grown| (least..=most).contains(&grown)) {
        report.add(Check::Fencing, Some(id), next.at, || {
            let (old, new, before, after) = (held.claim, next.claim, held.attempts, next.attempts);
            format!(
                "{new} was granted with {after} attempts, {old} with {before}: between them \
                 {least} to {most} ended"
            )
        });
    }
}

/// The same for the takeovers that it has counted.
fn interruptions(id: JobId, held: &Grant<'_>, next: &Grant<'_>, report: &mut Report) {
    let interrupted = |to| matches!(to, Destination::Again | Destination::Dead);
    let (least, most) = match held.outcome {
        Some(end) if held.reaped && interrupted(end.to) => {
            let is_counted = end.sure.is_known() && held.interruptions < INTERRUPTIONS_KEPT;
            (u32::from(is_counted), 1)
        }
        _ => (0, 0),
    };
    let grown = next.interruptions.checked_sub(held.interruptions);
    if !grown.is_some_and(|grown| (least..=most).contains(&grown)) {
        report.add(Check::Fencing, Some(id), next.at, || {
            let (before, after) = (held.interruptions, next.interruptions);
            format!(
                "{} was granted with {after} interruptions, {} with {before}: between them \
                 {least} to {most} were accepted",
                next.claim, held.claim
            )
        });
    }
}
