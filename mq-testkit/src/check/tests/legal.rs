//! Legal histories of any size, by a seed.

use mq_core::engine::Durability;
use mq_core::rng::Rng;
use mq_core::{JobId, Priority, QueueName, State, WorkerId};

use super::{Final, Place};
use crate::recorder::{Answer, Destination, Did, Entry, Event};

const MS: u64 = 1_000_000;
const EPOCH_MS: u64 = 1_700_000_000_000;
/// One process sweeps, one operates, others work.
const SWEEPER: u32 = 1;
const OPERATOR: u32 = 2;
const FIRST_WORKER: u32 = 10;
/// How many jobs one death takes.
const IN_FLIGHT: u32 = 8;

/// A run that keeps the promise.
pub(super) struct Run {
    pub(super) entries: Vec<Entry>,
    pub(super) end: Final,
    pub(super) jobs: Vec<JobId>,
}

struct Maker {
    run: Run,
    rng: Rng,
    queue: QueueName,
    sweeper: WorkerId,
    /// A worker that lives, and one that will die once it has held enough jobs.
    living: Vec<(u32, WorkerId)>,
    doomed: (u32, WorkerId),
    taken: u32,
    claims: u64,
    now_ns: u64,
    process: u32,
}

/// The job that is being made.
struct Job {
    id: JobId,
    attempts: u32,
    interruptions: u32,
    due_ms: u64,
}

/// So many jobs, most of which run once; one in ten has a life.
pub(super) fn run(seed: u64, jobs: usize) -> Run {
    let entries = Vec::with_capacity(jobs * 10);
    let run = Run { entries, end: Final::default(), jobs: Vec::new() };
    let living = (0..4).map(|n| (FIRST_WORKER + n, WorkerId::random())).collect();
    let mut maker = Maker {
        run,
        rng: Rng::seeded(seed),
        queue: QueueName::new("q").unwrap(),
        sweeper: WorkerId::random(),
        living,
        doomed: (FIRST_WORKER + 4, WorkerId::random()),
        taken: 0,
        claims: 0,
        now_ns: MS,
        process: SWEEPER,
    };
    for (process, worker) in [(SWEEPER, maker.sweeper)].into_iter().chain(maker.living.clone()) {
        maker.joins(process, worker);
    }
    for job in 0..jobs as u64 {
        maker.now_ns = (10 + job / 20) * MS;
        maker.job();
    }
    maker.run
}

impl Maker {
    fn write(&mut self, event: Event) {
        self.now_ns += self.rng.between(MS / 100, MS / 2);
        let (at_ns, process) = (self.now_ns, self.process);
        self.run.entries.push(Entry { at_ns, process, event });
    }

    fn now_ms(&self) -> u64 {
        EPOCH_MS + self.now_ns / MS
    }

    /// At the beginning, since the jobs of one worker come in no order.
    fn joins(&mut self, process: u32, worker: WorkerId) {
        let event = Event::Joining { worker, queue: self.queue.clone(), lease_ms: 3_000 };
        self.run.entries.push(Entry { at_ns: MS, process, event });
    }

    fn chance(&mut self, of: u64) -> bool {
        self.rng.between(1, of) == 1
    }

    fn job(&mut self) {
        let mut job = Job { id: JobId::new(), attempts: 0, interruptions: 0, due_ms: 0 };
        self.run.jobs.push(job.id);
        if !self.enqueue(&mut job) {
            return;
        }
        if self.chance(10) {
            for _ in 0..self.rng.between(1, 4) {
                match self.rng.between(1, 5) {
                    1 => self.fails(&mut job),
                    2 => self.is_put_off(&mut job),
                    3 => self.is_handed_back(&mut job),
                    4 if job.interruptions < 2 => self.is_interrupted(&mut job),
                    _ => self.dies_and_comes_back(&mut job),
                }
            }
        }
        self.ends(&mut job);
    }

    /// Whether the store has it.
    fn enqueue(&mut self, job: &mut Job) -> bool {
        self.process = SWEEPER;
        let (id, queue, priority) = (job.id, self.queue.clone(), Priority::Normal);
        let due_ms = self.chance(10).then(|| self.now_ms() + 40);
        let delay_ms = (due_ms.is_none() && self.chance(10)).then_some(40);
        let key = self.chance(10).then(|| id.to_string());
        let queue_again = queue.clone();
        self.write(Event::Sent { id, queue, priority, due_ms, delay_ms, key: key.clone() });
        job.due_ms = due_ms.or(delay_ms.map(|delay_ms| self.now_ms() + delay_ms)).unwrap_or(0);
        match self.rng.between(1, 100) {
            1 => self.write(Event::Refused { id, why: "Full".into() }),
            2 => self.write(Event::InDoubt { id }),
            _ => self.write(Event::Acked { id, level: Durability::Disk1s, instead: None }),
        }
        let refused = |last: &Entry| matches!(last.event, Event::Refused { .. });
        if self.run.entries.last().is_some_and(refused) {
            return false;
        }
        if key.is_some() && self.chance(3) {
            // The producer asks again, as one would who had no answer.
            let (again, queue, level) = (JobId::new(), queue_again, Durability::Disk1s);
            let (due_ms, delay_ms, instead) = (None, None, Some(id));
            self.write(Event::Sent { id: again, queue, priority, due_ms, delay_ms, key });
            self.write(Event::Acked { id: again, level, instead });
        }
        true
    }

