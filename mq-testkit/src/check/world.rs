//! What a history says about processes, workers and faults.

use std::collections::HashMap;

use crate::recorder::{Destination, Entry, Event};

use super::index::Index;
use super::life::{Grant, worker_of};
use super::rules::Rules;
use super::standstill::{is_answer, standstills};
use super::verdict::Counts;

/// Until all threads of a process have heard that a worker is lost.
const HEARD_NS: u64 = 1_000_000_000;

/// The surroundings of all jobs.
pub(super) struct World<'a> {
    pub(super) rules: &'a Rules,
    /// The processes that had each number, one after the other.
    processes: HashMap<u32, Vec<Process>>,
    pub(super) workers: HashMap<String, Worker>,
    /// Whether beats are in the history.
    pub(super) has_beats: bool,
    faults: Vec<Fault<'a>>,
    hits: HashMap<u32, Vec<Hit>>,
    /// Which faults hit the store.
    of_store: Vec<usize>,
    /// When a frozen process kept the store from everybody.
    standstills: Vec<Fault<'a>>,
    /// When the last event was written.
    pub(super) end: u64,
    /// When there was a worker that could sweep, and a store to do it on.
    watched: Watched,
    pub(super) rollbacks: Vec<Rollback>,
    /// When the store's clock had first shown at least what time, if it was set during the run.
    shown: Vec<(u64, u64)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Process {
    /// When it was started, if that is known.
    spawned: u64,
    last: u64,
    /// When it first wanted to be a worker.
    joined: Option<u64>,
    /// Whether it was given jobs, started some, and said that some were done.
    claims: bool,
    starts: bool,
    is_done: bool,
}

/// A fault of a process.
struct Hit {
    fault: usize,
    /// When another process had got its number, whom this does not hit.
    until: u64,
}

#[derive(Debug, Default)]
pub(super) struct Worker {
    /// When and in which process it wanted to be one.
    pub(super) joined: Option<(u64, u32)>,
    /// Whether it was told that it is one.
    pub(super) is_in: bool,
    lease: Option<u64>,
    pub(super) left: Option<u64>,
    /// When it had asked for more time, and when it had asked for what it then got.
    pub(super) asked: Vec<u64>,
    pub(super) heard: Vec<u64>,
    /// When sweeps had found it gone. A worker that held nothing is forgotten, and a late copy of
    /// its request to join makes it known again.
    pub(super) reaped: Vec<u64>,
    /// When it had learnt that itself.
    pub(super) lost: Option<u64>,
}

#[derive(Clone, Copy)]
pub(super) struct Fault<'a> {
    pub(super) began: u64,
    /// `u64::MAX` if it never ended.
    pub(super) ended: u64,
    pub(super) kind: &'a str,
}

/// The store went back in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rollback {
    /// What had its effect by then is kept.
    pub(super) to: u64,
    /// When it was cut off.
    pub(super) cut: u64,
    /// When that was written down. What was answered by then may be gone, if it is not older than
    /// `to`: answers may have been on their way when the store was cut off.
    pub(super) noted: u64,
}

