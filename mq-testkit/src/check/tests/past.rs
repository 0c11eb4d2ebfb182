//! Histories by hand.

use std::collections::BTreeMap;

use mq_core::engine::Durability;
use mq_core::{JobId, Priority, QueueName, State, WorkerId};

use super::{Final, Place, Rules, Sample, Verdict, check};
use crate::recorder::{Answer, Destination, Did, Entry, Event};

/// A history in the making. Each event is 1 ms after the one before.
pub(super) struct Past {
    pub(super) entries: Vec<Entry>,
    pub(super) end: Final,
    pub(super) ids: Vec<JobId>,
    workers: BTreeMap<&'static str, WorkerId>,
    now_ns: u64,
    process: u32,
    faults: u64,
}

pub(super) const MS: u64 = 1_000_000;
/// What the store's clock shows when the history begins.
pub(super) const EPOCH_MS: u64 = 1_700_000_000_000;

pub(super) fn queue() -> QueueName {
    QueueName::new("q").unwrap()
}

impl Past {
    pub(super) fn new() -> Self {
        let (entries, ids, end) = (Vec::new(), Vec::new(), Final::default());
        Self { entries, end, ids, workers: BTreeMap::new(), now_ns: 0, process: 1, faults: 0 }
    }

    /// Job number `n`, which gets its id when it is first spoken of.
    pub(super) fn id(&mut self, job: usize) -> JobId {
        while self.ids.len() <= job {
            self.ids.push(JobId::new());
        }
        self.ids[job]
    }

    pub(super) fn worker(&mut self, name: &'static str) -> WorkerId {
        *self.workers.entry(name).or_insert_with(WorkerId::random)
    }

    /// `a.3` is claim 3 of the worker `a`, whose name stands for a random one.
    pub(super) fn claim(&mut self, claim: &'static str) -> String {
        let (worker, number) = claim.split_once('.').unwrap();
        format!("{}.{number}", self.worker(worker))
    }

    pub(super) fn now_ms(&self) -> u64 {
        EPOCH_MS + self.now_ns / MS
    }

    pub(super) fn event(&mut self, event: Event) -> &mut Self {
        self.now_ns += MS;
        self.together(event)
    }

    /// At the same instant as the event before.
    pub(super) fn together(&mut self, event: Event) -> &mut Self {
        self.entries.push(Entry { at_ns: self.now_ns, process: self.process, event });
        self
    }

    /// Lets time pass.
    pub(super) fn after(&mut self, ms: u64) -> &mut Self {
        self.now_ns += ms * MS;
        self
    }

    /// Whose events come next.
    pub(super) fn on(&mut self, process: u32) -> &mut Self {
        self.process = process;
        self
    }

    pub(super) fn sent(&mut self, job: usize) -> &mut Self {
        self.sent_as(job, None, None, Priority::Normal)
    }

    pub(super) fn sent_as(
        &mut self,
        job: usize,
        due_ms: Option<u64>,
        key: Option<&str>,
        priority: Priority,
    ) -> &mut Self {
        let (id, key) = (self.id(job), key.map(str::to_owned));
        self.event(Event::Sent { id, queue: queue(), priority, due_ms, delay_ms: None, key })
    }

    pub(super) fn sent_after(&mut self, job: usize, delay_ms: u64) -> &mut Self {
        let (id, queue, delay_ms) = (self.id(job), queue(), Some(delay_ms));
        let (priority, due_ms, key) = (Priority::Normal, None, None);
        self.event(Event::Sent { id, queue, priority, due_ms, delay_ms, key })
    }

    pub(super) fn acked(&mut self, job: usize) -> &mut Self {
        self.acked_at(job, Durability::Disk1s)
    }

    pub(super) fn acked_at(&mut self, job: usize, level: Durability) -> &mut Self {
        let id = self.id(job);
        self.event(Event::Acked { id, level, instead: None })
    }

    pub(super) fn acked_instead(&mut self, job: usize, other: usize) -> &mut Self {
        let (id, instead) = (self.id(job), Some(self.id(other)));
        self.event(Event::Acked { id, level: Durability::Disk1s, instead })
    }

    pub(super) fn refused(&mut self, job: usize) -> &mut Self {
        let id = self.id(job);
        self.event(Event::Refused { id, why: "Full".into() })
    }

    pub(super) fn in_doubt(&mut self, job: usize) -> &mut Self {
        let id = self.id(job);
        self.event(Event::InDoubt { id })
    }

    /// Sent and acknowledged.
    pub(super) fn enqueued(&mut self, job: usize) -> &mut Self {
        self.sent(job).acked(job)
    }

    pub(super) fn claimed(&mut self, job: usize, claim: &'static str) -> &mut Self {
        self.granted(job, claim, 0, 0, false)
    }

    pub(super) fn granted(
        &mut self,
        job: usize,
        claim: &'static str,
        attempts: u32,
        interruptions: u32,
        reaped: bool,
    ) -> &mut Self {
        let (id, claim, now_ms) = (self.id(job), self.claim(claim), self.now_ms());
        let queue = queue();
        self.event(Event::Claimed { id, claim, queue, attempts, interruptions, now_ms, reaped })
    }

    pub(super) fn started(&mut self, job: usize, claim: &'static str) -> &mut Self {
        let (id, claim) = (self.id(job), self.claim(claim));
        self.event(Event::Started { id, claim })
    }

    pub(super) fn effect(&mut self, job: usize, claim: &'static str) -> &mut Self {
        let (id, claim) = (self.id(job), self.claim(claim));
        self.event(Event::Effect { id, claim, what: "e".into() })
    }

