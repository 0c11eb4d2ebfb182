//! What a history says about processes, workers and faults.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::recorder::{Entry, Event};

use super::index::Index;
use super::life::{Grant, worker_of};
use super::rules::Rules;
use super::verdict::Counts;

const SECOND: u64 = 1_000_000_000;

/// The surroundings of all jobs.
pub(super) struct World<'a> {
    pub(super) rules: &'a Rules,
    processes: HashMap<u32, Process>,
    workers: HashMap<String, Worker>,
    faults: Vec<Fault<'a>>,
    /// Which faults hit each process.
    hits: HashMap<u32, Vec<usize>>,
    /// Which faults hit the store.
    of_store: Vec<usize>,
    /// When there was a worker that could sweep, and a store to do it on.
    watched: Watched,
    rollbacks: Vec<Rollback>,
    /// When the store's clock had first shown at least what time, if it was set during the run.
    shown: Vec<(u64, u64)>,
}

#[derive(Debug, Clone, Copy)]
struct Process {
    last: u64,
    /// When it first wanted to be a worker.
    joined: Option<u64>,
}

#[derive(Debug, Default)]
struct Worker {
    /// When and in which process it wanted to be one.
    joined: Option<(u64, u32)>,
    lease: Option<u64>,
    left: Option<u64>,
    /// When sweeps had found it gone. A worker that held nothing is forgotten, and a late copy of
    /// its request to join makes it known again.
    reaped: Vec<u64>,
    /// When it had learnt that itself.
    lost: Option<u64>,
}

struct Fault<'a> {
    began: u64,
    /// `u64::MAX` if it never ended.
    ended: u64,
    kind: &'a str,
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

/// Why a worker was taken for gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Why<'a> {
    /// In words that go behind "interrupted by".
    pub(super) what: Cow<'a, str>,
    /// Since when it could do nothing.
    pub(super) since: u64,
}

