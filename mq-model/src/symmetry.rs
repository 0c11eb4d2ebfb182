//! States that differ only in names are one: which job is which, which process, how many
//! incarnations there were and how far their numbers have come.
//!
//! The protocol compares names for being the same and numbers for being greater, nothing else, so
//! counting both anew changes nothing that can happen. That makes the number of states finite
//! although workers count on for ever.

use crate::names::Who;
use crate::rules::{Past, Place};
use crate::state::{State, Work};
use crate::store::Job;

/// The state by the names that it has in common with all its likes.
pub fn canonical(mut state: State) -> State {
    forget(&mut state);
    let mut mirrored = state.clone();
    mirror(&mut mirrored);
    let (one, other) = (ordered(state), ordered(mirrored));
    one.min(other)
}

/// Drops what no promise can be measured by any more.
fn forget(state: &mut State) {
    for at in 0..state.work.len() {
        let mut granted = std::mem::take(&mut state.work[at].granted);
        granted.retain(|token| state.can_be_asked(*token));
        state.work[at].granted = granted;
    }
    if state.left.rollbacks == 0 && state.saved.is_none() {
        state.store.jobs.iter_mut().zip(&mut state.work).for_each(|(job, work)| settle(job, work));
    }
    for post in state.processes.iter_mut().flat_map(|process| &mut process.posts) {
        if post.who.is_none() {
            (post.number, post.is_asking) = (1, false);
        }
    }
}

/// The future of a job that has ended is the same however it came there, and the past of an attempt
/// that does not hold its job any more is of no use.
fn settle(job: &mut Job, work: &mut Work) {
    if job.has_ended() && job.places.count_ones() == 1 && job.receipts.is_empty() {
        *job = Job { places: 1 << Place::Done as u8, ..Job::default() };
        work.starts = 0;
    }
    let pasts = work.attempts.iter_mut().map(|attempt| (attempt.token, &mut attempt.past));
    let pasts = pasts.chain(work.late.iter_mut().map(|late| (late.token, &mut late.past)));
    for (token, past) in pasts {
        if !job.receipts.contains(&token) {
            *past = Past::default();
        }
    }
}

fn mirror(state: &mut State) {
    let count = state.processes.len() as u8;
    state.processes.reverse();
    state.each_name(&mut |who, _| who.process = count - 1 - who.process);
}

fn ordered(mut state: State) -> State {
    let mut names: Vec<(Who, u8)> = Vec::with_capacity(32);
    state.each_name(&mut |who, number| names.push((*who, number.map_or(0, |number| *number))));
    names.sort_unstable();
    names.dedup();
    let stores = [Some(&mut state.store), state.saved.as_deref_mut()];
    for store in stores.into_iter().flatten() {
        for member in &mut store.members {
            let used =
                |name: &&(Who, u8)| name.0 == member.who && name.1 > 0 && name.1 <= member.last;
            member.last = names.iter().filter(used).count() as u8;
        }
    }
    state.each_name(&mut |who, number| {
        let kin = |other: Who| other.process == who.process && other.role == who.role;
        let (mut incarnation, mut before, mut last) = (0, 0, None);
        for (other, used) in names.iter().take_while(|(other, _)| *other <= *who) {
            if kin(*other) && last != Some(*other) {
                incarnation += 1;
                last = Some(*other);
            }
            let asked = number.as_deref().copied().unwrap_or(0);
            before += u8::from(other == who && *used > 0 && *used <= asked);
        }
        who.incarnation = incarnation;
        if let Some(number) = number {
            *number = before;
        }
    });
    sort(state)
}

fn sort(mut state: State) -> State {
    let mut stores = vec![&mut state.store];
    stores.extend(state.saved.as_deref_mut());
    for store in stores {
        store.members.sort_unstable();
        store.jobs.iter_mut().for_each(|job| job.receipts.sort_unstable());
    }
    for work in &mut state.work {
        work.attempts.sort_unstable();
        work.late.sort_unstable();
        work.granted.sort_unstable();
    }
    state.late.sort_unstable();
    let count = state.work.len();
    let mut order: Vec<usize> = (0..count).collect();
    let saved = |at: usize| state.saved.as_ref().map(|saved| &saved.jobs[at]);
    let key = |at: usize| (&state.store.jobs[at], &state.work[at], saved(at));
    order.sort_by(|one, other| key(*one).cmp(&key(*other)));
    if order.is_sorted() {
        return state;
    }
    state.store.jobs = order.iter().map(|at| state.store.jobs[*at].clone()).collect();
    state.work = order.iter().map(|at| state.work[*at].clone()).collect();
    if let Some(saved) = &mut state.saved {
        saved.jobs = order.iter().map(|at| saved.jobs[*at].clone()).collect();
    }
    state
}