impl<'a> World<'a> {
    pub(super) fn new(index: &Index<'a>, rules: &'a Rules) -> Self {
        let mut world = Self {
            rules,
            processes: HashMap::new(),
            workers: HashMap::new(),
            has_beats: false,
            faults: Vec::new(),
            hits: HashMap::new(),
            of_store: Vec::new(),
            standstills: Vec::new(),
            end: index.all().last().map_or(0, |entry| entry.at_ns),
            watched: Watched::default(),
            rollbacks: Vec::new(),
            shown: Vec::new(),
        };
        let (mut fault_of, mut answers) = (HashMap::new(), Vec::new());
        for entry in index.all() {
            world.saw(entry);
            answers.extend(is_answer(entry).then_some(entry.at_ns));
            match &entry.event {
                Event::FaultBegan { fault, kind, processes } => {
                    let at = world.faults.len();
                    fault_of.insert(*fault, at);
                    for process in processes {
                        let hit = Hit { fault: at, until: u64::MAX };
                        world.hits.entry(*process).or_default().push(hit);
                    }
                    if processes.is_empty() {
                        world.of_store.push(at);
                    }
                    let (began, ended) = (entry.at_ns, u64::MAX);
                    world.faults.push(Fault { began, ended, kind });
                }
                Event::FaultEnded { fault } => {
                    if let Some(at) = fault_of.get(fault) {
                        world.faults[*at].ended = entry.at_ns;
                    }
                }
                Event::Spawned { child } => {
                    for hit in world.hits.entry(*child).or_default() {
                        hit.until = hit.until.min(entry.at_ns);
                    }
                }
                Event::RolledBack { to_ns } => {
                    let (to, noted) = (*to_ns, entry.at_ns);
                    // The store was cut off when the fault began, and said so when it was back.
                    let cuts = world.of_store.iter().map(|at| &world.faults[*at]);
                    let cut = cuts.map(|fault| fault.began).filter(|began| *began >= to).max();
                    world.rollbacks.push(Rollback { to, cut: cut.unwrap_or(noted), noted });
                }
                Event::Claimed { now_ms, .. } if rules.clock_steps => {
                    let shown = world.shown.last().map_or(0, |(_, shown)| *shown);
                    world.shown.push((entry.at_ns, shown.max(*now_ms)));
                }
                _ => {}
            }
        }
        let lease = rules.lease.as_nanos() as u64;
        world.standstills = standstills(&world.faults, &answers, lease, world.end);
        world.watched = world.watches();
        world
    }

    fn saw(&mut self, entry: &Entry) {
        let at = entry.at_ns;
        let lives = self.processes.entry(entry.process).or_default();
        if lives.is_empty() {
            lives.push(Process::default());
        }
        let process = lives.last_mut().into_iter();
        process.for_each(|process| process.saw(entry));
        match &entry.event {
            Event::Spawned { child } => {
                let next = Process { spawned: at, ..Process::default() };
                self.processes.entry(*child).or_default().push(next);
            }
            Event::Extending { worker, .. } => {
                self.has_beats = true;
                self.worker_mut(worker.to_string()).asked.push(at);
            }
            Event::Extended { worker, .. } => {
                let worker = self.worker_mut(worker.to_string());
                worker.heard.push(worker.asked.last().copied().unwrap_or(at));
            }
            Event::Joining { worker, lease_ms, .. } => {
                let worker = self.worker_mut(worker.to_string());
                worker.joined.get_or_insert((at, entry.process));
                worker.lease.get_or_insert(lease_ms.saturating_mul(1_000_000));
            }
            Event::Joined { worker, .. } => self.worker_mut(worker.to_string()).is_in = true,
            Event::Leaving { worker, .. } => {
                self.worker_mut(worker.to_string()).left.get_or_insert(at);
            }
            Event::Lost { worker, .. } => {
                self.worker_mut(worker.to_string()).lost.get_or_insert(at);
            }
            Event::Reaped { workers, .. } => {
                for worker in workers {
                    self.worker_mut(worker.to_string()).reaped.push(at);
                }
            }
            _ => {}
        }
    }

    fn worker_mut(&mut self, worker: String) -> &mut Worker {
        self.workers.entry(worker).or_default()
    }

    pub(super) fn worker(&self, claim: &str) -> Option<&Worker> {
        self.workers.get(worker_of(claim))
    }

    pub(super) fn lease(&self, worker: Option<&Worker>) -> u64 {
        let lease = worker.and_then(|worker| worker.lease);
        lease.unwrap_or(self.rules.lease.as_nanos() as u64)
    }

    /// Adds the faults to what is counted.
    pub(super) fn count(&self, counts: &mut Counts) {
        counts.processes = self.lives().filter(|(_, life)| life.last > 0).count() as u64;
        for fault in &self.faults {
            *counts.faults.entry(fault.kind.to_owned()).or_default() += 1;
        }
        if !self.rollbacks.is_empty() {
            counts.faults.insert("rolled back".to_owned(), self.rollbacks.len() as u64);
        }
    }

    /// Whether what had its effect at some instant between `first` and `last` may be undone for
    /// what came by `later`.
    pub(super) fn is_undone(&self, first: u64, last: u64, later: u64) -> bool {
        self.undoing(first, last).any(|back| later >= back.cut)
    }

