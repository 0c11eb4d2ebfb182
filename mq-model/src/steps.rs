//! Who may do what, and when.

use crate::mutant::Mutant;
use crate::names::{ROLES, Role, Token, Who};
use crate::protocol::Protocol;
use crate::rules::{ENDS, End, Place};
use crate::state::{Attempt, Letter, State};
use crate::store::Job;

/// One thing that happens. Processes and jobs are numbers, `lost` means that there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "a step is explained as a whole, its parts by their types")]
pub enum Step {
    /// The request by which a process has joined was sent twice, and a copy arrives late.
    JoinTwice { process: usize, role: Role },
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
    /// A process gives back a job that it holds by the store's word only; a keeper takes a new
    /// name.
    Reconcile { process: usize, role: Role, job: usize, lost: bool },
    /// The store is as durable as it is now.
    Save,
    /// The store loses what came after.
    RollBack,
}

impl Protocol {
    /// Everything that can happen in a state.
    pub(crate) fn possible(&self, state: &State) -> Vec<Step> {
        let mut steps = Vec::new();
        (0..self.processes).for_each(|process| self.of_process(state, process, &mut steps));
        (0..self.jobs).for_each(|job| self.of_job(state, job, &mut steps));
        self.of_store(state, &mut steps);
        if state.left.losses > 0 {
            let lost: Vec<Step> = steps.iter().filter_map(|step| step.unanswered()).collect();
            steps.extend(lost);
        }
        steps
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
            if state.store.standing(post.who).is_none() {
                steps.push(Step::Beat { process, role });
            }
            if state.left.losses > 0 && !self.joins_once {
                steps.push(Step::JoinTwice { process, role });
            }
        }
        // Asking in vain only uses a number up, so it is left out, unless the request is delayed.
        let wants_claim = puller.is_asking || !is_stopping && self.room(state, process) > 0;
        if wants_claim && (puller.is_asking || state.store.ready() != 0) {
            for wanted in self.choices(state.store.ready(), self.room(state, process).max(1)) {
                steps.push(Step::Claim { process, wanted, lost: false });
            }
        }
        let wants_reap = state.taken(process) == 0;
        let mut members = state.store.members.iter();
        let is_due = members.any(|member| member.is_revoked && state.matters(member.who));
        if wants_reap && (keeper.is_asking || is_due) {
            steps.push(Step::Reap { process, lost: false });
        }
        if state.left.losses > 0 {
            let claim = Step::Claim { process, wanted: 0, lost: true };
            let reap = Step::Reap { process, lost: true };
            steps.extend(
                [(wants_claim, claim), (wants_reap, reap)]
                    .into_iter()
                    .filter_map(|(wants, step)| wants.then_some(step)),
            );
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

    fn room(&self, state: &State, process: usize) -> usize {
        self.slots.saturating_sub(state.running(process))
    }

    fn of_job(&self, state: &State, job: usize, steps: &mut Vec<Step>) {
        let stored = &state.store.jobs[job];
        if stored.is_in(Place::Later) {
            steps.push(Step::Promote { job });
        }
        for (at, attempt) in state.work[job].attempts.iter().enumerate() {
            let ends = ENDS.into_iter().filter(|end| match attempt.sent {
                Some(sent) => sent == *end,
                None => can_end(state, stored, attempt, *end),
            });
            steps.extend(ends.map(|end| Step::End { job, at, end, lost: false }));
        }
        let late = 0..state.work[job].late.len();
        steps.extend(late.map(|at| Step::LateEnd { job, at }));
        if state.left.cancels > 0 && !stored.has_ended() && !stored.is_unwanted {
            steps.push(Step::Cancel { job });
        }
        for process in 0..self.processes {
            let roles = ROLES.into_iter().filter(|_| self.reconciles);
            let roles = roles.filter(|role| self.doubted(state, process, *role, job).is_some());
            steps.extend(roles.map(|role| Step::Reconcile { process, role, job, lost: false }));
        }
    }

    /// The claim by which a process holds a job that it gives back.
    pub(crate) fn doubted(
        &self,
        state: &State,
        process: usize,
        role: Role,
        job: usize,
    ) -> Option<Token> {
        let doubts_itself = self.is(match role {
            Role::Puller => Mutant::WorkerDoubtsItself,
            Role::Keeper => Mutant::KeeperDoubtsItself,
        });
        if doubts_itself {
            let post = state.processes[process].posts[role as usize];
            let receipts = &state.store.jobs[job].receipts;
            return receipts.iter().find(|held| held.who == post.who).copied();
        }
        let is_idle = role == Role::Puller || state.taken(process) == 0;
        state.unknown(process, role, job).filter(|_| is_idle)
    }

    fn of_store(&self, state: &State, steps: &mut Vec<Step>) {
        for member in state.store.members.iter().filter(|member| !member.is_revoked) {
            let keepers = state.processes.iter().map(|it| it.posts[Role::Keeper as usize].who);
            let mut sweepers = keepers.filter(|who| *who != member.who);
            let is_owned = state.is_in_use(member.who);
            if sweepers.any(|who| state.store.standing(who).is_some())
                && (!is_owned || state.left.lapses > 0)
            {
                steps.push(Step::Revoke { who: member.who });
            }
        }
        for (at, letter) in state.late.iter().enumerate() {
            match letter {
                Letter::Ask(token) if token.who.role == Role::Puller => {
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
}

impl Step {
    /// The same without an answer, if it is a request other than one for jobs.
    fn unanswered(self) -> Option<Self> {
        let lost = true;
        Some(match self {
            Self::End { job, at, end, .. } => Self::End { job, at, end, lost },
            Self::Leave { process, .. } => Self::Leave { process, lost },
            Self::Reconcile { process, role, job, .. } => {
                Self::Reconcile { process, role, job, lost }
            }
            _ => return None,
        })
    }

    /// Whether it is a request without an answer.
    pub(crate) fn is_lost(self) -> bool {
        match self {
            Self::Claim { lost, .. }
            | Self::Reap { lost, .. }
            | Self::End { lost, .. }
            | Self::Leave { lost, .. }
            | Self::Reconcile { lost, .. } => lost,
            _ => false,
        }
    }

    /// Whether nobody may count on it.
    pub(crate) fn is_fault(self, state: &State) -> bool {
        match self {
            // One that was sent before has failed already.
            Self::End { job, at, end: End::Failed, lost } => {
                lost || state.work[job].attempts[at].sent.is_none()
            }
            Self::LateEnd { .. } | Self::Late { .. } | Self::JoinTwice { .. } => true,
            Self::Revoke { who } => state.is_in_use(who),
            Self::Crash { .. } | Self::Stop { .. } | Self::Cancel { .. } => true,
            Self::Save | Self::RollBack => true,
            _ => self.is_lost(),
        }
    }
}

/// Whether an attempt can end so. One that does not hold its job any more is refused however it
/// ends, so one way stands for all.
fn can_end(state: &State, job: &Job, attempt: &Attempt, end: End) -> bool {
    let process = &state.processes[usize::from(attempt.token.who.process)];
    if attempt.token.who.role == Role::Keeper {
        return end == End::Interrupted;
    }
    let holds = job.receipts.contains(&attempt.token);
    match end {
        End::Done => true,
        End::Failed => holds && state.left.failures > 0,
        End::Cancelled => holds && job.is_unwanted,
        End::HandedBack => holds && process.is_stopping,
        End::Unknown | End::Interrupted => false,
    }
}
