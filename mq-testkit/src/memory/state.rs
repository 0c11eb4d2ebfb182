//! What is kept, and how a job changes its place.

use std::collections::{BTreeMap, HashMap, VecDeque};

use mq_core::engine::About;
use mq_core::{JobId, Priority, QueueName, State, WorkerId};

/// How long a key is kept after its job has ended.
const KEY_MS: u64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) identity: String,
    pub(crate) now_ms: u64,
    pub(crate) queues: BTreeMap<QueueName, Queue>,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) jobs: HashMap<JobId, Job>,
    pub(crate) ready: [VecDeque<JobId>; 3],
    pub(crate) keys: HashMap<String, Key>,
    pub(crate) workers: BTreeMap<WorkerId, Worker>,
    /// Those that were fenced out or have left, latest last; they may not join again.
    pub(crate) gone: VecDeque<WorkerId>,
    pub(crate) paused_ms: Option<u64>,
    pub(crate) swept_ms: Option<u64>,
    pub(crate) grace_ms: u64,
    pub(crate) is_awake: bool,
    pub(crate) totals: Counts,
    pub(crate) minutes: BTreeMap<u64, Counts>,
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) enqueued: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) dead: u64,
    pub(crate) interrupted: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) record: Vec<u8>,
    pub(crate) history: Option<Vec<u8>>,
    pub(crate) priority: Priority,
    pub(crate) key: Option<String>,
    pub(crate) place: Place,
    pub(crate) cancel_requested: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Ready,
    Scheduled { at_ms: u64, is_retry: bool },
    Running { worker: WorkerId, number: u64 },
    Dead { at_ms: u64 },
    Done { until_ms: u64 },
    Cancelled { until_ms: u64 },
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) id: JobId,
    /// Set when the job has ended; a job that is still kept holds its key all the same.
    pub(crate) free_ms: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Worker {
    pub(crate) until_ms: u64,
    pub(crate) is_revoked: bool,
    pub(crate) about: About,
    pub(crate) last: u64,
    pub(crate) claims: BTreeMap<u64, Vec<JobId>>,
}

impl Place {
    pub(crate) fn state(self) -> State {
        match self {
            Self::Ready => State::Ready,
            Self::Scheduled { .. } => State::Scheduled,
            Self::Running { .. } => State::Running,
            Self::Dead { .. } => State::Dead,
            Self::Done { .. } => State::Done,
            Self::Cancelled { .. } => State::Cancelled,
        }
    }

    pub(crate) fn at_ms(self) -> Option<u64> {
        match self {
            Self::Ready | Self::Running { .. } => None,
            Self::Scheduled { at_ms, .. } | Self::Dead { at_ms } => Some(at_ms),
            Self::Done { until_ms } | Self::Cancelled { until_ms } => Some(until_ms),
        }
    }
}

impl Queue {
    /// Whether a worker may act; a worker whose lease ended may, until somebody takes over.
    pub(crate) fn member(&mut self, worker: WorkerId) -> Option<&mut Worker> {
        self.workers.get_mut(&worker).filter(|worker| !worker.is_revoked)
    }

    pub(crate) fn count(&mut self, now_ms: u64, add: impl Fn(&mut Counts)) {
        add(&mut self.totals);
        add(self.minutes.entry(now_ms / 60_000).or_default());
    }

    /// Puts a job somewhere else; the only place where a job's place changes.
    pub(crate) fn put(&mut self, id: JobId, place: Place, front: bool) {
        self.unlist(id);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.place = place;
        // A request to cancel stands for as long as the job is to be run.
        if matches!(place, Place::Done { .. } | Place::Dead { .. } | Place::Cancelled { .. }) {
            job.cancel_requested = false;
        }
        if place == Place::Ready {
            let list = &mut self.ready[job.priority.level() as usize];
            if front { list.push_front(id) } else { list.push_back(id) }
        }
        self.is_awake = true;
    }

    pub(crate) fn remove(&mut self, id: JobId, now_ms: u64) -> Option<Job> {
        self.unlist(id);
        self.end_key(id, now_ms);
        self.jobs.remove(&id)
    }

    /// Notes that a job has ended, for its key; the first end counts.
    pub(crate) fn end_key(&mut self, id: JobId, now_ms: u64) {
        let key = self.jobs.get(&id).and_then(|job| job.key.as_ref());
        let key = key.and_then(|key| self.keys.get_mut(key));
        if let Some(key) = key.filter(|key| key.id == id) {
            key.free_ms.get_or_insert(now_ms + KEY_MS);
        }
    }

    /// Gives a job that lives again, or in another queue, its key, unless another job has it.
    pub(crate) fn own_key(&mut self, id: JobId, now_ms: u64) {
        let Some(text) = self.jobs.get(&id).and_then(|job| job.key.clone()) else { return };
        let key = self.keys.get(&text);
        if key.is_none_or(|key| key.id == id || self.is_free(key, now_ms)) {
            self.keys.insert(text, Key { id, free_ms: None });
        }
    }

    /// Whether a key belongs to nobody any more.
    pub(crate) fn is_free(&self, key: &Key, now_ms: u64) -> bool {
        key.free_ms.is_some_and(|at| at <= now_ms) && !self.jobs.contains_key(&key.id)
    }

    fn unlist(&mut self, id: JobId) {
        match self.jobs.get(&id).map(|job| (job.place, job.priority)) {
            Some((Place::Ready, priority)) => {
                let list = &mut self.ready[priority.level() as usize];
                // Nearly always the first one.
                if list.front() == Some(&id) {
                    list.pop_front();
                } else {
                    list.retain(|other| *other != id);
                }
            }
            Some((Place::Running { worker, number }, _)) => {
                let worker = self.workers.get_mut(&worker);
                if let Some(ids) = worker.and_then(|worker| worker.claims.get_mut(&number)) {
                    ids.retain(|other| *other != id);
                }
            }
            _ => {}
        }
    }

    /// Ids of jobs in due order: scheduled or retries.
    pub(crate) fn due(&self, now_ms: u64, retries: bool) -> Vec<JobId> {
        let due = self.jobs.iter().filter_map(|(id, job)| match job.place {
            Place::Scheduled { at_ms, is_retry } if is_retry == retries && at_ms <= now_ms => {
                Some((at_ms, *id))
            }
            _ => None,
        });
        let mut due: Vec<_> = due.collect();
        due.sort();
        due.into_iter().map(|(_, id)| id).collect()
    }

    /// Makes due jobs ready, scheduled ones and retries in turn; says how many and whether more.
    pub(crate) fn promote(&mut self, now_ms: u64, limit: usize) -> (usize, bool) {
        let (scheduled, retries) = (self.due(now_ms, false), self.due(now_ms, true));
        let total = scheduled.len() + retries.len();
        let half = limit.div_ceil(2);
        let from_retries = retries.len().min(limit - half.min(scheduled.len()).min(limit));
        let from_scheduled = scheduled.len().min(limit - from_retries);
        let (first, second) = scheduled[..from_scheduled].split_at(half.min(from_scheduled));
        for id in first.iter().chain(&retries[..from_retries]).chain(second) {
            self.put(*id, Place::Ready, false);
        }
        self.is_awake |= self.ready.iter().any(|list| !list.is_empty());
        let done = from_scheduled + from_retries;
        (done, done < total)
    }

    pub(crate) fn next_due_ms(&self) -> Option<u64> {
        let scheduled = |job: &Job| match job.place {
            Place::Scheduled { at_ms, .. } => Some(at_ms),
            _ => None,
        };
        self.jobs.values().filter_map(scheduled).min()
    }
}
