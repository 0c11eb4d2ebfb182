//! The operator plane.

use mq_core::engine::{
    Act, AuditReport, BATCH_MAX, Cursor, EngineError, EngineErrorKind, ListRequest, Pace, Page,
    QueueStats, Stored, WorkerStats,
};
use mq_core::lifecycle::LATEST_MS;
use mq_core::{History, JobId, QueueName, Record, State};

use super::state::{Counts, Job, Key, Place, Queue, Store, Worker};

impl Store {
    pub(crate) fn stats(&self, name: &QueueName) -> QueueStats {
        let mut stats = QueueStats::default();
        stats.now_ms = self.now_ms;
        let Some(queue) = self.queues.get(name) else { return stats };
        for job in queue.jobs.values() {
            match job.place {
                Place::Ready => stats.ready += 1,
                Place::Scheduled { is_retry: false, .. } => stats.scheduled += 1,
                Place::Scheduled { is_retry: true, .. } => stats.retrying += 1,
                Place::Running { .. } => stats.running += 1,
                Place::Done { .. } => stats.done += 1,
                Place::Dead { .. } => stats.dead += 1,
                Place::Cancelled { .. } => stats.cancelled += 1,
            }
        }
        stats.ready_by_priority = [0, 1, 2].map(|level: usize| queue.ready[level].len() as u64);
        let head = queue.ready.iter().flatten().next();
        stats.oldest_ready_ms = head.map(|id| id.created_at().timestamp_millis() as u64);
        stats.next_due_ms = queue.next_due_ms();
        stats.paused_since_ms = queue.paused_ms;
        let workers = queue.workers.values();
        let runs = |worker: &&Worker| !worker.about.housekeeper && !worker.is_revoked;
        stats.workers = workers.filter(runs).count() as u64;
        let Counts { enqueued, done, failed, dead, interrupted } = queue.totals;
        (stats.enqueued_total, stats.done_total, stats.failed_total) = (enqueued, done, failed);
        (stats.dead_total, stats.interrupted_total) = (dead, interrupted);
        let minute = self.now_ms / 60_000 - 1;
        let minute = queue.minutes.get(&minute).copied().unwrap_or_default();
        stats.enqueued_last_minute = minute.enqueued;
        (stats.done_last_minute, stats.failed_last_minute) = (minute.done, minute.failed);
        stats
    }

    pub(crate) fn workers(&self, name: &QueueName) -> Vec<WorkerStats> {
        let Some(queue) = self.queues.get(name) else { return Vec::new() };
        let stats = queue.workers.iter().map(|(id, worker)| {
            let mut stats = WorkerStats::new(*id, name.clone(), worker.until_ms);
            stats.about = worker.about.clone();
            stats.running = worker.claims.values().flatten().copied().collect();
            stats.running_count = stats.running.len();
            stats
        });
        let mut stats: Vec<_> = stats.collect();
        stats.sort_by_key(|stats| (stats.about.started_ms, stats.worker));
        stats
    }

    pub(crate) fn stored(&self, name: &QueueName, id: JobId) -> Option<Stored> {
        let job = self.queues.get(name)?.jobs.get(&id)?;
        let worker = match job.place {
            Place::Running { worker, .. } => Some(worker),
            _ => None,
        };
        Some(Stored {
            id,
            queue: name.clone(),
            state: job.place.state(),
            record: job.record.clone(),
            history: job.history.clone(),
            at_ms: job.place.at_ms(),
            worker,
            cancel_requested: job.cancel_requested,
        })
    }

    pub(crate) fn list(&self, request: &ListRequest) -> Result<Page, EngineError> {
        let skip = match &request.cursor {
            None => 0,
            Some(Cursor(text)) => text.parse().map_err(|_| {
                EngineError::new(EngineErrorKind::Invalid, format!("`{text}` is not a cursor"))
            })?,
        };
        let Some(queue) = self.queues.get(&request.queue) else { return Ok(Page::default()) };
        let ids = queue.in_order(request.state);
        let limit = request.limit.clamp(1, BATCH_MAX);
        let page = ids.iter().skip(skip).take(limit);
        let jobs: Vec<_> = page.filter_map(|id| self.stored(&request.queue, *id)).collect();
        let end = skip.saturating_add(jobs.len());
        let next = (end < ids.len()).then(|| Cursor(end.to_string()));
        Ok(Page { jobs, next })
    }