    /// Whether this claim or its end may be undone for what came by `later`.
    pub(super) fn is_grant_undone(&self, grant: &Grant<'_>, later: u64) -> bool {
        self.is_undone(grant.at, grant.at, later)
            || grant.outcome.is_some_and(|end| self.is_undone(end.sent, end.by, later))
    }

    /// The rollbacks that may have undone what had its effect between these.
    pub(super) fn undoing(&self, first: u64, last: u64) -> impl Iterator<Item = &Rollback> {
        self.rollbacks.iter().filter(move |back| last > back.to && first <= back.noted)
    }

    /// Whether a fault hit the store or this process at some instant between these two.
    pub(super) fn is_troubled(&self, process: u32, from: u64, to: u64) -> bool {
        let mut hits = self.of_process(process).chain(self.of_store());
        hits.any(|fault| fault.began <= to && fault.ended >= from)
    }

    /// Whether somebody may have taken this of jobs ([`PASTS_TAKEN`](crate::PASTS_TAKEN) and the
    /// like) at some instant between these two.
    pub(super) fn is_taken(&self, kind: &str, from: u64, to: u64) -> bool {
        let mut taken = self.faults.iter().filter(|fault| fault.kind == kind);
        taken.any(|fault| fault.began <= to && fault.ended >= from)
    }

    /// The faults of one process, by their beginnings.
    pub(super) fn of_process(&self, process: u32) -> impl Iterator<Item = Fault<'a>> {
        self.hits.get(&process).into_iter().flatten().map(|hit| {
            let fault = self.faults[hit.fault];
            Fault { ended: fault.ended.min(hit.until), ..fault }
        })
    }

    /// The faults that the process which had this number then was never rid of.
    pub(super) fn unhealed(&self, process: u32, then: u64) -> impl Iterator<Item = Fault<'a>> {
        let hits = self.hits.get(&process).into_iter().flatten();
        let hits = hits.filter(move |hit| hit.until > then).map(|hit| self.faults[hit.fault]);
        hits.filter(|fault| fault.ended == u64::MAX)
    }

    /// The faults of the store, by their beginnings.
    pub(super) fn of_store(&self) -> impl Iterator<Item = Fault<'a>> {
        let faults = self.of_store.iter().map(|at| self.faults[*at]);
        faults.chain(self.standstills.iter().copied())
    }

    /// The time of the store's clock that a claim may be held to.
    pub(super) fn time_at(&self, grant: &Grant<'_>) -> u64 {
        let seen = self.shown.partition_point(|(at, _)| *at <= grant.at);
        let shown = seen.checked_sub(1).map_or(0, |last| self.shown[last].1);
        grant.now_ms.max(shown)
    }

    /// When the process that had this number then wrote for the last time. What it does later
    /// nobody can know.
    pub(super) fn last_of(&self, process: u32, at: u64) -> u64 {
        let lives = self.processes.get(&process).map_or(&[][..], |lives| lives);
        let next = lives.partition_point(|life| life.spawned <= at);
        lives.get(next.saturating_sub(1)).map_or(0, |life| life.last)
    }

    /// When a sweep had found this claim's worker gone, if any had after it was granted.
    pub(super) fn reaped_at(&self, grant: &Grant<'_>) -> Option<u64> {
        self.worker(grant.claim)?.reaped_since(grant.at)
    }

    /// When this claim's worker was out for all to see: fenced, or told so.
    pub(super) fn fenced_at(&self, grant: &Grant<'_>) -> u64 {
        let lost = self.worker(grant.claim).and_then(|worker| worker.lost);
        let lost = lost.filter(|at| *at >= grant.at).unwrap_or(u64::MAX);
        self.reaped_at(grant).map_or(lost, |reaped| reaped.min(lost))
    }

    /// When this claim's worker knew that it was fenced out, if that was so long before `by` that
    /// all its threads must have heard of it: they may be told one after the other, and none is
    /// while the process is frozen.
    pub(super) fn knew_at(&self, grant: &Grant<'_>, by: u64) -> Option<u64> {
        let lost = self.worker(grant.claim)?.lost?;
        let is_late = lost.saturating_add(HEARD_NS) < by && !self.is_hit(grant.process, lost, by);
        is_late.then_some(lost)
    }

    /// Whether a fault hit this process itself at some instant between these two.
    pub(super) fn is_hit(&self, process: u32, from: u64, to: u64) -> bool {
        self.of_process(process).any(|fault| fault.began <= to && fault.ended >= from)
    }

    /// For how long somebody could have noticed since `since`, up to `to`, that a worker with this
    /// lease was gone: while the store was there, and a worker to sweep. After a gap of a lease and
    /// more the sweeps spare everybody for half a lease.
    pub(super) fn noticeable(&self, since: u64, to: u64, lease: u64) -> u64 {
        self.watched.between(since, to, lease)
    }

    /// What a process may lack that has written what makes no sense.
    pub(super) fn hints(&self) -> Vec<String> {
        let mut hints = Vec::new();
        for (id, process) in self.lives() {
            let said = match *process {
                Process { claims: true, starts: false, is_done: true, .. } => {
                    "was given jobs and started none: has its worker the layer that records \
                     attempts (`.layer(recorder.attempts())`)?"
                }
                Process { claims: false, starts: true, .. } => {
                    "started jobs and was given none: is its worker's client one that the recorder \
                     watches (`recorder.watch(&client)`)?"
                }
                _ => continue,
            };
            hints.push(format!("the process {id} {said}"));
        }
        hints.sort_unstable();
        hints
    }

    fn lives(&self) -> impl Iterator<Item = (u32, &Process)> {
        let all = self.processes.iter();
        all.flat_map(|(id, lives)| lives.iter().map(move |life| (*id, life)))
    }

    fn watches(&self) -> Watched {
        let mut parts = Vec::new();
        for (id, process) in self.lives() {
            let Some(mut since) = process.joined else { continue };
            let mut faults: Vec<_> = self.of_process(id).chain(self.of_store()).collect();
            faults.sort_unstable_by_key(|fault| fault.began);
            for fault in faults.into_iter().filter(|fault| fault.began < process.last) {
                if fault.began > since {
                    parts.push((since, fault.began));
                }
                since = since.max(fault.ended);
            }
            if since < process.last {
                parts.push((since, process.last));
            }
        }
        Watched::of(parts)
    }
}