    pub(super) fn ended(&mut self, job: usize, claim: &'static str, ok: bool) -> &mut Self {
        let (id, claim) = (self.id(job), self.claim(claim));
        self.event(Event::Ended { id, claim, ok })
    }

    pub(super) fn finishing(
        &mut self,
        job: usize,
        claim: &'static str,
        to: Destination,
        failed: bool,
    ) -> &mut Self {
        self.finishing_at(job, claim, to, failed, None)
    }

    pub(super) fn finishing_at(
        &mut self,
        job: usize,
        claim: &'static str,
        to: Destination,
        failed: bool,
        due_ms: Option<u64>,
    ) -> &mut Self {
        let (id, claim) = (self.id(job), self.claim(claim));
        self.event(Event::Finishing { id, claim, to, failed, due_ms })
    }

    pub(super) fn answered(&mut self, job: usize, claim: &'static str, said: Answer) -> &mut Self {
        let (id, claim) = (self.id(job), self.claim(claim));
        self.event(Event::Finished { id, claim, answer: said })
    }

    /// A finish that is applied.
    pub(super) fn finished(
        &mut self,
        job: usize,
        claim: &'static str,
        to: Destination,
    ) -> &mut Self {
        self.finishing(job, claim, to, false).answered(job, claim, Answer::Applied)
    }

    /// From the start of the handler to its accepted success.
    pub(super) fn done(&mut self, job: usize, claim: &'static str) -> &mut Self {
        self.started(job, claim).ended(job, claim, true).finished(job, claim, Destination::Done)
    }

    /// From the start of the handler to its accepted failure.
    pub(super) fn failed(&mut self, job: usize, claim: &'static str) -> &mut Self {
        self.started(job, claim).ended(job, claim, false);
        self.finishing(job, claim, Destination::Again, true);
        self.answered(job, claim, Answer::Applied)
    }

    /// Runs from its claim to its end.
    pub(super) fn run(&mut self, job: usize, claim: &'static str) -> &mut Self {
        self.claimed(job, claim).done(job, claim)
    }

    /// It asks to be known, and is not answered.
    pub(super) fn joins(&mut self, worker: &'static str, lease_ms: u64) -> &mut Self {
        let worker = self.worker(worker);
        self.event(Event::Joining { worker, queue: queue(), lease_ms })
    }

    pub(super) fn joined(&mut self, worker: &'static str, lease_ms: u64) -> &mut Self {
        self.joins(worker, lease_ms);
        let worker = self.worker(worker);
        self.together(Event::Joined { worker, queue: queue() })
    }

    /// It asks for a new lease.
    pub(super) fn asks(&mut self, worker: &'static str) -> &mut Self {
        let worker = self.worker(worker);
        self.event(Event::Extending { worker, queue: queue() })
    }

    /// It asks for a new lease and gets it.
    pub(super) fn beats(&mut self, worker: &'static str) -> &mut Self {
        let queue = queue();
        self.asks(worker);
        let worker = self.worker(worker);
        self.event(Event::Extended { worker, queue })
    }

    pub(super) fn left(&mut self, worker: &'static str) -> &mut Self {
        let worker = self.worker(worker);
        self.event(Event::Leaving { worker, queue: queue() })
    }

    pub(super) fn reaped(&mut self, claim: &'static str, gone: &'static str) -> &mut Self {
        let (claim, workers) = (self.claim(claim), vec![self.worker(gone)]);
        self.event(Event::Reaped { claim, queue: queue(), workers })
    }

    /// A sweep by process 3 that takes the job over and puts it where interrupted jobs go.
    pub(super) fn taken_over(
        &mut self,
        job: usize,
        claim: &'static str,
        attempts: u32,
        interruptions: u32,
    ) -> &mut Self {
        self.on(3).granted(job, claim, attempts, interruptions, true);
        self.finished(job, claim, Destination::Again)
    }

    pub(super) fn operated(&mut self, job: usize, verb: &str) -> &mut Self {
        self.ordered(job, verb, Did::Applied)
    }

    pub(super) fn ordered(&mut self, job: usize, verb: &str, did: Did) -> &mut Self {
        let id = self.id(job);
        self.event(Event::Operating { id, verb: verb.to_owned() });
        self.event(Event::Operated { id, verb: verb.to_owned(), did })
    }

    /// A fault for ever, on these processes.
    pub(super) fn fault(&mut self, kind: &str, processes: &[u32]) -> &mut Self {
        self.faults += 1;
        let (fault, processes) = (self.faults, processes.to_vec());
        self.event(Event::FaultBegan { fault, kind: kind.to_owned(), processes })
    }

    /// The last fault is over.
    pub(super) fn over(&mut self) -> &mut Self {
        let fault = self.faults;
        self.event(Event::FaultEnded { fault })
    }

    /// Power was lost, and with it everything of the last so many ms.
    pub(super) fn rolled_back(&mut self, ms: u64) -> &mut Self {
        let to_ns = self.now_ns.saturating_sub(ms * MS);
        self.fault("power", &[]).over();
        self.event(Event::RolledBack { to_ns })
    }

    /// The store has the job at the end.
    pub(super) fn kept(&mut self, job: usize, state: State) -> &mut Self {
        let place = Place { queue: queue(), state };
        let id = self.id(job);
        self.end.api.push((id, place));
        self
    }

    pub(super) fn sample(&mut self, what: &str, value: u64) -> &mut Self {
        let (at_ns, process) = (self.now_ns, self.process);
        self.end.samples.push(Sample { at_ns, process, what: what.to_owned(), value });
        self
    }

    pub(super) fn verdict(&self, rules: &Rules) -> Verdict {
        check(&self.entries, &self.end, rules)
    }
}