    /// Asks what a verb does to a job in its place; `None` if it does not apply.
    fn act(
        &mut self,
        name: &QueueName,
        id: JobId,
        verb: impl FnOnce(&mut Queue, Place, u64) -> Option<Act>,
    ) -> Act {
        let now_ms = self.now_ms;
        let Some(queue) = self.queues.get_mut(name) else { return Act::NotFound };
        let Some(place) = queue.jobs.get(&id).map(|job| job.place) else { return Act::NotFound };
        verb(queue, place, now_ms).unwrap_or(Act::Refused(place.state()))
    }

    pub(crate) fn retry(
        &mut self,
        name: &QueueName,
        id: JobId,
        pace: Option<Pace>,
        at: usize,
    ) -> Act {
        self.act(name, id, |queue, place, now_ms| {
            match place {
                Place::Ready => return Some(Act::Already),
                Place::Running { .. } | Place::Done { .. } => return None,
                _ => {}
            }
            let job = queue.jobs.get_mut(&id)?;
            let past = job.history.as_deref().map(History::decode);
            job.history = past.map(|past| past.revived().encode());
            queue.own_key(id, now_ms);
            let wait_ms = pace.map_or(0, |pace| pace.delay(at).as_millis() as u64);
            let later = Place::Scheduled { at_ms: now_ms + wait_ms, is_retry: false };
            queue.put(id, if wait_ms == 0 { Place::Ready } else { later }, false);
            Some(Act::Applied)
        })
    }

    pub(crate) fn run_now(&mut self, name: &QueueName, id: JobId) -> Act {
        self.act(name, id, |queue, place, _| match place {
            Place::Ready => Some(Act::Already),
            Place::Scheduled { .. } => {
                queue.put(id, Place::Ready, false);
                Some(Act::Applied)
            }
            _ => None,
        })
    }

    pub(crate) fn delete(&mut self, name: &QueueName, id: JobId) -> Act {
        self.act(name, id, |queue, place, now_ms| match place {
            Place::Running { .. } => None,
            _ => queue.remove(id, now_ms).map(|_| Act::Applied),
        })
    }

    pub(crate) fn cancel(&mut self, name: &QueueName, id: JobId) -> Act {
        self.act(name, id, |queue, place, now_ms| match place {
            Place::Cancelled { .. } => Some(Act::Already),
            Place::Running { .. } => {
                let job = queue.jobs.get_mut(&id)?;
                let before = std::mem::replace(&mut job.cancel_requested, true);
                Some(if before { Act::Already } else { Act::Requested })
            }
            Place::Ready | Place::Scheduled { .. } => {
                let record = &queue.jobs.get(&id)?.record;
                let keep = Record::decode(record).ok().and_then(|record| record.retention);
                match keep {
                    None => drop(queue.remove(id, now_ms)),
                    Some(keep) => {
                        let job = queue.jobs.get_mut(&id)?;
                        let mut past = History::decode(job.history.as_deref().unwrap_or_default());
                        past.ended_ms = Some(now_ms);
                        job.history = Some(past.encode());
                        queue.end_key(id, now_ms);
                        let until_ms = now_ms + keep.as_millis() as u64;
                        queue.put(id, Place::Cancelled { until_ms }, false);
                    }
                }
                Some(Act::Applied)
            }
            _ => None,
        })
    }

    pub(crate) fn discard(&mut self, name: &QueueName, id: JobId) -> Act {
        self.act(name, id, |queue, place, now_ms| match place {
            Place::Dead { .. } => Some(Act::Already),
            Place::Ready | Place::Scheduled { .. } => {
                let job = queue.jobs.get_mut(&id)?;
                let past = job.history.as_deref().map(History::decode).unwrap_or_default();
                job.history = Some(past.discarded(now_ms).encode());
                queue.count(now_ms, |counts| counts.dead += 1);
                queue.put(id, Place::Dead { at_ms: now_ms }, false);
                Some(Act::Applied)
            }
            _ => None,
        })
    }

