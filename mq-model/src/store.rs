//! The store: what its operations do, each at one instant, as the scripts of `mq-redis` and the
//! transactions of `mq-sqlite` do it.
//!
//! Leases have no clock here. A worker whose lease has ended and who was not swept is still itself,
//! so all that matters is whether it was revoked, and that may happen at any time.

use crate::mutant::Mutant;
use crate::names::{Token, Who};
use crate::rules::{Past, Place};

/// Everything that is stored, and would be lost by a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Store {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// The workers that are registered, in order.
    pub members: Vec<Member>,
    /// Those that were found gone or have left and may not join again, in order.
    pub gone: Vec<Who>,
}

/// One job. Each place has a bit and each receipt an entry of its own, so that a job can turn out
/// to be in two places or in none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Job {
    /// A bit for each [`Place`] that has it.
    pub places: u8,
    /// The claims that hold it.
    pub receipts: Vec<Token>,
    /// Its history.
    pub past: Past,
    /// Whether somebody asked to cancel it.
    pub is_unwanted: bool,
    /// For the promises: the claim that got it last and has not been ended.
    pub current: Option<Token>,
    /// For the promises: the claims under which it was handed out, as long as a request under the
    /// same number is possible.
    pub granted: Vec<Token>,
}

/// One worker incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Member {
    /// Its name.
    pub who: Who,
    /// Whether a sweep has found it gone; its jobs are being taken over.
    pub is_revoked: bool,
    /// The highest claim number that it has used, 0 for none.
    pub last: u8,
}

/// Answer to the end of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// It was made; the job is in that place now.
    Applied(Place),
    /// The claim does not hold the job.
    Already,
    /// The worker was found gone.
    Fenced,
}

impl Job {
    /// A job that was just stored.
    pub fn ready() -> Self {
        Self { places: 1 << Place::Ready as u8, ..Self::default() }
    }

    /// Whether a place has it.
    pub fn is_in(&self, place: Place) -> bool {
        self.places & 1 << place as u8 != 0
    }

    /// Whether it has come to its end.
    pub fn has_ended(&self) -> bool {
        [Place::Done, Place::Dead, Place::Cancelled].iter().any(|place| self.is_in(*place))
    }

    fn leave(&mut self, place: Place) {
        self.places &= !(1 << place as u8);
    }

    fn enter(&mut self, place: Place) {
        self.places |= 1 << place as u8;
    }

    fn hold(&mut self, token: Token) {
        self.receipts.push(token);
        self.current = Some(token);
    }
}

impl Store {
    /// A member that may act.
    pub fn standing(&self, who: Who) -> Option<&Member> {
        self.members.iter().find(|member| member.who == who && !member.is_revoked)
    }

    /// The jobs that wait for a worker, as bits.
    pub fn ready(&self) -> u8 {
        self.mask(|job| job.is_in(Place::Ready))
    }

    fn mask(&self, of: impl Fn(&Job) -> bool) -> u8 {
        let bits = self.jobs.iter().enumerate().filter(|(_, job)| of(job));
        bits.fold(0, |mask, (at, _)| mask | 1 << at)
    }

    fn remember(&mut self, token: Token) {
        let member = self.members.iter_mut().find(|member| member.who == token.who);
        if let Some(member) = member {
            member.last = member.last.max(token.number);
        }
    }

    /// `join`: leaves alone whoever is being taken over or is gone.
    pub fn join(&mut self, who: Who) {
        if self.gone.binary_search(&who).is_err()
            && !self.members.iter().any(|member| member.who == who)
        {
            self.members.push(Member { who, is_revoked: false, last: 0 });
            self.members.sort_unstable();
        }
    }

    /// `leave`: what the worker still holds waits for a sweep.
    pub fn leave(&mut self, who: Who) {
        if let Some(member) = self.members.iter_mut().find(|member| member.who == who) {
            member.is_revoked = true;
        }
        self.bury_members();
    }

    /// The first half of `reap`: finds a worker gone.
    pub fn revoke(&mut self, who: Who) {
        if let Some(member) = self.members.iter_mut().find(|member| member.who == who) {
            member.is_revoked = true;
        }
    }