impl Process {
    fn saw(&mut self, entry: &Entry) {
        self.last = entry.at_ns;
        match entry.event {
            Event::Joining { .. } => drop(self.joined.get_or_insert(entry.at_ns)),
            Event::Claimed { reaped: false, .. } => self.claims = true,
            Event::Started { .. } => self.starts = true,
            Event::Finishing { to: Destination::Done, .. } => self.is_done = true,
            _ => {}
        }
    }
}

impl Worker {
    pub(super) fn reaped_since(&self, at: u64) -> Option<u64> {
        self.reaped.iter().copied().find(|reaped| *reaped >= at)
    }
}

/// Times that do not touch each other, by their beginnings.
#[derive(Debug, Default)]
struct Watched(Vec<(u64, u64)>);

impl Watched {
    fn of(mut parts: Vec<(u64, u64)>) -> Self {
        parts.sort_unstable();
        let mut watched: Vec<(u64, u64)> = Vec::new();
        for (from, to) in parts {
            match watched.last_mut() {
                Some((_, last)) if *last >= from => *last = to.max(*last),
                _ => watched.push((from, to)),
            }
        }
        Self(watched)
    }

    /// How much of a time is in here, without half a lease for each gap of a lease and more.
    fn between(&self, since: u64, to: u64, lease: u64) -> u64 {
        let first = self.0.partition_point(|(_, end)| *end <= since);
        let (mut sum, mut spared, mut until) = (0, 0, since);
        for (from, end) in self.0[first..].iter().take_while(|(from, _)| *from < to) {
            let from = (*from).max(since);
            spared += if from.saturating_sub(until) >= lease { lease / 2 } else { 0 };
            until = (*end).min(to);
            // A fault may have begun after the takeover that its process has suffered.
            sum += until.saturating_sub(from);
        }
        u64::saturating_sub(sum, spared)
    }
}
