//! Who may do what, and what comes of it.
//!
//! A request, what the store does and the reply are one step: nobody else can tell when a process
//! decided to send, or when it read the reply. What that would hide, a loss brings back: the copy
//! of a request that stays under way.

use crate::explore::Model;
use crate::mutant::Mutant;
use crate::names::{ROLES, Role, Token, Who};
use crate::promises::{self, Promise};
use crate::rules::{End, Place, Rules};
use crate::state::{Attempt, Faults, Late, Letter, Post, Process, State, Work};
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
    /// Whether the request of a `join` is sent once and never again under the same name.
    pub joins_once: bool,
    /// A mistake that is put in.
    pub mutant: Option<Mutant>,
    /// What becomes of jobs.
    pub rules: Rules,
}

/// One thing that happens. Processes and jobs are numbers, `lost` means that there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A process joins; the request is sent twice, and a copy arrives late.
    Join { process: usize, role: Role, lost: bool },
    /// A process asks for jobs, and these are at the front.
    Claim { process: usize, wanted: u8, lost: bool },
    /// A keeper takes over what revoked workers hold.
    Reap { process: usize, lost: bool },
    /// A sweep finds a worker gone.
    Revoke { who: Who },
    /// A process learns by a beat that it was found gone.
    Beat { process: usize, role: Role },
    /// An attempt ends.
    End { job: usize, at: usize, end: End, lost: bool },
    /// The copy of an end arrives.
    LateEnd { job: usize, at: usize },
    /// The copy of another request arrives.
    Late { at: usize, wanted: u8 },
    /// The time of a job comes.
    Promote { job: usize },
    /// A process dies, and is started again.
    Crash { process: usize },
    /// A process is told to stop.
    Stop { process: usize },
    /// A process that has stopped leaves, and is started again.
    Leave { process: usize, lost: bool },
    /// An operator cancels a job.
    Cancel { job: usize },
    /// A process gives back a job that it holds by the store's word only.
    Reconcile { process: usize, role: Role, job: usize, lost: bool },
    /// The store is as durable as it is now.
    Save,
    /// The store loses what came after.
    RollBack,
}

