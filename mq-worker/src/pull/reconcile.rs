//! What the store says this worker holds, against what the worker knows.
//!
//! A store that loses its last second, by a power loss or a fail-over, may say afterwards that a
//! live worker runs jobs which that worker has ended. Nobody would ever take them over, because its
//! beats keep their lease. So once per lease a beat asks how many jobs each claim holds. A claim
//! that was answered and that, twice in a row, holds more than is known of here, is looked at: the
//! loop asks for it again, while no request is unanswered. Jobs that it holds and that are not
//! known here are handed back, by a finish, which is fenced like all. A housekeeper takes a new
//! name instead.
//!
//! Not by listing this worker's jobs: the answer to a repeated claim says the same and has what a
//! finish needs.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::{Mutex, PoisonError};

use mq_core::engine::{ClaimRequest, Finish, Holding, QueueClaim};
use mq_core::lifecycle::{Decision, Transition};
use mq_core::telemetry::TARGET_WORKER;
use mq_core::{Claim, JobId, WorkerId};

use super::Puller;
use crate::outcomes::Settled;
use crate::report::Class;

/// The claims that a beat found to hold jobs.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) queue: usize,
    pub(crate) worker: WorkerId,
    pub(crate) claims: Vec<Holding>,
}

/// What beats found, on its way from the keeper to the loop: the latest word on each queue.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Mutex<Vec<Named>>);

impl Mailbox {
    pub(crate) fn put(&self, named: Named) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.queue != named.queue);
        all.push(named);
    }

    fn take(&self) -> Vec<Named> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Claims of which the store knew more jobs than this worker.
#[derive(Debug, Default)]
pub(crate) struct Suspects(HashSet<(WorkerId, u64)>);

impl Suspects {
    /// Takes in which claims of a worker hold jobs. Returns the numbers of those that hold more
    /// than is `known` here, and did so the last time: once, it may just have been on its way.
    pub(crate) fn confirm(
        &mut self,
        worker: WorkerId,
        claims: &[Holding],
        known: impl Fn(u64) -> usize,
    ) -> Vec<u64> {
        let more = claims.iter().filter(|claim| claim.jobs > known(claim.number));
        let mut numbers: Vec<u64> = more.map(|claim| claim.number).collect();
        let suspects = numbers.iter().map(|number| (worker, *number)).collect();
        let before = mem::replace(&mut self.0, suspects);
        numbers.retain(|number| before.contains(&(worker, *number)));
        numbers
    }
}

/// A job, and the claim by which it came.
pub(crate) type Came = (JobId, WorkerId, u64);

impl Puller {
    /// Hands back what this worker holds by the store's word only. To be called while no request is
    /// unanswered.
    pub(super) async fn reconcile(&mut self) {
        for Named { queue, worker, claims } in self.shared.named.take() {
            if self.shared.members.worker(queue) != Some(worker) {
                continue;
            }
            let Some(known) = self.known() else { return };
            let mut counts: HashMap<u64, usize> = HashMap::new();
            for (_, _, number) in known.iter().filter(|(_, of, _)| *of == worker) {
                *counts.entry(*number).or_default() += 1;
            }
            let next = self.lines[queue].next_number;
            let count = |number: u64| match number < next {
                true => counts.get(&number).copied().unwrap_or(0),
                // Not answered when the beat was.
                false => usize::MAX,
            };
            for number in self.suspects[queue].confirm(worker, &claims, count) {
                self.hand_back_unknown(queue, worker, number, &known).await;
            }
        }
    }

    /// The jobs that this worker has and that have not ended for the store. None while some job is
    /// between the table of those that run and the pile of those that have ended: the next beat
    /// will ask again.
    fn known(&mut self) -> Option<HashSet<Came>> {
        let used = self.slots.used();
        let mut known = self.shared.running.all();
        let (running, before) = (known.len(), self.settled.len());
        self.collect();
        let ended = self.settled[before..].iter().filter(|job| !known.contains(&came(job))).count();
        known.extend(self.settled.iter().chain(self.withheld.all()).map(came));
        (running + ended == used).then_some(known)
    }

    async fn hand_back_unknown(
        &mut self,
        queue: usize,
        worker: WorkerId,
        number: u64,
        known: &HashSet<Came>,
    ) {
        let claim = Claim { queue: self.lines[queue].name.clone(), worker, number };
        // Nothing more, should the store have forgotten meanwhile that the number was used.
        let queues = vec![QueueClaim { claim, limit: 0 }];
        let request = ClaimRequest { finishes: Vec::new(), limit: 0, queues };
        let mut jobs = match self.engine.claim(request).await {
            Ok(reply) => reply.jobs,
            Err(error) => return self.pause(&error).await,
        };
        jobs.retain(|job| !known.contains(&(job.id, worker, number)));
        if jobs.is_empty() {
            return;
        }
        tracing::warn!(
            target: TARGET_WORKER, queue = %self.lines[queue].name, %worker, jobs = jobs.len(),
            "the store says that jobs run here which have ended, as if it had been rolled back; \
             they are handed back and run again"
        );
        self.settled.extend(jobs.into_iter().map(|job| {
            let decision = Decision { transition: Transition::Release, history: None };
            let finish = Finish::interrupted(job, decision);
            Settled { finish, class: Class::HandedBack, slot: None }
        }));
    }
}

fn came(job: &Settled) -> Came {
    let Finish { id, claim, .. } = &job.finish;
    (*id, claim.worker, claim.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [u64; 0] = [];

    #[test]
    fn a_claim_is_looked_at_when_it_holds_too_much_twice_in_a_row() {
        let (mut suspects, worker) = (Suspects::default(), WorkerId::random());
        let confirm = |suspects: &mut Suspects, worker, claims: &[(u64, usize)]| {
            let claims: Vec<_> =
                claims.iter().map(|&(number, jobs)| Holding { number, jobs }).collect();
            let known = |number| if number == 3 { 2 } else { 0 };
            suspects.confirm(worker, &claims, known)
        };
        assert_eq!(confirm(&mut suspects, worker, &[(1, 1), (2, 5), (3, 2)]), NONE);
        assert_eq!(confirm(&mut suspects, worker, &[(2, 4), (3, 3), (4, 1)]), [2]);
        assert_eq!(confirm(&mut suspects, worker, &[(1, 1), (3, 3), (4, 1)]), [3, 4]);
        assert_eq!(confirm(&mut suspects, worker, &[(3, 1)]), NONE);
        assert_eq!(confirm(&mut suspects, worker, &[(1, 1), (4, 1)]), NONE);
        let other = confirm(&mut suspects, WorkerId::random(), &[(1, 1), (4, 1)]);
        assert_eq!(other, NONE, "another one's numbers");
    }
}
