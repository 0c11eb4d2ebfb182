//! From the small numbers of a sequence to ids, claims and times.

use std::collections::HashMap;
use std::time::Duration;

use mq_core::engine::{
    About, Beat, ClaimRequest, Claimed, Finish, NewJob, Pace, PruneLimits, QueueClaim, ReapRequest,
    Schedule,
};
use mq_core::lifecycle::Transition;
use mq_core::{Claim, JobId, Priority, QueueName, Record, State, WorkerId};

use super::observe::{Look, Observation};
use super::op::{Ask, Draft, End, JobRef, Number, Op, Pick, Pulse, To, When};
use super::request::{Reply, Request};
use crate::kit;

/// How many queues, workers, keys and jobs there are.
pub(super) const QUEUES: u8 = 3;
pub(super) const WORKERS: u8 = 4;
pub(super) const KEYS: u8 = 3;
pub(super) const JOBS: u8 = 64;

/// What has happened so far, as far as the next operation must know it.
#[derive(Debug)]
pub(super) struct World {
    start_ms: u64,
    pub(super) now_ms: u64,
    /// Queues that were named so far.
    names: Vec<QueueName>,
    /// Those that were named since the last look.
    touched: Vec<QueueName>,
    seen: Observation,
    /// The highest number that a worker has used on a queue.
    last: HashMap<(WorkerId, QueueName), u64>,
    claims: Vec<Claimed>,
    sent: Vec<Request>,
}