    /// `claim`: gives those of the `wanted` jobs that are ready, or what this number got before.
    /// Nothing if the worker is lost.
    pub fn claim(&mut self, token: Token, wanted: u8, mutant: Option<Mutant>) -> Option<Grant> {
        let last = self.standing(token.who)?.last;
        let held = self.mask(|job| job.receipts.contains(&token));
        let was_used = match mutant {
            Some(Mutant::UsedNumberIsForgotten) => held != 0,
            _ => token.number <= last,
        };
        if was_used {
            return Some(Grant { jobs: held, is_new: false });
        }
        self.remember(token);
        let mut jobs = 0;
        for (at, job) in self.jobs.iter_mut().enumerate() {
            if mutant == Some(Mutant::ReceiptIsDroppedEarly) {
                job.receipts.retain(|other| other.who != token.who);
            }
            if wanted & 1 << at != 0 && job.is_in(Place::Ready) {
                job.leave(Place::Ready);
                job.hold(token);
                jobs |= 1 << at;
            }
        }
        Some(Grant { jobs, is_new: true })
    }

    /// The second half of `reap`: takes over what revoked workers hold. Nothing if the reaper is
    /// lost itself.
    pub fn take(&mut self, token: Token, mutant: Option<Mutant>) -> Option<Grant> {
        let last = self.standing(token.who)?.last;
        if token.number <= last && mutant != Some(Mutant::ReapIgnoresItsNumber) {
            let jobs = self.mask(|job| job.receipts.contains(&token));
            return Some(Grant { jobs, is_new: false });
        }
        self.remember(token);
        let gone: Vec<Who> =
            self.members.iter().filter(|member| member.is_revoked).map(|m| m.who).collect();
        let mut jobs = 0;
        for (at, job) in self.jobs.iter_mut().enumerate() {
            if !job.receipts.iter().any(|held| gone.contains(&held.who)) {
                continue;
            }
            if mutant != Some(Mutant::ReapDoesNotRelease) {
                job.receipts.retain(|held| !gone.contains(&held.who));
            }
            job.hold(token);
            jobs |= 1 << at;
        }
        self.bury_members();
        Some(Grant { jobs, is_new: true })
    }

    /// `finish`: only what the claim holds, only while its worker is registered, and once.
    pub fn finish(
        &mut self,
        at: usize,
        token: Token,
        (place, past): (Place, Option<Past>),
        mutant: Option<Mutant>,
    ) -> Finished {
        let is_standing = self.standing(token.who).is_some();
        let job = &mut self.jobs[at];
        match mutant {
            Some(Mutant::NobodyIsFenced) if !job.has_ended() => job.receipts.clear(),
            Some(Mutant::NumberIsNotCompared) if is_standing => {
                let Some(held) = job.receipts.iter().position(|held| held.who == token.who) else {
                    return Finished::Already;
                };
                job.receipts.remove(held);
            }
            Some(Mutant::FinishIsAppliedTwice) if is_standing => {
                job.receipts.retain(|held| *held != token);
            }
            _ => {
                if !is_standing {
                    return Finished::Fenced;
                }
                let Some(held) = job.receipts.iter().position(|held| *held == token) else {
                    return Finished::Already;
                };
                job.receipts.remove(held);
            }
        }
        if mutant == Some(Mutant::NobodyIsFenced) {
            job.places = 0;
        }
        job.enter(place);
        if let Some(past) = past.filter(|_| mutant != Some(Mutant::PastIsNotStored)) {
            job.past = past;
        }
        job.is_unwanted &= !place.is_end();
        Finished::Applied(place)
    }

    /// `promote`: the time of a job has come.
    pub fn promote(&mut self, at: usize) {
        self.jobs[at].leave(Place::Later);
        self.jobs[at].enter(Place::Ready);
    }

    /// `cancel`: ends a job that waits at once; for one that runs the request is noted.
    pub fn cancel(&mut self, at: usize) -> bool {
        let job = &mut self.jobs[at];
        for place in [Place::Ready, Place::Later] {
            if job.is_in(place) {
                job.leave(place);
                job.enter(Place::Cancelled);
                job.is_unwanted = false;
                return true;
            }
        }
        job.is_unwanted = !job.receipts.is_empty();
        false
    }

    /// Strikes revoked workers off that hold nothing any more.
    fn bury_members(&mut self) {
        let jobs = &self.jobs;
        let holds = |who| jobs.iter().any(|job| job.receipts.iter().any(|held| held.who == who));
        let is_left = |member: &Member| !member.is_revoked || holds(member.who);
        self.gone.extend(self.members.iter().filter(|member| !is_left(member)).map(|m| m.who));
        self.gone.sort_unstable();
        self.members.retain(is_left);
    }
}

/// What a claim or a reap got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The jobs, as bits.
    pub jobs: u8,
    /// Whether the number was used for the first time.
    pub is_new: bool,
}
