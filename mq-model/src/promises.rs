//! What must always be true. The numbers are those of the promise that mq makes.

use crate::names::{Role, Token};
use crate::rules::{End, MAX_ATTEMPTS, POISON_LIMIT, Place};
use crate::state::{Late, State};
use crate::store::Grant;

/// A promise that was broken, in words.
pub(crate) type Promise = String;

/// After every step: I1, nothing is lost, and I3, one job, one place.
pub(crate) fn hold(state: &State) -> Result<(), Promise> {
    for (at, job) in state.store.jobs.iter().enumerate() {
        let name = at + 1;
        let places = job.places.count_ones() as usize + job.receipts.len();
        if places == 0 {
            return Err(format!("I1, no loss: job {name} is nowhere"));
        }
        if places > 1 {
            return Err(format!("I3, one place: job {name} is in {places}"));
        }
        let is_member = |token: &Token| state.store.members.iter().any(|m| m.who == token.who);
        if let Some(token) = job.receipts.iter().find(|token| !is_member(token)) {
            return Err(format!(
                "I3, one place: job {name} is held by {token}, whom no sweep will find"
            ));
        }
    }
    Ok(())
}

/// When the store hands out jobs: I6, no claim gets the same job twice.
///
/// A rollback takes from the store what it has given since, and a late copy of a claim may get that
/// anew. Nobody waits for that copy's reply, and [`starts`] looks at what is run.
pub(crate) fn grants(state: &mut State, token: Token, grant: Option<Grant>) -> Result<(), Promise> {
    let Some(grant) = grant.filter(|grant| grant.is_new) else { return Ok(()) };
    for (at, job) in state.store.jobs.iter_mut().enumerate() {
        if grant.jobs & 1 << at == 0 {
            continue;
        }
        if job.granted.contains(&token) {
            return Err(format!("I6, no token twice: job {} went to {token} again", at + 1));
        }
        job.granted.push(token);
    }
    Ok(())
}

/// When a process starts a job, or takes it over: no two attempts under one claim, I7, executions
/// are bounded, and I8, each but the first is explained.
///
/// A rollback takes counts from the store, and what they explained has happened all the same. So
/// after one, all counts that were ever made are summed up, and each rollback explains one more
/// execution of each job; the bound is the one without it, so many times more. That a worker gives
/// back what it does not know of explains nothing.
pub(crate) fn starts(state: &mut State, at: usize, token: Token) -> Result<(), Promise> {
    let (job, work, name) = (&state.store.jobs[at], &mut state.work[at], at + 1);
    if work.attempts.iter().any(|attempt| attempt.token == token) {
        return Err(format!("I6, no token twice: job {name} was started under {token} again"));
    }
    if token.who.role == Role::Keeper {
        return Ok(());
    }
    work.starts += 1;
    let counted = work.starts.saturating_sub(work.handed_back);
    if counted > (MAX_ATTEMPTS + POISON_LIMIT) * (1 + state.rollbacks) {
        return Err(format!("I7, bounded executions: job {name} was started {counted} times"));
    }
    let causes = match state.rollbacks {
        0 => job.past.attempts + job.past.interruptions,
        _ => work.causes,
    };
    let explained = 1 + state.rollbacks + causes;
    if counted > explained {
        return Err(format!(
            "I8, no unexplained execution: job {name} was started {counted} times, and what was \
             counted explains {explained}"
        ));
    }
    Ok(())
}

/// When the store accepts the end of a claim: I4, not from a superseded one, and I5.
pub(crate) fn accepts(
    state: &mut State,
    at: usize,
    late: Late,
    place: Place,
) -> Result<(), Promise> {
    let (job, work) = (&mut state.store.jobs[at], &mut state.work[at]);
    let current = job.current.take();
    if current != Some(late.token) {
        let holder = current.map_or_else(|| "nobody".to_owned(), |token| token.to_string());
        return Err(format!(
            "I4, fencing: an end by {} of job {} was accepted, which {holder} had",
            late.token,
            at + 1
        ));
    }
    work.handed_back += u8::from(late.end == End::HandedBack);
    work.causes += u8::from(matches!(late.end, End::Failed | End::Interrupted));
    if place.is_end() { ends(state, at) } else { Ok(()) }
}

/// When a job comes to its end: I5, once, and once more for each rollback.
pub(crate) fn ends(state: &mut State, at: usize) -> Result<(), Promise> {
    let work = &mut state.work[at];
    work.outcomes += 1;
    if work.outcomes > 1 + state.rollbacks {
        return Err(format!("I5, one outcome: job {} has come to its end again", at + 1));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::Model;
    use crate::names::Who;
    use crate::protocol::Protocol;
    use crate::state::Faults;

    fn token(number: u8) -> Token {
        Token { who: Who { process: 0, role: Role::Puller, incarnation: 1 }, number }
    }

    #[test]
    fn each_rollback_explains_one_execution_and_no_more() {
        let mut state = Protocol::new(1, Faults::default()).initial();
        state.rollbacks = 2;
        for number in 1..=3 {
            starts(&mut state, 0, token(number)).unwrap();
        }
        assert!(starts(&mut state.clone(), 0, token(4)).unwrap_err().starts_with("I8"));
        // What was counted and rolled back was a cause all the same.
        state.work[0].causes = 20;
        for number in 4..=3 * (MAX_ATTEMPTS + POISON_LIMIT) {
            starts(&mut state, 0, token(number)).unwrap();
        }
        assert!(starts(&mut state, 0, token(13)).unwrap_err().starts_with("I7"));
    }

    #[test]
    fn a_claim_may_get_again_what_a_rollback_took_from_it_and_only_once() {
        let mut state = Protocol::new(1, Faults { rollbacks: 1, ..Faults::default() }).initial();
        let grant = Some(Grant { jobs: 1, is_new: true });
        let saved = state.store.clone();
        grants(&mut state, token(1), grant).unwrap();
        (state.store, state.rollbacks) = (saved, 1);
        grants(&mut state, token(1), grant).unwrap();
        assert!(grants(&mut state, token(1), grant).unwrap_err().starts_with("I6"));
    }
}