    /// Claims the job and starts it; the token.
    fn starts(&mut self, job: &Job, by: (u32, WorkerId)) -> String {
        let claim = self.claims(job, by, false);
        self.write(Event::Started { id: job.id, claim: claim.clone() });
        claim
    }

    fn claims(&mut self, job: &Job, by: (u32, WorkerId), reaped: bool) -> String {
        self.process = by.0;
        self.claims += 1;
        let (id, claim, queue) = (job.id, format!("{}.{}", by.1, self.claims), self.queue.clone());
        let late_ms = job.due_ms.saturating_sub(self.now_ms());
        self.now_ns += late_ms * MS;
        let (attempts, interruptions, now_ms) = (job.attempts, job.interruptions, self.now_ms());
        let given = claim.clone();
        self.write(Event::Claimed {
            id,
            claim: given,
            queue,
            attempts,
            interruptions,
            now_ms,
            reaped,
        });
        claim
    }

    fn worker(&mut self) -> (u32, WorkerId) {
        let at = self.rng.between(0, self.living.len() as u64 - 1) as usize;
        self.living[at]
    }

    fn finish(&mut self, job: &mut Job, claim: String, to: Destination, failed: bool) {
        let id = job.id;
        let due_ms = (to == Destination::Again).then(|| self.now_ms() + self.rng.between(0, 30));
        job.due_ms = job.due_ms.max(due_ms.unwrap_or(0));
        self.write(Event::Finishing { id, claim: claim.clone(), to, failed, due_ms });
        let answer = match self.rng.between(1, 40) {
            1 => Answer::InDoubt,
            2 => Answer::Already,
            _ => Answer::Applied,
        };
        self.write(Event::Finished { id, claim, answer });
    }

    fn fails(&mut self, job: &mut Job) {
        let by = self.worker();
        let claim = self.starts(job, by);
        if self.chance(3) {
            // To no avail: it fails, and its next worker would be told.
            self.orders(job.id, "cancel", Did::Requested);
            self.process = by.0;
        }
        self.write(Event::Ended { id: job.id, claim: claim.clone(), ok: false });
        self.finish(job, claim, Destination::Again, true);
        job.attempts += 1;
    }

    fn is_put_off(&mut self, job: &mut Job) {
        let by = self.worker();
        let claim = self.claims(job, by, false);
        self.finish(job, claim, Destination::Again, false);
    }

    fn is_handed_back(&mut self, job: &mut Job) {
        let by = self.worker();
        let claim = self.starts(job, by);
        self.finish(job, claim, Destination::HandedBack, false);
    }

    /// Its worker dies, and with it all that it holds: that is seen to in the end of each.
    fn is_interrupted(&mut self, job: &mut Job) {
        if self.taken == IN_FLIGHT {
            self.taken = 0;
            self.doomed = (self.doomed.0 + 1, WorkerId::random());
        }
        self.taken += 1;
        let doomed = self.doomed;
        if self.taken == 1 {
            self.joins(doomed.0, doomed.1);
        }
        self.starts(job, doomed);
        self.process = OPERATOR;
        let fault = self.run.entries.len() as u64;
        self.write(Event::FaultBegan { fault, kind: "kill".into(), processes: vec![doomed.0] });
        self.now_ns += 3_000 * MS;
        let sweeper = (SWEEPER, self.sweeper);
        let claim = self.claims(job, sweeper, true);
        self.finish(job, claim, Destination::Again, false);
        job.interruptions += 1;
    }

    fn dies_and_comes_back(&mut self, job: &mut Job) {
        let by = self.worker();
        let claim = self.starts(job, by);
        self.write(Event::Ended { id: job.id, claim: claim.clone(), ok: false });
        self.finish(job, claim, Destination::Dead, true);
        job.attempts += 1;
        self.orders(job.id, "retry", Did::Applied);
    }

    fn orders(&mut self, id: JobId, verb: &str, did: Did) {
        self.process = OPERATOR;
        self.write(Event::Operating { id, verb: verb.to_owned() });
        self.write(Event::Operated { id, verb: verb.to_owned(), did });
    }

    fn ends(&mut self, job: &mut Job) {
        let (id, queue) = (job.id, self.queue.clone());
        let keep = |state| (id, Place { queue, state });
        match self.rng.between(1, 50) {
            1 => self.run.end.api.push(keep(State::Ready)),
            2 => {
                let by = self.worker();
                let claim = self.starts(job, by);
                self.write(Event::Ended { id, claim: claim.clone(), ok: false });
                self.finish(job, claim, Destination::Dead, true);
                self.run.end.api.push(keep(State::Dead));
            }
            _ => {
                let by = self.worker();
                let claim = self.starts(job, by);
                self.write(Event::Ended { id, claim: claim.clone(), ok: true });
                self.finish(job, claim, Destination::Done, false);
            }
        }
    }
}
