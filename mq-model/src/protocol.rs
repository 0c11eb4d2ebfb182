//! What comes of a step.
//!
//! A request, what the store does and the reply are one step: nobody else can tell when a process
//! decided to send, or when it read the reply. What that would hide, a loss brings back: the copy
//! of a request that stays under way.

use crate::explore::Model;
use crate::mutant::Mutant;
use crate::names::{ROLES, Role, Token, Who};
use crate::promises::{self, Promise};
use crate::rules::{End, Rules};
use crate::state::{Attempt, Faults, Late, Letter, Post, Process, State, Work};
use crate::steps::Step;
use crate::store::{Finished, Grant, Job, Store};
use crate::symmetry;

/// What is explored.
#[derive(Debug)]
pub struct Protocol {
    /// How many jobs there are.
    pub jobs: usize,
    /// How many processes.
    pub processes: usize,
    /// How many jobs a process runs at a time.
    pub slots: usize,
    /// What may go wrong.
    pub faults: Faults,
    /// Whether workers give back what the store says that they hold and they do not know of.
    pub reconciles: bool,
    /// Whether the request of a `join` is sent once and never again under the same name, so that no
    /// copy of it can come late.
    pub joins_once: bool,
    /// A mistake that is put in.
    pub mutant: Option<Mutant>,
    /// What becomes of jobs.
    pub rules: Rules,
}

impl Protocol {
    /// So many jobs, which are stored already, and two processes with two slots.
    pub fn new(jobs: usize, faults: Faults) -> Self {
        Self {
            jobs,
            processes: 2,
            slots: 2,
            faults,
            reconciles: true,
            joins_once: false,
            mutant: None,
            rules: Rules::new(),
        }
    }

    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    fn take_in(
        &self,
        state: &mut State,
        token: Token,
        grant: Option<Grant>,
    ) -> Result<(), Promise> {
        let (process, role) = (usize::from(token.who.process), token.who.role);
        let Some(grant) = grant else {
            self.lose(state, process, role);
            return Ok(());
        };
        let post = state.post(process, role);
        post.is_asking = false;
        if !self.is(Mutant::NumberIsNotRaised) {
            post.number += 1;
        }
        for job in jobs_of(grant) {
            promises::starts(state, job, token)?;
            let past = state.store.jobs[job].past;
            state.work[job].attempts.push(Attempt { token, past, sent: None });
        }
        Ok(())
    }

    /// A process gives up an incarnation. Handlers that run under it may go on for a while; ends of
    /// jobs that were taken over are for whoever takes them over now.
    fn lose(&self, state: &mut State, process: usize, role: Role) {
        let who = state.post(process, role).who;
        if role == Role::Keeper {
            forget(state, |attempt| attempt.token.who == who);
        }
        if self.is(Mutant::NameIsUsedAgain) {
            state.store.members.retain(|member| member.who != who);
            state.store.gone.retain(|other| *other != who);
            state.store.join(who);
            // Nobody thinks of what the name had before.
            let jobs = state.store.jobs.iter_mut();
            jobs.for_each(|job| job.granted.retain(|token| token.who != who));
            *state.post(process, role) = Post::new(who);
        } else {
            join(state, process, role);
        }
    }

    /// `claim` or `reap`, whichever a role asks.
    fn ask(
        &self,
        state: &mut State,
        (process, role): (usize, Role),
        wanted: u8,
        lost: bool,
    ) -> Result<(), Promise> {
        let post = state.post(process, role);
        let token = Token { who: post.who, number: post.number };
        if !lost {
            let grant = self.grant(state, token, wanted)?;
            return self.take_in(state, token, grant);
        }
        post.is_asking = true;
        if self.is(Mutant::RepeatHasANewNumber) {
            (post.is_asking, post.number) = (false, post.number + 1);
        }
        state.late.push(Letter::Ask(token));
        Ok(())
    }

    fn grant(&self, state: &mut State, token: Token, wanted: u8) -> Result<Option<Grant>, Promise> {
        let grant = match token.who.role {
            Role::Puller => state.store.claim(token, wanted, self.mutant),
            Role::Keeper => state.store.take(token, self.mutant),
        };
        promises::grants(state, token, grant)?;
        Ok(grant)
    }

    fn finish(&self, state: &mut State, job: usize, late: Late) -> Result<(), Promise> {
        let decided = self.rules.decide(late.past, late.end);
        let answer = state.store.finish(job, late.token, decided, self.mutant);
        if let Finished::Applied(place) = answer {
            promises::accepts(state, job, late, place)?;
        }
        Ok(())
    }

    fn end(
        &self,
        state: &mut State,
        job: usize,
        at: usize,
        end: End,
        lost: bool,
    ) -> Result<(), Promise> {
        let attempt = state.work[job].attempts[at];
        if end == End::Failed && attempt.sent.is_none() {
            state.left.failures -= 1;
        }
        let late = Late { token: attempt.token, past: attempt.past, end };
        if !lost {
            state.work[job].attempts.remove(at);
            return self.finish(state, job, late);
        }
        state.work[job].late.push(late);
        state.work[job].attempts[at].sent = Some(end);
        let gives_up = match attempt.token.who.role {
            Role::Puller => self.is(Mutant::WorkerGivesUp),
            Role::Keeper => self.is(Mutant::ReaperGivesUp),
        };
        if gives_up {
            state.work[job].attempts.remove(at);
        }
        Ok(())
    }

