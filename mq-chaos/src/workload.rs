//! A bit of everything that applications enqueue, by the seed.

use std::time::Duration;

use mq_core::engine::{NewJob, Schedule};
use mq_core::rng::Rng;
use mq_core::{Job, JobId, Priority, QueueName, Record};

use crate::job::Chaos;

/// How jobs of a workload differ from each other; drawn for each.
#[derive(Debug)]
pub struct Workload {
    rng: Rng,
    number: u64,
    /// Distinguishes its keys from those of other workloads.
    name: u64,
    /// The latest key, to be used again.
    key: Option<String>,
}

/// After how many failures a job of a workload is dead.
pub(crate) const MAX_ATTEMPTS: u32 = 4;
/// How long a job of a workload takes at most, in ms.
const WORK_MAX_MS: u64 = 20;

impl Workload {
    /// The workload of this seed.
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::seeded(seed), number: 0, name: seed, key: None }
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.rng.between(1, many) == 1
    }

    /// What the next job does.
    fn job(&mut self) -> Chaos {
        self.number += 1;
        let mut job = Chaos::lasting(self.number, self.rng.between(0, WORK_MAX_MS));
        match self.rng.between(0, 999) {
            0..50 => job.failures = self.rng.between(1, 3) as u32,
            50..60 => job.panics = 1,
            60..70 => job.discard = true,
            70..90 => job.child = true,
            90..95 => job.failures = u32::MAX,
            95..97 => job.hang = true,
            97 if self.one_in(2) => job.poison = true,
            98..118 => job.padding = "x".repeat(self.rng.between(1, 20_000) as usize),
            _ => {}
        }
        job
    }

    fn schedule(&mut self, now_ms: u64) -> Schedule {
        match self.rng.between(0, 19) {
            0 => Schedule::After(Duration::from_millis(self.rng.between(1, 2_000))),
            1 => Schedule::At(now_ms + self.rng.between(0, 2_000)),
            _ => Schedule::Now,
        }
    }

    fn key(&mut self) -> Option<String> {
        match self.rng.between(0, 19) {
            // The same key again: a duplicate, of a job that may have ended.
            0 => self.key.clone(),
            1 => {
                self.key = Some(format!("key-{:x}-{}", self.name, self.number));
                self.key.clone()
            }
            _ => None,
        }
    }

    /// The next few jobs, for this queue, at this time of the store.
    pub fn batch(&mut self, queue: &QueueName, now_ms: u64) -> Vec<NewJob> {
        let count = if self.one_in(3) { 1 } else { self.rng.between(1, 50) };
        (0..count).map(|_| self.new_job(queue, now_ms)).collect()
    }

    fn new_job(&mut self, queue: &QueueName, now_ms: u64) -> NewJob {
        let job = self.job();
        let payload = serde_json::to_vec(&job).unwrap_or_else(|error| panic!("{error}"));
        let mut record = Record::new(Chaos::KIND, payload);
        let (schedule, key) = (self.schedule(now_ms), self.key());
        let priority = match self.rng.between(0, 9) {
            0 => Priority::High,
            1 => Priority::Low,
            _ => Priority::Normal,
        };
        record.priority = priority;
        record.idempotency_key = key.as_deref().map(Into::into);
        record.max_attempts = Some(MAX_ATTEMPTS);
        if job.hang {
            record.timeout = Some(Duration::from_millis(300));
            record.max_attempts = Some(1);
        }
        if self.one_in(50) {
            record.retention = Some(Duration::from_secs(60 * 60));
        }
        let (queue, record) = (queue.clone(), record.encode());
        NewJob { queue, id: JobId::new(), record, schedule, priority, idempotency_key: key }
    }
}
