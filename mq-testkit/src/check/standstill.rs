//! Times in which a frozen process kept the store from everybody.
//!
//! Who is frozen in the middle of a transaction on a file has its lock, and nobody else is heard
//! until it is thawed or killed. The history does not say what a process was at when it was frozen,
//! but it says that the store has answered nobody.

use super::world::Fault;
use crate::recorder::{Answer, Did, Entry, Event, FREEZE};

/// Whether this shows that the store was there for somebody.
pub(super) fn is_answer(entry: &Entry) -> bool {
    match &entry.event {
        Event::Acked { .. }
        | Event::Refused { .. }
        | Event::Joined { .. }
        | Event::Extended { .. }
        | Event::Claimed { .. }
        | Event::Reaped { .. } => true,
        Event::Finished { answer, .. } => *answer != Answer::InDoubt,
        Event::Operated { did, .. } => *did != Did::InDoubt,
        _ => false,
    }
}

/// The parts of freezes in which the store has answered nobody for at least half a lease, in which
/// each worker that lives would have been heard. `answers` come by their times.
pub(super) fn standstills<'a>(
    faults: &[Fault<'a>],
    answers: &[u64],
    lease: u64,
    end: u64,
) -> Vec<Fault<'a>> {
    let mut found = Vec::new();
    for fault in faults.iter().filter(|fault| fault.kind == FREEZE) {
        let ended = fault.ended.min(end);
        let mut since = fault.began;
        let first = answers.partition_point(|answer| *answer <= since);
        for answer in answers[first..].iter().copied().chain([ended]) {
            let until = answer.min(ended);
            if until.saturating_sub(since) >= lease / 2 {
                found.push(Fault { began: since, ended: until, kind: fault.kind });
            }
            if answer >= ended {
                break;
            }
            since = answer;
        }
    }
    found
}