    fn arrive(&self, state: &mut State, at: usize, wanted: u8) -> Result<(), Promise> {
        match state.late.remove(at) {
            Letter::Join(who) => {
                if self.is(Mutant::GoneAreForgotten) {
                    state.store.gone.clear();
                }
                state.store.join(who);
            }
            Letter::Leave(who) => state.store.leave(who),
            Letter::Ask(token) => {
                self.grant(state, token, wanted)?;
            }
        }
        Ok(())
    }

    fn leave(&self, state: &mut State, process: usize, lost: bool) {
        for role in ROLES {
            let who = state.post(process, role).who;
            if lost {
                state.late.push(Letter::Leave(who));
            } else {
                state.store.leave(who);
            }
        }
        start_anew(state, process);
    }

    fn reconcile(
        &self,
        state: &mut State,
        process: usize,
        role: Role,
        job: usize,
        lost: bool,
    ) -> Result<(), Promise> {
        let Some(token) = self.doubted(state, process, role, job) else { return Ok(()) };
        if role == Role::Keeper {
            if lost {
                state.late.push(Letter::Leave(token.who));
            } else {
                state.store.leave(token.who);
            }
            join(state, process, role);
            return Ok(());
        }
        let late = Late { token, past: state.store.jobs[job].past, end: End::Unknown };
        if lost {
            state.work[job].late.push(late);
            return Ok(());
        }
        self.finish(state, job, late)
    }

    fn change(&self, state: &mut State, step: Step) -> Result<(), Promise> {
        match step {
            Step::JoinTwice { process, role } => {
                state.left.losses -= 1;
                let who = state.post(process, role).who;
                state.late.push(Letter::Join(who));
            }
            Step::Claim { process, wanted, lost } => {
                self.ask(state, (process, Role::Puller), wanted, lost)?;
            }
            Step::Reap { process, lost } => self.ask(state, (process, Role::Keeper), 0, lost)?,
            Step::Revoke { who } => {
                state.left.lapses -= u8::from(state.is_in_use(who));
                state.store.revoke(who);
            }
            Step::Beat { process, role } => self.lose(state, process, role),
            Step::End { job, at, end, lost } => self.end(state, job, at, end, lost)?,
            Step::LateEnd { job, at } => {
                let late = state.work[job].late.remove(at);
                self.finish(state, job, late)?;
            }
            Step::Late { at, wanted } => self.arrive(state, at, wanted)?,
            Step::Promote { job } => state.store.promote(job),
            Step::Crash { process } => {
                state.left.crashes -= 1;
                start_anew(state, process);
            }
            Step::Stop { process } => {
                state.left.stops -= 1;
                state.processes[process].is_stopping = true;
            }
            Step::Leave { process, lost } => self.leave(state, process, lost),
            Step::Cancel { job } => {
                state.left.cancels -= 1;
                if state.store.cancel(job) {
                    promises::ends(state, job)?;
                }
            }
            Step::Reconcile { process, role, job, lost } => {
                self.reconcile(state, process, role, job, lost)?;
            }
            Step::Save => {
                state.left.rollbacks -= 1;
                state.saved = Some(Box::new(state.store.clone()));
            }
            Step::RollBack => {
                state.rollbacks += 1;
                if let Some(saved) = state.saved.take() {
                    state.store = *saved;
                }
            }
        }
        Ok(())
    }
}

fn jobs_of(grant: Grant) -> impl Iterator<Item = usize> {
    (0..8).filter(move |at| grant.jobs & 1 << at != 0)
}

fn forget(state: &mut State, is_gone: impl Fn(&Attempt) -> bool) {
    for work in &mut state.work {
        work.attempts.retain(|attempt| !is_gone(attempt));
    }
}

/// Whoever runs there now knows nothing.
fn start_anew(state: &mut State, process: usize) {
    forget(state, |attempt| usize::from(attempt.token.who.process) == process);
    state.processes[process].is_stopping = false;
    ROLES.into_iter().for_each(|role| join(state, process, role));
}

/// Joins under a name that nobody has had.
fn join(state: &mut State, process: usize, role: Role) {
    let mut who = Who { process: process as u8, role, incarnation: 0 };
    state.each_name(&mut |other, _| {
        if other.process == who.process && other.role == role {
            who.incarnation = who.incarnation.max(other.incarnation);
        }
    });
    who.incarnation += 1;
    state.store.join(who);
    *state.post(process, role) = Post::new(who);
}

impl Model for Protocol {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        let mut store =
            Store { jobs: vec![Job::ready(); self.jobs], members: Vec::new(), gone: Vec::new() };
        let mut processes = Vec::new();
        for process in 0..self.processes as u8 {
            let posts = ROLES.map(|role| Post::new(Who { process, role, incarnation: 1 }));
            posts.iter().for_each(|post| store.join(post.who));
            processes.push(Process { posts, is_stopping: false });
        }
        State {
            store,
            saved: None,
            work: vec![Work::default(); self.jobs],
            processes,
            late: Vec::new(),
            left: self.faults,
            rollbacks: 0,
        }
    }

    fn steps(&self, state: &State) -> Vec<Step> {
        self.possible(state)
    }

    fn apply(&self, state: &State, step: Step) -> Result<State, String> {
        let mut after = state.clone();
        after.left.losses -= u8::from(step.is_lost());
        self.change(&mut after, step)?;
        promises::hold(&after)?;
        Ok(after)
    }

    fn canonical(&self, state: State) -> State {
        symmetry::canonical(state)
    }

    fn is_fault(&self, state: &State, step: Step) -> bool {
        step.is_fault(state)
    }

    fn is_end(&self, state: &State) -> bool {
        state.store.jobs.iter().all(Job::has_ended)
    }

    fn describe(&self, state: &State, step: Step) -> String {
        crate::words::describe(state, step)
    }
}