impl World {
    /// Nothing has happened.
    pub(super) fn new(start_ms: u64) -> Self {
        Self {
            start_ms,
            now_ms: start_ms,
            names: Vec::new(),
            touched: Vec::new(),
            seen: Observation::default(),
            last: HashMap::new(),
            claims: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// The id of a job. Ids look as if they were minted a moment ago, so that an engine which has a
    /// short way for new jobs takes it, and do not ascend with the numbers, as if they came from
    /// several processes.
    pub(super) fn job(&self, number: u8) -> JobId {
        let number = u128::from(number % JOBS);
        let minted_ms = u128::from(self.start_ms) + number * 5 % u128::from(JOBS) * 7;
        let id = minted_ms << 80 | 0x7 << 76 | 0b10 << 62 | number;
        text(id).parse().expect("an id")
    }

    /// The id of a worker; they ascend with the numbers.
    pub(super) fn worker(number: u8) -> WorkerId {
        format!("{:0>21}0", number % WORKERS).parse().expect("an id")
    }

    /// The name of a queue.
    pub(super) fn queue(number: u8) -> QueueName {
        let name = ["a", "b", "c"][usize::from(number % QUEUES)];
        QueueName::new(name).expect("a name")
    }

    /// Takes ids and times back to the numbers of the sequence, for people.
    pub(super) fn name(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for number in 0..JOBS {
            let id = self.job(number);
            line = line.replace(&format!("JobId({id})"), &format!("j{number}"));
            line = line.replace(&id.to_string(), &format!("j{number}"));
        }
        for number in 0..WORKERS {
            let id = Self::worker(number);
            line = line.replace(&format!("WorkerId({id})"), &format!("w{number}"));
            line = line.replace(&id.to_string(), &format!("w{number}"));
        }
        relative(&line, self.start_ms)
    }

    /// What an operation asks now; none if it has nothing to ask about.
    pub(super) fn request(&mut self, op: &Op) -> Option<Request> {
        let request = self.resolve(op)?;
        for name in named(&request) {
            for names in [&mut self.names, &mut self.touched] {
                if !names.contains(&name) {
                    names.push(name.clone());
                    names.sort();
                }
            }
        }
        Some(request)
    }

    /// The queues to look at: what happens to one that was not named is seen at the next thorough
    /// look, and made small from there.
    pub(super) fn to_see(&self, look: Look) -> &[QueueName] {
        match look {
            Look::Usual => &self.touched,
            Look::Thorough => &self.names,
        }
    }

    /// Notes what was seen.
    pub(super) fn saw(&mut self, seen: Observation) {
        self.touched.clear();
        self.seen.of.retain(|old| seen.of.iter().all(|new| new.name != old.name));
        self.seen.of.extend(seen.of);
    }

    /// Notes what was asked and answered.
    pub(super) fn learn(&mut self, request: &Request, reply: &Reply) {
        match request {
            Request::Claim(request) => {
                for asked in &request.queues {
                    self.use_number(&asked.claim);
                }
            }
            Request::Reap(request) => self.use_number(&request.claim),
            _ => {}
        }
        for job in &reply.claimed {
            if !self.claims.contains(job) {
                self.claims.push(job.clone());
            }
        }
        if request.is_change() {
            self.sent.push(request.clone());
        }
    }

    fn use_number(&mut self, claim: &Claim) {
        let last = self.last.entry((claim.worker, claim.queue.clone())).or_default();
        *last = (*last).max(claim.number);
    }

    fn resolve(&self, op: &Op) -> Option<Request> {
        let name = |queue: &u8| Self::queue(*queue);
        Some(match op {
            Op::Enqueue { jobs } => {
                Request::Enqueue(jobs.iter().map(|draft| self.new_job(draft)).collect())
            }
            Op::Join { queue, worker, lease_ms, housekeeper } => {
                let (about, lease) = (about(*worker, *housekeeper), ms(*lease_ms));
                Request::Join { queue: name(queue), worker: Self::worker(*worker), lease, about }
            }
            Op::Leave { queue, worker } => {
                Request::Leave { queue: name(queue), worker: Self::worker(*worker) }
            }
            Op::Claim { worker, limit, asks, ends } => {
                let queues = asks.iter().map(|ask| self.ask(*worker, ask)).collect();
                Request::Claim(ClaimRequest {
                    finishes: self.ends(ends),
                    limit: len(*limit),
                    queues,
                })
            }
            Op::Finish { ends } => Request::Finish(self.ends(ends)),
            Op::Extend { beats } => Request::Extend(beats.iter().map(beat).collect()),
            Op::Promote { queue, limit } => {
                Request::Promote { queue: name(queue), limit: len(*limit) }
            }
            Op::Reap { queue, worker, number, limit, lease_ms } => {
                let (claim, lease) = (self.claim(*worker, *queue, *number), ms(*lease_ms));
                Request::Reap(ReapRequest { claim, limit: len(*limit), lease })
            }
            Op::Prune { queue, dead_count, dead_age_ms, batch } => {
                let limits = limits(*dead_count, *dead_age_ms, *batch);
                Request::Prune { queue: name(queue), limits }
            }
            Op::PruneAll { queue, dead_count, dead_age_ms } => {
                let limits = limits(*dead_count, *dead_age_ms, 3);
                Request::PruneAll { queue: name(queue), limits }
            }
            Op::Pause { queue } => Request::Pause(name(queue)),
            Op::Resume { queue } => Request::Resume(name(queue)),
            Op::List { queue, state, limit } => {
                Request::List { queue: name(queue), state: *state, limit: len(*limit) }
            }
            Op::Audit { queue, repair } => Request::Audit { queue: name(queue), repair: *repair },
            Op::Look {} => Request::Look(self.names.clone()),
            Op::Again { back } => self.sent.iter().rev().nth(usize::from(*back))?.clone(),
            _ => return self.verb(op),
        })
    }

    fn verb(&self, op: &Op) -> Option<Request> {
        Some(match op {
            Op::Retry { queue, jobs, step_ms, ahead } => {
                let (queue, ids) = self.ids(*queue, jobs);
                let pace = |step_ms| Pace { step: ms(step_ms), ahead: (*ahead).into() };
                Request::Retry { queue, ids, pace: step_ms.map(pace) }
            }
            Op::RunNow { queue, jobs } => {
                let (queue, ids) = self.ids(*queue, jobs);
                Request::RunNow { queue, ids }
            }
            Op::Delete { queue, jobs } => {
                let (queue, ids) = self.ids(*queue, jobs);
                Request::Delete { queue, ids }
            }
            Op::Cancel { queue, jobs } => {
                let (queue, ids) = self.ids(*queue, jobs);
                Request::Cancel { queue, ids }
            }
            Op::Transfer { queue, to, jobs } => {
                let (queue, ids) = self.ids(*queue, jobs);
                Request::Transfer { queue, to: Self::queue(*to), ids }
            }
            Op::Get { queue, jobs } => {
                let (queue, ids) = self.ids(*queue, jobs);
                Request::Get { queue, ids }
            }
            _ => return None,
        })
    }

    /// The queue that is meant, or the next one with a job in the state asked for; and the jobs.
    fn ids(&self, queue: u8, jobs: &[JobRef]) -> (QueueName, Vec<JobId>) {
        let mut names = (queue % QUEUES..QUEUES).chain(0..queue % QUEUES).map(Self::queue);
        let has_some = |name: &QueueName| match jobs.first() {
            Some(JobRef::In(state, _)) => !self.seen.jobs(name, *state).is_empty(),
            _ => true,
        };
        let name = names.find(has_some).unwrap_or_else(|| Self::queue(queue));
        let id = |job: &JobRef| match job {
            JobRef::Job(number) => self.job(*number),
            JobRef::In(state, at) => {
                let jobs = self.seen.jobs(&name, *state);
                let job = jobs.get(usize::from(*at) % jobs.len().max(1));
                job.map_or_else(|| self.job(*at), |job| job.id)
            }
        };
        (name.clone(), jobs.iter().map(id).collect())
    }

    fn new_job(&self, draft: &Draft) -> NewJob {
        let priority = Priority::from_level(draft.level % 3).expect("a level");
        let key = draft.key.map(|key| format!("k{}", key % KEYS));
        let mut record = Record::new("case", &b"{}"[..]);
        record.priority = priority;
        record.retention = draft.keep_ms.map(ms);
        record.idempotency_key = key.clone().map(Into::into);
        let schedule = match draft.when {
            When::Now => Schedule::Now,
            When::After(after_ms) => Schedule::After(ms(after_ms)),
            When::At(from_now) => Schedule::At(self.time(from_now)),
        };
        NewJob {
            queue: Self::queue(draft.queue),
            id: self.job(draft.job),
            record: record.encode(),
            schedule,
            priority,
            idempotency_key: key,
        }
    }

    fn time(&self, from_now: i64) -> u64 {
        self.now_ms.saturating_add_signed(from_now)
    }

    fn claim(&self, worker: u8, queue: u8, number: Number) -> Claim {
        let (worker, queue) = (Self::worker(worker), Self::queue(queue));
        let last = self.last.get(&(worker, queue.clone())).copied().unwrap_or(0);
        let number = match number {
            Number::Fresh(above) => last + u64::from(above.max(1)),
            Number::Used(below) => last.saturating_sub(u64::from(below)).max(1),
        };
        Claim { queue, worker, number }
    }

    fn ask(&self, worker: u8, ask: &Ask) -> QueueClaim {
        let claim = self.claim(worker, ask.queue, ask.number);
        QueueClaim { claim, limit: len(ask.limit) }
    }

    fn ends(&self, ends: &[End]) -> Vec<Finish> {
        let mut all: Vec<_> = ends.iter().filter_map(|end| self.end(end)).collect();
        // Jobs that are released together keep their order, but whether those of two workers are
        // together is left open; no caller speaks for two.
        let released = |end: &Finish| end.transition == Transition::Release;
        let first = all.iter().find(|end| released(end)).map(|end| end.claim.worker);
        all.retain(|end| !released(end) || Some(end.claim.worker) == first);
        all
    }

    fn end(&self, end: &End) -> Option<Finish> {
        let job = match end.of {
            Pick::Held(at) => {
                let held = self.held();
                (*held.get(usize::from(at) % held.len().max(1))?).clone()
            }
            Pick::Ever(back) => {
                self.claims.iter().rev().nth(usize::from(back) % self.claims.len().max(1))?.clone()
            }
        };
        let (transition, now_ms) = (self.transition(end.to), self.now_ms);
        let history = end.past.map(|attempts| kit::past(u32::from(attempts), now_ms).encode());
        let mut finish = kit::finish(&job, transition, history);
        finish.failed = end.failed;
        finish.claim.number += u64::from(end.off);
        if let Some(by) = end.by {
            finish.claim.worker = Self::worker(by);
        }
        Some(finish)
    }

    /// The latest claim on each job that runs now.
    fn held(&self) -> Vec<&Claimed> {
        let running = self.names.iter().flat_map(|name| self.seen.jobs(name, State::Running));
        let latest = running.filter_map(|job| {
            let mut claims = self.claims.iter().rev();
            claims.find(|claimed| claimed.id == job.id && Some(claimed.claim.worker) == job.worker)
        });
        latest.collect()
    }

    fn transition(&self, to: To) -> Transition {
        let time = |from_now| self.time(from_now);
        let until = |keep_ms: u64| self.now_ms.saturating_add(keep_ms);
        match to {
            To::Done => Transition::Done,
            To::Retain(keep_ms) => Transition::Retain { until_ms: until(keep_ms) },
            To::Retry(from_now) => Transition::Retry { at_ms: time(from_now) },
            To::Schedule(from_now) => Transition::Schedule { at_ms: time(from_now) },
            To::Release => Transition::Release,
            To::Bury => Transition::Bury,
            To::Cancel(keep_ms) => Transition::Cancel { until_ms: keep_ms.map(until) },
        }
    }
}

fn beat(pulse: &Pulse) -> Beat {
    let (queue, worker) = (World::queue(pulse.queue), World::worker(pulse.worker));
    let mut news = about(pulse.worker, false);
    news.stopping = true;
    let about = pulse.news.then_some(news);
    Beat { queue, worker, lease: ms(pulse.lease_ms), about, names_claims: true }
}

fn about(worker: u8, housekeeper: bool) -> About {
    let mut about = About::default();
    about.host = format!("host-{worker}");
    // Not in the order of the ids.
    about.started_ms = u64::from(10 - worker % WORKERS);
    about.housekeeper = housekeeper;
    about
}

fn limits(dead_count: u16, dead_age_ms: u64, batch: u16) -> PruneLimits {
    let mut limits = PruneLimits::default();
    (limits.dead_count, limits.dead_age_ms) = (len(dead_count), dead_age_ms);
    limits.batch = len(batch).max(1);
    limits
}

/// The queues that a request is about.
fn named(request: &Request) -> Vec<QueueName> {
    match request {
        Request::Enqueue(jobs) => jobs.iter().map(|job| job.queue.clone()).collect(),
        Request::Claim(request) => {
            let queues = request.queues.iter().map(|asked| &asked.claim.queue);
            queues.chain(request.finishes.iter().map(|end| &end.claim.queue)).cloned().collect()
        }
        Request::Finish(ends) => ends.iter().map(|end| end.claim.queue.clone()).collect(),
        Request::Extend(beats) => beats.iter().map(|beat| beat.queue.clone()).collect(),
        Request::Reap(request) => vec![request.claim.queue.clone()],
        Request::Transfer { queue, to, .. } => vec![queue.clone(), to.clone()],
        Request::Join { queue, .. }
        | Request::Leave { queue, .. }
        | Request::Promote { queue, .. }
        | Request::Prune { queue, .. }
        | Request::PruneAll { queue, .. }
        | Request::Retry { queue, .. }
        | Request::RunNow { queue, .. }
        | Request::Delete { queue, .. }
        | Request::Cancel { queue, .. }
        | Request::Pause(queue)
        | Request::Resume(queue)
        | Request::List { queue, .. }
        | Request::Get { queue, .. }
        | Request::Audit { queue, .. } => vec![queue.clone()],
        Request::Look(_) => Vec::new(),
    }
}

/// The text form of an id: the digits of `mq-core/src/text22.rs`.
fn text(id: u128) -> String {
    const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";
    let digit = |at: u32| if at == 21 { id << 4 } else { id >> (122 - 6 * at) };
    (0..22).map(|at| char::from(DIGITS[(digit(at) & 63) as usize])).collect()
}

/// Times as so many ms after the start, for they are others at each run.
fn relative(line: &str, start_ms: u64) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = &rest[at..];
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        out.push_str(&rest[..at]);
        let number = &digits[..end];
        match number.parse::<u64>() {
            Ok(ms) if number.len() == 13 && ms >= start_ms => {
                out.push_str(&format!("T+{}", ms - start_ms));
            }
            _ => out.push_str(number),
        }
        rest = &digits[end..];
    }
    out + rest
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn len(len: u16) -> usize {
    usize::from(len)
}