impl<'a> World<'a> {
    pub(super) fn new(index: &Index<'a>, rules: &'a Rules) -> Self {
        let mut world = Self {
            rules,
            processes: HashMap::new(),
            workers: HashMap::new(),
            faults: Vec::new(),
            hits: HashMap::new(),
            of_store: Vec::new(),
            watched: Watched::default(),
            rollbacks: Vec::new(),
            shown: Vec::new(),
        };
        let mut fault_of = HashMap::new();
        for entry in index.all() {
            world.saw(entry);
            match &entry.event {
                Event::FaultBegan { fault, kind, processes } => {
                    let at = world.faults.len();
                    fault_of.insert(*fault, at);
                    for process in processes {
                        world.hits.entry(*process).or_default().push(at);
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
        world.watched = world.watches();
        world
    }

    fn saw(&mut self, entry: &Entry) {
        let at = entry.at_ns;
        let unseen = Process { last: at, joined: None };
        let process = self.processes.entry(entry.process).or_insert(unseen);
        process.last = at;
        match &entry.event {
            Event::Joining { worker, lease_ms, .. } => {
                process.joined.get_or_insert(at);
                let worker = self.worker_mut(worker.to_string());
                worker.joined.get_or_insert((at, entry.process));
                worker.lease.get_or_insert(lease_ms.saturating_mul(1_000_000));
            }
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

    fn worker(&self, claim: &str) -> Option<&Worker> {
        self.workers.get(worker_of(claim))
    }

    fn lease(&self, worker: Option<&Worker>) -> u64 {
        let lease = worker.and_then(|worker| worker.lease);
        lease.unwrap_or(self.rules.lease.as_nanos() as u64)
    }

    /// Adds the faults to what is counted.
    pub(super) fn count(&self, counts: &mut Counts) {
        counts.processes = self.processes.len() as u64;
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
    fn of_process(&self, process: u32) -> impl Iterator<Item = &Fault<'a>> {
        self.hits.get(&process).into_iter().flatten().map(|at| &self.faults[*at])
    }

    /// The faults of the store, by their beginnings.
    fn of_store(&self) -> impl Iterator<Item = &Fault<'a>> {
        self.of_store.iter().map(|at| &self.faults[*at])
    }

    /// The time of the store's clock that a claim may be held to.
    pub(super) fn time_at(&self, grant: &Grant<'_>) -> u64 {
        let seen = self.shown.partition_point(|(at, _)| *at <= grant.at);
        let shown = seen.checked_sub(1).map_or(0, |last| self.shown[last].1);
        grant.now_ms.max(shown)
    }

    /// When a process wrote for the last time. What it does later nobody can know.
    pub(super) fn last_of(&self, process: u32) -> u64 {
        self.processes.get(&process).map_or(0, |process| process.last)
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
        let is_late = lost.saturating_add(SECOND) < by && !self.is_hit(grant.process, lost, by);
        is_late.then_some(lost)
    }

    /// Whether a fault hit this process itself at some instant between these two.
    pub(super) fn is_hit(&self, process: u32, from: u64, to: u64) -> bool {
        self.of_process(process).any(|fault| fault.began <= to && fault.ended >= from)
    }

    /// Why the holder of `held` was taken for gone by the time of `taken`; none if nothing in the
    /// history explains it.
    pub(super) fn why(&self, held: &Grant<'a>, taken: &Grant<'a>) -> Option<Why<'a>> {
        self.why_gone(self.worker(held.claim), held.process, held.at, taken.at)
    }

    /// Workers that a sweep had found gone though no fault explains it, and when. Also those that
    /// held no job just then, or none that anybody knew of.
    pub(super) fn wrongly_reaped(&self) -> Vec<(u64, &str)> {
        let mut workers = Vec::new();
        for (name, worker) in &self.workers {
            let Some((joined, process)) = worker.joined else { continue };
            let mut seen = joined;
            for &reaped in &worker.reaped {
                if self.why_gone(Some(worker), process, seen, reaped).is_none() {
                    workers.push((reaped, name.as_str()));
                }
                seen = reaped + 1;
            }
        }
        workers.sort_unstable();
        workers
    }

    /// Why a worker was taken for gone by then that had shown signs of life at `seen`.
    fn why_gone(
        &self,
        worker: Option<&Worker>,
        process: u32,
        seen: u64,
        by: u64,
    ) -> Option<Why<'a>> {
        let lease = self.lease(worker);
        let gone = worker.and_then(|worker| worker.reaped_since(seen)).unwrap_or(by).min(by);
        let left = worker.and_then(|worker| worker.left);
        if let Some(since) = left.filter(|left| *left <= gone) {
            return Some(Why { what: "leaving".into(), since });
        }
        // Whatever ended earlier was over before the lease that ended now was last extended. Twice
        // the lease and a bit, because sweeps may be late for reasons of their own.
        let from = gone.saturating_sub(2 * lease + 5 * SECOND);
        let recent = |fault: &&Fault<'_>| fault.began <= gone && fault.ended >= from;
        let mine = self.of_process(process).filter(recent);
        if let Some(fault) = mine.max_by_key(|fault| fault.began) {
            return Some(Why { what: fault.kind.into(), since: fault.began });
        }
        if let Some(back) = self.undoing_between(seen, by) {
            return Some(Why { what: "a rollback".into(), since: back.cut });
        }
        self.why_of_store(from, gone, lease).or_else(|| self.silence(process, gone, lease))
    }

    /// The store or the network was away for so long that beats may have failed: they come every
    /// third of a lease, and what follows an outage (connecting again) takes its time as well.
    fn why_of_store(&self, from: u64, gone: u64, lease: u64) -> Option<Why<'a>> {
        let hits = |fault: &&Fault<'_>| fault.began <= gone && fault.ended >= from;
        let mut away = 0;
        let mut until = from;
        let mut why = None;
        for fault in self.of_store().filter(hits) {
            let (began, ended) = (fault.began.max(until), fault.ended.min(gone));
            away += ended.saturating_sub(began);
            until = until.max(ended);
            let enough = away >= lease / 3 || fault.kind.contains("clock");
            if enough || why.is_none() {
                why = Some((enough, Why { what: fault.kind.into(), since: fault.began }));
            }
        }
        why.and_then(|(enough, why)| enough.then_some(why))
    }

    /// A process that has written nothing for the last half of a lease, and never will again, is
    /// taken to be dead: one that was wrongly taken for gone ends its job one day and says so.
    fn silence(&self, process: u32, gone: u64, lease: u64) -> Option<Why<'a>> {
        if self.rules.deaths_recorded {
            return None;
        }
        let last = self.processes.get(&process)?.last;
        let silent = last.saturating_add(lease / 2) <= gone;
        silent.then(|| Why { what: "a silent end".into(), since: last })
    }

    fn undoing_between(&self, from: u64, to: u64) -> Option<&Rollback> {
        self.rollbacks.iter().find(|back| back.cut >= from && back.cut <= to)
    }

    /// For how long somebody could have noticed that a worker was gone since `since` until its job
    /// was taken over: while the store was there, and a worker to sweep. After a gap of a lease
    /// and more the sweeps spare everybody for half a lease.
    pub(super) fn noticeable(&self, since: u64, held: &Grant<'_>, taken: &Grant<'_>) -> u64 {
        self.watched.between(since, taken.at, self.lease(self.worker(held.claim)))
    }

    fn watches(&self) -> Watched {
        let mut parts = Vec::new();
        for (id, process) in &self.processes {
            let Some(mut since) = process.joined else { continue };
            let mut faults: Vec<_> = self.of_process(*id).chain(self.of_store()).collect();
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

impl Worker {
    fn reaped_since(&self, at: u64) -> Option<u64> {
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