impl Protocol {
    /// So many jobs, which are stored already, and two processes with two slots.
    pub fn new(jobs: usize, faults: Faults) -> Self {
        Self {
            jobs,
            processes: 2,
            slots: 2,
            faults,
            reconciles: false,
            joins_once: false,
            mutant: None,
            rules: Rules::new(),
        }
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Which jobs a claim may get: any of those that are ready, as many as there is room for.
    fn choices(&self, ready: u8, room: usize) -> Vec<u8> {
        let most = room.min(ready.count_ones() as usize) as u32;
        (0..1 << self.jobs)
            .filter(|wanted| wanted & !ready == 0)
            .filter(|wanted: &u8| wanted.count_ones() == most)
            .collect()
    }

    fn of_process(&self, state: &State, process: usize, steps: &mut Vec<Step>) {
        let is_stopping = state.processes[process].is_stopping;
        let [puller, keeper] = state.processes[process].posts;
        for (role, post) in ROLES.into_iter().zip([puller, keeper]) {
            match post.who {
                None if !is_stopping => steps.push(Step::Join { process, role, lost: false }),
                Some(who) if state.store.standing(who).is_none() => {
                    steps.push(Step::Beat { process, role });
                }
                _ => {}
            }
        }
        let room = self.slots.saturating_sub(state.running(process));
        let wants = !is_stopping && room > 0 && state.store.ready() != 0;
        if puller.who.is_some() && (puller.is_asking || wants) {
            for wanted in self.choices(state.store.ready(), room.max(1)) {
                steps.push(Step::Claim { process, wanted, lost: false });
            }
        }
        let is_due = state.store.members.iter().any(|member| member.is_revoked);
        if keeper.who.is_some() && (keeper.is_asking || is_due) && state.taken(process) == 0 {
            steps.push(Step::Reap { process, lost: false });
        }
        let rests = !puller.is_asking && state.running(process) == 0;
        if is_stopping && rests {
            steps.push(Step::Leave { process, lost: false });
        }
        if state.left.crashes > 0 {
            steps.push(Step::Crash { process });
        }
        if state.left.stops > 0 && !is_stopping {
            steps.push(Step::Stop { process });
        }
    }

    fn of_job(&self, state: &State, job: usize, steps: &mut Vec<Step>) {
        let stored = &state.store.jobs[job];
        if stored.is_in(Place::Later) {
            steps.push(Step::Promote { job });
        }
        for (at, attempt) in state.work[job].attempts.iter().enumerate() {
            let process = &state.processes[usize::from(attempt.token.who.process)];
            let is_keeper = attempt.token.who.role == Role::Keeper;
            let can = |end| match end {
                End::Interrupted => is_keeper,
                _ if is_keeper => false,
                End::Done => true,
                End::Failed => state.left.failures > 0,
                End::Cancelled => stored.is_unwanted,
                End::HandedBack => process.is_stopping,
            };
            let all = [End::Done, End::Failed, End::Cancelled, End::HandedBack, End::Interrupted];
            let ends = all.into_iter().filter(|end| match attempt.sent {
                Some(sent) => sent == *end,
                None => can(*end),
            });
            steps.extend(ends.map(|end| Step::End { job, at, end, lost: false }));
        }
        let late = 0..state.work[job].late.len();
        steps.extend(late.map(|at| Step::LateEnd { job, at }));
        if state.left.cancels > 0 && !stored.has_ended() && !stored.is_unwanted {
            steps.push(Step::Cancel { job });
        }
        if self.reconciles {
            self.reconciling(state, job, steps);
        }
    }

    /// What the store says that a process got by a request that was answered, and the process does
    /// not have.
    fn reconciling(&self, state: &State, job: usize, steps: &mut Vec<Step>) {
        for (process, known) in state.processes.iter().enumerate() {
            for (role, post) in ROLES.into_iter().zip(known.posts) {
                let is_lost = |token: &&Token| {
                    Some(token.who) == post.who
                        && token.number < post.number
                        && !state.work[job].attempts.iter().any(|known| known.token == **token)
                };
                if state.store.jobs[job].receipts.iter().any(|token| is_lost(&token)) {
                    steps.push(Step::Reconcile { process, role, job, lost: false });
                }
            }
        }
    }

    fn of_store(&self, state: &State, steps: &mut Vec<Step>) {
        for member in state.store.members.iter().filter(|member| !member.is_revoked) {
            let sweeper = state
                .processes
                .iter()
                .filter_map(|process| process.posts[Role::Keeper as usize].who);
            let mut sweeper = sweeper.filter(|who| *who != member.who);
            let is_owned = state.is_in_use(member.who);
            if sweeper.any(|who| state.store.standing(who).is_some())
                && (!is_owned || state.left.lapses > 0)
            {
                steps.push(Step::Revoke { who: member.who });
            }
        }
        for (at, letter) in state.late.iter().enumerate() {
            match letter {
                Letter::Claim(_) => {
                    for wanted in self.choices(state.store.ready(), self.slots) {
                        steps.push(Step::Late { at, wanted });
                    }
                }
                _ => steps.push(Step::Late { at, wanted: 0 }),
            }
        }
        match state.saved {
            None if state.left.rollbacks > 0 => steps.push(Step::Save),
            Some(_) => steps.push(Step::RollBack),
            None => {}
        }
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
        let post = state.post(process, role);
        let Some(who) = post.who.take() else { return };
        *post = Post::NONE;
        if role == Role::Keeper {
            forget(state, |attempt| attempt.token.who == who);
        }
        if self.is(Mutant::NameIsUsedAgain) {
            state.store.members.retain(|member| member.who != who);
            state.store.join(who);
            *state.post(process, role) = Post::new(who);
        }
    }

    fn join(&self, state: &mut State, process: usize, role: Role, lost: bool) {
        let mut used = 0;
        state.each_name(&mut |who, _| {
            if usize::from(who.process) == process && who.role == role {
                used = used.max(who.incarnation);
            }
        });
        let who = Who { process: process as u8, role, incarnation: used + 1 };
        state.store.join(who);
        *state.post(process, role) = Post::new(who);
        if lost {
            state.late.push(Letter::Join(who));
        }
    }

    fn ask(&self, state: &mut State, token: Token, letter: Letter) {
        state.late.push(letter);
        let post = state.post(usize::from(token.who.process), token.who.role);
        post.is_asking = true;
        if self.is(Mutant::RepeatHasANewNumber) {
            (post.is_asking, post.number) = (false, post.number + 1);
        }
    }

    fn claim(&self, state: &mut State, token: Token, wanted: u8) -> Result<Option<Grant>, Promise> {
        let grant = state.store.claim(token, wanted, self.mutant);
        promises::grants(state, token, grant)?;
        Ok(grant)
    }

    fn reap(&self, state: &mut State, token: Token) -> Result<Option<Grant>, Promise> {
        let grant = state.store.take(token, self.mutant);
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
            Letter::Join(who) => state.store.join(who),
            Letter::Leave(who) => state.store.leave(who),
            Letter::Claim(token) => drop(self.claim(state, token, wanted)?),
            Letter::Reap(token) => drop(self.reap(state, token)?),
        }
        Ok(())
    }

