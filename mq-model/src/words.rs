//! Steps in words, for traces.

use crate::names::Role;
use crate::rules::End;
use crate::state::{Letter, State};
use crate::steps::Step;

/// What a step does in this state.
pub(crate) fn describe(state: &State, step: Step) -> String {
    let text = plain(state, step);
    if step.is_lost() { format!("{text}; no answer, a copy stays under way") } else { text }
}

fn plain(state: &State, step: Step) -> String {
    let who = |process: usize, role| name(state, process, role);
    match step {
        Step::JoinTwice { process, role } => {
            format!(
                "a copy of the request by which {} has joined is still under way",
                who(process, role)
            )
        }
        Step::Claim { process, wanted, .. } => {
            let post = state.processes[process].posts[Role::Puller as usize];
            let what = if post.is_asking { "repeats claim" } else { "sends claim" };
            let front = jobs(wanted);
            format!("{} {what} {}{front}", who(process, Role::Puller), post.number)
        }
        Step::Reap { process, .. } => {
            let post = state.processes[process].posts[Role::Keeper as usize];
            format!("{} reaps under number {}", who(process, Role::Keeper), post.number)
        }
        Step::Revoke { who } => format!("a sweep finds {who} gone"),
        Step::Beat { process, role } => {
            format!("{} learns by a beat that it was found gone", who(process, role))
        }
        Step::End { job, at, end, .. } => {
            let token = state.work[job].attempts[at].token;
            format!("{token} ends job {}: {}", job + 1, ending(end))
        }
        Step::LateEnd { job, at } => {
            let late = state.work[job].late[at];
            format!("late: {} ends job {}: {}", late.token, job + 1, ending(late.end))
        }
        Step::Late { at, wanted } => match state.late[at] {
            Letter::Join(who) => format!("late: {who} joins"),
            Letter::Leave(who) => format!("late: {who} leaves"),
            Letter::Ask(token) if token.who.role == Role::Keeper => format!("late: reap {token}"),
            Letter::Ask(token) => format!("late: claim {token}{}", jobs(wanted)),
        },
        Step::Promote { job } => format!("job {} is due", job + 1),
        Step::Crash { process } => format!("process {} dies, and starts anew", letter(process)),
        Step::Stop { process } => format!("process {} is told to stop", letter(process)),
        Step::Leave { process, .. } => {
            format!("process {} leaves, and starts anew", letter(process))
        }
        Step::Cancel { job } => format!("an operator cancels job {}", job + 1),
        Step::Reconcile { process, role: Role::Keeper, job, .. } => {
            let who = who(process, Role::Keeper);
            format!("{who} takes a new name, because it does not know of job {}", job + 1)
        }
        Step::Reconcile { process, role, job, .. } => {
            format!("{} gives back job {}, which it does not know of", who(process, role), job + 1)
        }
        Step::Save => "the store is on disk as it is now".to_owned(),
        Step::RollBack => "the store loses what has not come to the disk".to_owned(),
    }
}

fn letter(process: usize) -> char {
    char::from(b'A' + process as u8)
}

fn name(state: &State, process: usize, role: Role) -> String {
    state.processes[process].posts[role as usize].who.to_string()
}

fn jobs(mask: u8) -> String {
    let jobs: Vec<String> =
        (0..8).filter(|at| mask & 1 << at != 0).map(|at| (at + 1).to_string()).collect();
    if jobs.is_empty() {
        String::new()
    } else {
        format!(", first in line: job {}", jobs.join(", "))
    }
}

fn ending(end: End) -> &'static str {
    match end {
        End::Done => "done",
        End::Failed => "failed",
        End::Cancelled => "cancelled",
        End::HandedBack | End::Unknown => "given back",
        End::Interrupted => "interrupted",
    }
}
