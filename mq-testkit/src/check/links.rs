//! How each claim on a job came after the one before.

use crate::recorder::Destination;

use super::gone::Why;
use super::life::{Act, Life, Outcome};
use super::world::World;

/// Why a job could be granted again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link<'a> {
    /// The attempt failed, and the job was to run again.
    Failed,
    /// It was put off without a failure: snoozed, or of a kind that the worker does not know.
    PutOff,
    /// Its worker gave it back.
    HandedBack,
    /// A sweep had found its worker gone; and why that may be.
    TakenOver(Option<Why<'a>>),
    /// An operator took it back from its end.
    Operator,
    /// The store went back to before the former claim or its end.
    RolledBack,
    /// Nothing let it go.
    Unreleased,
}

/// Per claim of the job but the first.
pub(super) fn of<'a>(life: &Life<'a>, world: &World<'a>) -> Vec<Link<'a>> {
    let mut revivals: Vec<Act<'_>> = life.revivals().copied().collect();
    let links = life.grants.windows(2).map(|pair| {
        let (held, next) = (&pair[0], &pair[1]);
        let undone = world.is_grant_undone(held, next.at);
        match held.outcome {
            Some(outcome) if outcome.is_sure_end() => {
                match take(&mut revivals, outcome.sent, next.at) {
                    true => Link::Operator,
                    false if undone => Link::RolledBack,
                    false => Link::Unreleased,
                }
            }
            Some(outcome) if outcome.sure.is_known() => released(&outcome),
            // What was in doubt may have released it to somebody whose answer was lost.
            Some(outcome) if next.reaped => match world.why(held, next) {
                None if may_release(&outcome) => released(&outcome),
                why => Link::TakenOver(why),
            },
            None if next.reaped => Link::TakenOver(world.why(held, next)),
            Some(outcome) if may_release(&outcome) => {
                in_doubt(&outcome, next.attempts > held.attempts)
            }
            Some(outcome) if take(&mut revivals, outcome.sent, next.at) => Link::Operator,
            _ if undone => Link::RolledBack,
            _ => Link::Unreleased,
        }
    });
    links.collect()
}

/// Uses up one of the orders that may have had their effect between these.
pub(super) fn take(revivals: &mut Vec<Act<'_>>, from: u64, to: u64) -> bool {
    let found = revivals.iter().position(|act| act.by >= from && act.from <= to);
    found.map(|at| revivals.remove(at)).is_some()
}

fn may_release(outcome: &Outcome) -> bool {
    outcome.mixed || !outcome.to.is_end()
}

fn released(outcome: &Outcome) -> Link<'static> {
    match outcome.to {
        Destination::HandedBack => Link::HandedBack,
        _ if outcome.failed => Link::Failed,
        _ => Link::PutOff,
    }
}

/// The store's own count says whether what nobody was told of was a failure.
fn in_doubt(outcome: &Outcome, counted: bool) -> Link<'static> {
    match outcome.to {
        _ if counted => Link::Failed,
        Destination::HandedBack => Link::HandedBack,
        _ => Link::PutOff,
    }
}
