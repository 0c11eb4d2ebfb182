//! States that differ only in names are one: which job is which, which process, how many
//! incarnations there were and how far their numbers have come.
//!
//! The protocol compares names for being the same and numbers for being greater, nothing else, so
//! counting both anew changes nothing that can happen. That makes the number of states finite
//! although workers count on for ever.

use crate::names::{Token, Who};
use crate::rules::{Past, Place};
use crate::state::{Late, Letter, State, Work};
use crate::store::Job;

/// The state by the names that it has in common with all its likes.
pub(crate) fn canonical(mut state: State) -> State {
    forget(&mut state);
    let mut mirrored = state.clone();
    mirror(&mut mirrored);
    let (one, other) = (ordered(state), ordered(mirrored));
    one.min(other)
}

/// Drops what no promise can be measured by any more.
fn forget(state: &mut State) {
    if state.left.rollbacks == 0 && state.saved.is_none() {
        let jobs = state.store.jobs.iter_mut();
        jobs.zip(&mut state.work).for_each(|(job, work)| settle(job, work));
        bury(state);
    }
    forget_gone(state);
    forget_granted(state);
}

/// That a claim was handed out matters as long as it may be asked for again.
fn forget_granted(state: &mut State) {
    let stores = [Some(&state.store), state.saved.as_deref()];
    let jobs = stores.into_iter().flatten().flat_map(|store| &store.jobs);
    let mut old: Vec<Token> = jobs.flat_map(|job| &job.granted).copied().collect();
    old.retain(|token| !state.can_be_asked(*token));
    let stores = [Some(&mut state.store), state.saved.as_deref_mut()];
    for job in stores.into_iter().flatten().flat_map(|store| &mut store.jobs) {
        job.granted.retain(|token| !old.contains(token));
    }
}

/// That a worker is gone matters as long as a request to join may come under its name.
fn forget_gone(state: &mut State) {
    let posts = state.processes.iter().flat_map(|process| process.posts).map(|post| post.who);
    let letters = state.late.iter().filter_map(|letter| match letter {
        Letter::Join(who) => Some(*who),
        _ => None,
    });
    let names: Vec<Who> = posts.chain(letters).collect();
    let stores = [Some(&mut state.store), state.saved.as_deref_mut()];
    stores.into_iter().flatten().for_each(|store| store.gone.retain(|who| names.contains(who)));
}

/// The future of a job that has ended is the same however it came there, and the past of an attempt
/// that does not hold its job any more is of no use.
fn settle(job: &mut Job, work: &mut Work) {
    if job.has_ended() && job.places.count_ones() == 1 && job.receipts.is_empty() {
        let granted = std::mem::take(&mut job.granted);
        *job = Job { places: 1 << Place::Done as u8, granted, ..Job::default() };
        (work.starts, work.causes, work.handed_back) = (0, 0, 0);
    }
    let pasts = work.attempts.iter_mut().map(|attempt| (attempt.token, &mut attempt.past));
    let pasts = pasts.chain(work.late.iter_mut().map(|late| (late.token, &mut late.past)));
    for (token, past) in pasts {
        if !job.receipts.contains(&token) {
            *past = Past::default();
        }
    }
}

/// A worker that nobody is, that holds nothing and asks for nothing could as well not be there; and
/// what is under way from one that is not there finds nothing.
fn bury(state: &mut State) {
    let mut members = state.store.members.clone();
    members.retain(|member| state.matters(member.who));
    let mut late = state.late.clone();
    late.retain(|letter| !matches!(letter, Letter::Join(who) if !state.matters(*who)));
    let mut there: Vec<Who> = members.iter().map(|member| member.who).collect();
    // One that was taken over and does not know it may be let in again by a copy of its `join`.
    there.extend(state.processes.iter().flat_map(|process| process.posts).map(|post| post.who));
    there.extend(late.iter().filter_map(|letter| match letter {
        Letter::Join(who) => Some(*who),
        _ => None,
    }));
    late.retain(|letter| match letter {
        Letter::Join(_) => true,
        Letter::Leave(who) => there.contains(who),
        Letter::Ask(token) => there.contains(&token.who),
    });
    let heard = |late: &Late| there.contains(&late.token.who);
    state.work.iter_mut().for_each(|work| work.late.retain(heard));
    (state.store.members, state.late) = (members, late);
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
        store.gone.sort_unstable();
        for job in &mut store.jobs {
            job.receipts.sort_unstable();
            job.granted.sort_unstable();
        }
    }
    for work in &mut state.work {
        work.attempts.sort_unstable();
        work.late.sort_unstable();
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mq_core::rng::Rng;

    use super::*;
    use crate::explore::Model;
    use crate::protocol::Protocol;
    use crate::state::Faults;

    fn after(protocol: &Protocol, state: &State) -> BTreeSet<State> {
        let steps = protocol.steps(state).into_iter();
        let next = steps.filter_map(|step| protocol.apply(state, step).ok()).map(canonical);
        let here = canonical(state.clone());
        next.filter(|next| *next != here).collect()
    }

    /// What can happen next is the same by the old names and by the new ones, on random ways.
    #[test]
    fn new_names_change_nothing_that_can_happen() {
        let faults = Faults {
            crashes: 2,
            lapses: 2,
            losses: 3,
            failures: 2,
            stops: 1,
            cancels: 1,
            rollbacks: 0,
        };
        let rolled = Faults { rollbacks: 1, ..faults };
        for (seed, faults) in (0..40).flat_map(|seed| [(seed, faults), (seed, rolled)]) {
            let mut protocol = Protocol::new(3, faults);
            protocol.reconciles = seed % 2 == 0;
            let (mut state, mut rng) = (protocol.initial(), Rng::seeded(seed));
            for _ in 0..40 {
                let renamed = canonical(state.clone());
                assert_eq!(canonical(renamed.clone()), renamed, "seed {seed}");
                assert_eq!(after(&protocol, &state), after(&protocol, &renamed), "seed {seed}");
                let steps = protocol.steps(&state);
                let Some(last) = steps.len().checked_sub(1) else { break };
                let step = steps[rng.between(0, last as u64) as usize];
                let Ok(next) = protocol.apply(&state, step) else { break };
                state = next;
            }
        }
    }
}
