//! All that there is at one instant: the store, the processes, and what is still under way.

use crate::names::{Role, Token, Who};
use crate::rules::{End, Past};
use crate::store::{Job, Store};

/// How much may happen that nobody wishes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Faults {
    /// Processes that die at any point, and start anew.
    pub crashes: u8,
    /// Live workers that are found gone, because they were frozen or cut off, and go on later.
    pub lapses: u8,
    /// Requests that get no answer. A copy is left that arrives at any later time or never: so this
    /// is a lost request, a lost reply, a delay and a duplicate in one.
    pub losses: u8,
    /// Attempts that fail.
    pub failures: u8,
    /// Processes that are told to stop.
    pub stops: u8,
    /// Requests of an operator to cancel a job.
    pub cancels: u8,
    /// Returns of the store to what it was at any earlier instant.
    pub rollbacks: u8,
}

/// One state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct State {
    /// What is stored.
    pub store: Store,
    /// What a rollback will bring back.
    pub saved: Option<Box<Store>>,
    /// Per job, what is known of it outside of the store.
    pub work: Vec<Work>,
    /// The processes.
    pub processes: Vec<Process>,
    /// Copies of requests that may still arrive.
    pub late: Vec<Letter>,
    /// What may still go wrong.
    pub left: Faults,
    /// How often the store was rolled back.
    pub rollbacks: u8,
}

/// A job outside of the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Work {
    /// Attempts at it that go on somewhere, and ends of it that a reaper has to send.
    pub attempts: Vec<Attempt>,
    /// Copies of its ends that may still arrive.
    pub late: Vec<Late>,
    /// For the promises: how often a handler was started.
    pub starts: u8,
    /// For the promises: how many failures and interruptions the store has counted.
    pub causes: u8,
    /// For the promises: how often a job that was run was given back.
    pub handed_back: u8,
    /// For the promises: how many ends were accepted.
    pub outcomes: u8,
}

/// A job in the hands of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt {
    /// The claim.
    pub token: Token,
    /// The history that came with it.
    pub past: Past,
    /// How it ended, if that was sent and not answered.
    pub sent: Option<End>,
}

/// The end of an attempt, on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Late {
    /// The claim.
    pub token: Token,
    /// The history before.
    pub past: Past,
    /// How the attempt ended.
    pub end: End,
}

/// A request on its way, other than the end of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Letter {
    /// `join`.
    Join(Who),
    /// `leave`.
    Leave(Who),
    /// `claim` of a puller, `reap` of a keeper.
    Ask(Token),
}

/// A process with its two incarnations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process {
    /// By [`Role`].
    pub posts: [Post; 2],
    /// Whether it was told to stop.
    pub is_stopping: bool,
}

/// What a process knows of one of its incarnations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Post {
    /// Its name.
    pub who: Who,
    /// The number of its next request, which is also that of one without an answer.
    pub number: u8,
    /// Whether there is one without an answer.
    pub is_asking: bool,
}

impl Post {
    /// Somebody who has just joined.
    pub fn new(who: Who) -> Self {
        Self { who, number: 1, is_asking: false }
    }
}

impl State {
    /// What a process knows of one of its incarnations.
    pub fn post(&mut self, process: usize, role: Role) -> &mut Post {
        &mut self.processes[process].posts[role as usize]
    }

    /// Whether a live process goes by this name.
    pub fn is_in_use(&self, who: Who) -> bool {
        self.processes[usize::from(who.process)].posts[who.role as usize].who == who
    }

    /// Whether a worker could be missed: somebody goes by its name, or it holds a job, or a request
    /// of it may arrive that gives it some.
    pub fn matters(&self, who: Who) -> bool {
        let holds = |job: &Job| job.receipts.iter().any(|held| held.who == who);
        self.is_in_use(who)
            || self.store.jobs.iter().any(holds)
            || self.late.iter().any(|of| matches!(of, Letter::Ask(by) if by.who == who))
    }

    /// Jobs that a process runs.
    pub fn running(&self, process: usize) -> usize {
        self.count(process, Role::Puller)
    }

    /// Jobs that a process took over and has not given an end yet.
    pub fn taken(&self, process: usize) -> usize {
        self.count(process, Role::Keeper)
    }

    fn count(&self, process: usize, role: Role) -> usize {
        let attempts = self.work.iter().flat_map(|work| &work.attempts);
        let of = |attempt: &&Attempt| {
            let who = attempt.token.who;
            usize::from(who.process) == process && who.role == role
        };
        attempts.filter(of).count()
    }

    /// Whether a claim or a reap under this number may still arrive.
    pub fn can_be_asked(&self, token: Token) -> bool {
        self.late.contains(&Letter::Ask(token))
            || self.processes.iter().any(|process| {
                let post = process.posts[token.who.role as usize];
                post.who == token.who && post.number <= token.number
            })
    }

    /// A claim by which a process has a job for the store and not for itself, although its requests
    /// were all answered.
    pub fn unknown(&self, process: usize, role: Role, job: usize) -> Option<Token> {
        let post = self.processes[process].posts[role as usize];
        let is_unknown = |token: &&Token| {
            token.who == post.who
                && !post.is_asking
                && token.number < post.number
                && !self.work[job].attempts.iter().any(|attempt| attempt.token == **token)
        };
        self.store.jobs[job].receipts.iter().find(is_unknown).copied()
    }

    /// Calls `f` with all names, and with the numbers that go with them.
    pub fn each_name(&mut self, f: &mut dyn FnMut(&mut Who, Option<&mut u8>)) {
        let stores = [Some(&mut self.store), self.saved.as_deref_mut()];
        for store in stores.into_iter().flatten() {
            store.members.iter_mut().for_each(|member| f(&mut member.who, None));
            store.gone.iter_mut().for_each(|who| f(who, None));
            for job in &mut store.jobs {
                let tokens = job.receipts.iter_mut().chain(&mut job.granted);
                for token in tokens.chain(&mut job.current) {
                    f(&mut token.who, Some(&mut token.number));
                }
            }
        }
        for work in &mut self.work {
            let attempts = work.attempts.iter_mut().map(|attempt| &mut attempt.token);
            let late = work.late.iter_mut().map(|late| &mut late.token);
            for token in attempts.chain(late) {
                f(&mut token.who, Some(&mut token.number));
            }
        }
        for post in self.processes.iter_mut().flat_map(|process| &mut process.posts) {
            f(&mut post.who, Some(&mut post.number));
        }
        for letter in &mut self.late {
            match letter {
                Letter::Join(who) | Letter::Leave(who) => f(who, None),
                Letter::Ask(token) => f(&mut token.who, Some(&mut token.number)),
            }
        }
    }
}