    fn leave(&self, state: &mut State, process: usize, lost: bool) {
        for role in ROLES {
            let Some(who) = state.post(process, role).who else { continue };
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
        let post = *state.post(process, role);
        let unknown = |token: &&Token| {
            Some(token.who) == post.who
                && token.number < post.number
                && !state.work[job].attempts.iter().any(|known| known.token == **token)
        };
        let Some(token) = state.store.jobs[job].receipts.iter().find(unknown).copied() else {
            return Ok(());
        };
        let late = Late { token, past: state.store.jobs[job].past, end: End::HandedBack };
        if lost {
            state.work[job].late.push(late);
            return Ok(());
        }
        self.finish(state, job, late)
    }

    fn change(&self, state: &mut State, step: Step) -> Result<(), Promise> {
        match step {
            Step::Join { process, role, lost } => self.join(state, process, role, lost),
            Step::Claim { process, wanted, lost } => {
                let Some(token) = next(state, process, Role::Puller) else { return Ok(()) };
                if lost {
                    self.ask(state, token, Letter::Claim(token));
                } else {
                    let grant = self.claim(state, token, wanted)?;
                    self.take_in(state, token, grant)?;
                }
            }
            Step::Reap { process, lost } => {
                let Some(token) = next(state, process, Role::Keeper) else { return Ok(()) };
                if lost {
                    self.ask(state, token, Letter::Reap(token));
                } else {
                    let grant = self.reap(state, token)?;
                    self.take_in(state, token, grant)?;
                }
            }
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

impl Step {
    /// The same without an answer, if it is a request.
    fn unanswered(self) -> Option<Self> {
        let lost = true;
        Some(match self {
            Self::Join { process, role, .. } => Self::Join { process, role, lost },
            Self::Claim { process, .. } => Self::Claim { process, wanted: 0, lost },
            Self::Reap { process, .. } => Self::Reap { process, lost },
            Self::End { job, at, end, .. } => Self::End { job, at, end, lost },
            Self::Leave { process, .. } => Self::Leave { process, lost },
            Self::Reconcile { process, role, job, .. } => {
                Self::Reconcile { process, role, job, lost }
            }
            _ => return None,
        })
    }

    pub(crate) fn is_lost(self) -> bool {
        match self {
            Self::Join { lost, .. }
            | Self::Claim { lost, .. }
            | Self::Reap { lost, .. }
            | Self::End { lost, .. }
            | Self::Leave { lost, .. }
            | Self::Reconcile { lost, .. } => lost,
            _ => false,
        }
    }
}

/// The claim of a process's next request.
fn next(state: &mut State, process: usize, role: Role) -> Option<Token> {
    let post = *state.post(process, role);
    post.who.map(|who| Token { who, number: post.number })
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
    state.processes[process] = Process { posts: [Post::NONE; 2], is_stopping: false };
}

impl Model for Protocol {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        let store = Store { jobs: vec![Job::ready(); self.jobs], members: Vec::new() };
        let process = Process { posts: [Post::NONE; 2], is_stopping: false };
        State {
            store,
            saved: None,
            work: vec![Work::default(); self.jobs],
            processes: vec![process; self.processes],
            late: Vec::new(),
            left: self.faults,
            rollbacks: 0,
        }
    }

    fn steps(&self, state: &State) -> Vec<Step> {
        let mut steps = Vec::new();
        (0..self.processes).for_each(|process| self.of_process(state, process, &mut steps));
        (0..self.jobs).for_each(|job| self.of_job(state, job, &mut steps));
        self.of_store(state, &mut steps);
        if state.left.losses > 0 {
            let mut lost: Vec<Step> = steps.iter().filter_map(|step| step.unanswered()).collect();
            lost.retain(|step| !self.joins_once || !matches!(step, Step::Join { .. }));
            lost.dedup();
            steps.extend(lost);
        }
        steps
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

    fn is_fault(&self, step: Step) -> bool {
        match step {
            Step::End { end, .. } => end == End::Failed || step.is_lost(),
            Step::LateEnd { .. } | Step::Late { .. } | Step::Crash { .. } | Step::Stop { .. } => {
                true
            }
            Step::Cancel { .. } | Step::Save | Step::RollBack => true,
            _ => step.is_lost(),
        }
    }

    fn is_end(&self, state: &State) -> bool {
        state.store.jobs.iter().all(Job::has_ended)
    }

    fn describe(&self, state: &State, step: Step) -> String {
        crate::words::describe(state, step)
    }
}