    pub(crate) fn transfer(&mut self, from: &QueueName, to: &QueueName, id: JobId) -> Act {
        let now_ms = self.now_ms;
        let mut moved = None;
        let act = self.act(from, id, |queue, place, now_ms| match place {
            Place::Running { .. } | Place::Done { .. } | Place::Cancelled { .. } => None,
            _ => {
                moved = queue.remove(id, now_ms);
                Some(Act::Applied)
            }
        });
        if let Some(mut job) = moved {
            let queue = self.queues.entry(to.clone()).or_default();
            // The job is there already, and may even run: it must not become two.
            if queue.jobs.contains_key(&id) {
                return act;
            }
            job.cancel_requested = false;
            let place = std::mem::replace(&mut job.place, Place::Dead { at_ms: 0 });
            queue.jobs.insert(id, job);
            queue.own_key(id, now_ms);
            queue.put(id, place, false);
        }
        act
    }

    pub(crate) fn import(&mut self, stored: Stored) -> Act {
        let now_ms = self.now_ms;
        if stored.state == State::Running {
            return Act::Refused(State::Running);
        }
        let queue = self.queues.entry(stored.queue.clone()).or_default();
        if queue.jobs.contains_key(&stored.id) {
            return Act::Already;
        }
        let at_ms = stored.at_ms.unwrap_or(0).min(LATEST_MS);
        let place = match stored.state {
            State::Scheduled => Place::Scheduled { at_ms, is_retry: stored.is_retry() },
            State::Dead => Place::Dead { at_ms },
            State::Done => Place::Done { until_ms: at_ms },
            State::Cancelled => Place::Cancelled { until_ms: at_ms },
            _ => Place::Ready,
        };
        let (id, priority, key) = (stored.id, stored.priority(), stored.idempotency_key());
        if let Some(text) = &key
            && queue.keys.get(text).is_none_or(|key| key.id == id || queue.is_free(key, now_ms))
        {
            queue.keys.insert(text.clone(), Key { id, free_ms: None });
        }
        let Stored { record, history, cancel_requested, .. } = stored;
        let nowhere = Place::Dead { at_ms: 0 };
        let job = Job { record, history, priority, key, place: nowhere, cancel_requested };
        queue.jobs.insert(id, job);
        queue.put(id, place, false);
        if matches!(place, Place::Done { .. } | Place::Cancelled { .. }) {
            queue.end_key(id, now_ms);
        }
        Act::Applied
    }

    pub(crate) fn pause(&mut self, name: &QueueName) {
        let now_ms = self.now_ms;
        self.queues.entry(name.clone()).or_default().paused_ms.get_or_insert(now_ms);
    }

    pub(crate) fn resume(&mut self, name: &QueueName) {
        if let Some(queue) = self.queues.get_mut(name) {
            queue.paused_ms = None;
            queue.is_awake = true;
        }
    }

    pub(crate) fn audit(&self, name: &QueueName) -> AuditReport {
        let mut report = AuditReport::default();
        report.jobs = self.queues.get(name).map_or(0, |queue| queue.jobs.len() as u64);
        report
    }
}

impl Queue {
    pub(crate) fn in_order(&self, state: State) -> Vec<JobId> {
        if state == State::Ready {
            return self.ready.iter().flatten().copied().collect();
        }
        let jobs = self.jobs.iter().filter(|(_, job)| job.place.state() == state);
        let mut jobs: Vec<_> = jobs.map(|(id, job)| (job.place.at_ms(), *id)).collect();
        jobs.sort();
        if matches!(state, State::Done | State::Dead | State::Cancelled) {
            jobs.reverse();
        }
        jobs.into_iter().map(|(_, id)| id).collect()
    }
}
