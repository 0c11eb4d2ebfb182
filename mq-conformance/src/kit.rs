//! Short words for what the cases do over and over.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mq_core::engine::{
    About, Beat, BeatReply, ClaimReply, ClaimRequest, Claimed, Engine, EnqueueReply, Finish,
    Finished, ListRequest, NewJob, QueueClaim, ReapReply, ReapRequest, Schedule, Stored,
};
use mq_core::lifecycle::Transition;
use mq_core::{
    Claim, Death, DeathReason, History, JobId, Priority, QueueName, Record, State, WorkerId,
};

use crate::Fixture;

/// For enqueueing: long enough never to matter.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// A lease that no case outlives.
pub(crate) const LONG: Duration = Duration::from_secs(1_000 * 24 * 60 * 60);
/// A lease that cases about ended leases use.
pub(crate) const LEASE: Duration = Duration::from_secs(10);
/// An hour.
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);
/// How long a key is kept after its job has ended.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// One tick of the store's clock.
pub(crate) const MS: Duration = Duration::from_millis(1);

pub(crate) fn queue(name: &str) -> QueueName {
    QueueName::new(name).expect("a valid queue name")
}

pub(crate) fn ms(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

/// A job about to be enqueued.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    id: JobId,
    queue: QueueName,
    record: Record<'static>,
    schedule: Schedule,
}

/// A plain job for a queue.
pub(crate) fn draft(name: &str) -> Draft {
    let record = Record::new("case", &b"{}"[..]);
    Draft { id: JobId::new(), queue: queue(name), record, schedule: Schedule::Now }
}

impl Draft {
    pub(crate) fn id(mut self, id: JobId) -> Self {
        self.id = id;
        self
    }

    pub(crate) fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.record.payload = payload.into().into();
        self
    }

    pub(crate) fn priority(mut self, priority: Priority) -> Self {
        self.record.priority = priority;
        self
    }

    pub(crate) fn key(mut self, key: &str) -> Self {
        self.record.idempotency_key = Some(key.to_owned().into());
        self
    }

    pub(crate) fn retention(mut self, retention: Duration) -> Self {
        self.record.retention = Some(retention);
        self
    }

    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.schedule = Schedule::After(delay);
        self
    }

    pub(crate) fn at(mut self, at_ms: u64) -> Self {
        self.schedule = Schedule::At(at_ms);
        self
    }

    pub(crate) fn build(self) -> NewJob {
        NewJob {
            queue: self.queue,
            id: self.id,
            record: self.record.encode(),
            schedule: self.schedule,
            priority: self.record.priority,
            idempotency_key: self.record.idempotency_key.map(|key| key.into_owned()),
        }
    }

    /// Enqueues it and answers with what the store says.
    pub(crate) async fn send(self, engine: &Arc<dyn Engine>) -> EnqueueReply {
        enqueue(engine, vec![self.build()]).await[0]
    }

    /// Enqueues it and answers with its own id.
    pub(crate) async fn put(self, engine: &Arc<dyn Engine>) -> JobId {
        let id = self.id;
        assert_eq!(self.send(engine).await, EnqueueReply { id, duplicate: false });
        id
    }
}

pub(crate) async fn enqueue(engine: &Arc<dyn Engine>, jobs: Vec<NewJob>) -> Vec<EnqueueReply> {
    engine.enqueue(jobs, DEADLINE).await.expect("enqueue")
}

/// Enqueues plain jobs, a thousand at a time; answers with their ids in order.
pub(crate) async fn put_many(engine: &Arc<dyn Engine>, name: &str, count: usize) -> Vec<JobId> {
    let jobs: Vec<_> = (0..count).map(|_| draft(name).build()).collect();
    for batch in jobs.chunks(1_000) {
        enqueue(engine, batch.to_vec()).await;
    }
    jobs.iter().map(|job| job.id).collect()
}

/// A worker on one queue.
#[derive(Debug)]
pub(crate) struct Hand {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) queue: QueueName,
    pub(crate) worker: WorkerId,
    next: AtomicU64,
}

impl Hand {
    /// A worker that nobody knows of.
    pub(crate) fn stranger(engine: &Arc<dyn Engine>, name: &str) -> Self {
        let (engine, queue) = (Arc::clone(engine), queue(name));
        Self { engine, queue, worker: WorkerId::random(), next: AtomicU64::new(1) }
    }

    /// A worker with a lease that does not end during a case.
    pub(crate) async fn join(engine: &Arc<dyn Engine>, name: &str) -> Self {
        Self::join_for(engine, name, LONG).await
    }

    pub(crate) async fn join_for(engine: &Arc<dyn Engine>, name: &str, lease: Duration) -> Self {
        let hand = Self::stranger(engine, name);
        hand.rejoin(lease).await;
        hand
    }

    pub(crate) async fn rejoin(&self, lease: Duration) {
        let about = About::default();
        self.engine.join(&self.queue, self.worker, lease, &about).await.expect("join");
    }

    pub(crate) fn token(&self, number: u64) -> Claim {
        Claim { queue: self.queue.clone(), worker: self.worker, number }
    }

    /// A token with a number that this worker has not used yet.
    pub(crate) fn fresh(&self) -> Claim {
        self.token(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// A claim with a token of one's own choice.
    pub(crate) async fn ask(&self, claim: Claim, limit: usize) -> ClaimReply {
        let queues = vec![QueueClaim { claim, limit }];
        let request = ClaimRequest { finishes: Vec::new(), limit, queues };
        self.engine.claim(request).await.expect("claim")
    }

    pub(crate) async fn claim(&self, limit: usize) -> ClaimReply {
        self.ask(self.fresh(), limit).await
    }

    pub(crate) async fn take(&self, limit: usize) -> Vec<Claimed> {
        self.claim(limit).await.jobs
    }

    /// Takes the job at the head of the queue, which must have one.
    pub(crate) async fn one(&self) -> Claimed {
        self.take(1).await.pop().expect("a ready job")
    }

    /// Takes all that is ready and answers with the ids.
    pub(crate) async fn drain(&self) -> Vec<JobId> {
        let mut ids = Vec::new();
        loop {
            let jobs = self.take(1_000).await;
            if jobs.is_empty() {
                return ids;
            }
            ids.extend(jobs.iter().map(|job| job.id));
        }
    }

    /// Ends a claim, leaving the history as it is.
    pub(crate) async fn end(&self, job: &Claimed, transition: Transition) -> Finished {
        self.finish(finish(job, transition, None)).await
    }

    pub(crate) async fn end_with(
        &self,
        job: &Claimed,
        transition: Transition,
        history: &History,
    ) -> Finished {
        self.finish(finish(job, transition, Some(history.encode()))).await
    }

    pub(crate) async fn finish(&self, finish: Finish) -> Finished {
        self.engine.finish(vec![finish]).await.expect("finish")[0]
    }

    pub(crate) async fn beat(&self, lease: Duration) -> BeatReply {
        let (queue, worker) = (self.queue.clone(), self.worker);
        let beat = Beat { queue, worker, lease, about: None, names_claims: false };
        self.engine.extend(vec![beat]).await.expect("extend").remove(0)
    }

    pub(crate) async fn reap(&self, limit: usize) -> ReapReply {
        self.reap_as(self.fresh(), limit).await
    }

    pub(crate) async fn reap_as(&self, claim: Claim, limit: usize) -> ReapReply {
        let request = ReapRequest { claim, limit, lease: LEASE };
        self.engine.reap(request).await.expect("reap")
    }

    /// Lets time pass as a live fleet does: a sweep every third of a lease. Answers with all
    /// that the sweeps brought.
    pub(crate) async fn sweep_for(&self, fixture: &dyn Fixture, time: Duration) -> Vec<Claimed> {
        let end_ms = fixture.now_ms() + ms(time);
        let mut jobs = self.reap(1_000).await.jobs;
        while fixture.now_ms() < end_ms {
            let left = Duration::from_millis(end_ms - fixture.now_ms());
            fixture.advance(left.min(LEASE / 3)).await;
            jobs.extend(self.reap(1_000).await.jobs);
        }
        jobs
    }
}

/// The end of a claim as a worker would say it.
pub(crate) fn finish(job: &Claimed, transition: Transition, history: Option<Vec<u8>>) -> Finish {
    let record = Record::decode(&job.record).unwrap_or_default();
    Finish {
        id: job.id,
        claim: job.claim.clone(),
        transition,
        history,
        had_history: job.history.is_some(),
        priority: record.priority,
        idempotency_key: record.idempotency_key.map(|key| key.into_owned()),
        failed: matches!(transition, Transition::Retry { .. }),
        run_time: Duration::from_millis(3),
    }
}

/// A past with something in every field.
pub(crate) fn past(attempts: u32, now_ms: u64) -> History {
    let mut history = History::default();
    history.attempts = attempts;
    history.push_error(now_ms, "it broke: \u{1f4a5} \"quoted\"");
    history.push_interruption(now_ms);
    history
}

/// Where a job can be, as rows of a table: like [`State`], but telling retries apart and knowing
/// that there may be none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Absent,
    Ready,
    Scheduled,
    Retrying,
    Running,
    Dead,
    Done,
    Cancelled,
}

impl Place {
    pub(crate) const ALL: [Self; 8] = [
        Self::Absent,
        Self::Ready,
        Self::Scheduled,
        Self::Retrying,
        Self::Running,
        Self::Dead,
        Self::Done,
        Self::Cancelled,
    ];

    pub(crate) fn state(self) -> Option<State> {
        match self {
            Self::Absent => None,
            Self::Ready => Some(State::Ready),
            Self::Scheduled | Self::Retrying => Some(State::Scheduled),
            Self::Running => Some(State::Running),
            Self::Dead => Some(State::Dead),
            Self::Done => Some(State::Done),
            Self::Cancelled => Some(State::Cancelled),
        }
    }
}

/// Brings a job into a place. The queue must have nothing ready; due and kept times are an hour
/// away.
pub(crate) async fn bring(fixture: &dyn Fixture, hand: &Hand, draft: Draft, place: Place) -> JobId {
    let engine = &hand.engine;
    let now_ms = fixture.now_ms();
    let in_an_hour = now_ms + ms(HOUR);
    let mut history = past(3, now_ms);
    let transition = match place {
        Place::Absent => return draft.id,
        Place::Ready => return draft.put(engine).await,
        Place::Scheduled => return draft.after(HOUR).put(engine).await,
        Place::Running => {
            let id = draft.put(engine).await;
            assert_eq!(hand.one().await.id, id);
            return id;
        }
        Place::Retrying => Transition::Retry { at_ms: in_an_hour },
        Place::Dead => {
            history.death = Some(death(now_ms));
            Transition::Bury
        }
        Place::Done => Transition::Retain { until_ms: in_an_hour },
        Place::Cancelled => Transition::Cancel { until_ms: Some(in_an_hour) },
    };
    let id = draft.put(engine).await;
    let job = hand.one().await;
    assert_eq!(job.id, id, "the queue was not empty");
    assert_eq!(hand.end_with(&job, transition, &history).await, Finished::Applied);
    id
}

fn death(at_ms: u64) -> Death {
    // `Death` can only be made by reading one, or by `lifecycle::decide`.
    let text = format!("{{\"death\":{{\"reason\":\"exhausted\",\"at_ms\":{at_ms}}}}}");
    let death = History::decode(text.as_bytes()).death.expect("a death");
    assert_eq!(death.reason, DeathReason::Exhausted);
    death
}

pub(crate) async fn stored(engine: &Arc<dyn Engine>, name: &str, id: JobId) -> Option<Stored> {
    engine.get(&queue(name), &[id]).await.expect("get").remove(0)
}

pub(crate) async fn state(engine: &Arc<dyn Engine>, name: &str, id: JobId) -> Option<State> {
    stored(engine, name, id).await.map(|stored| stored.state)
}

/// All jobs of a state, in the order of the listing.
pub(crate) async fn listed(engine: &Arc<dyn Engine>, name: &str, state: State) -> Vec<JobId> {
    pages(engine, name, state, 1_000).await.iter().map(|stored| stored.id).collect()
}

/// All jobs of a state, page by page.
pub(crate) async fn pages(
    engine: &Arc<dyn Engine>,
    name: &str,
    state: State,
    limit: usize,
) -> Vec<Stored> {
    let mut cursor = None;
    let mut jobs = Vec::new();
    loop {
        let request = ListRequest { queue: queue(name), state, cursor, limit };
        let page = engine.list(request).await.expect("list");
        assert!(page.jobs.len() <= limit, "{} jobs on a page of {limit}", page.jobs.len());
        jobs.extend(page.jobs);
        cursor = page.next;
        if cursor.is_none() {
            return jobs;
        }
    }
}

pub(crate) fn ids(jobs: &[Claimed]) -> Vec<JobId> {
    jobs.iter().map(|job| job.id).collect()
}

pub(crate) fn set(ids: &[JobId]) -> HashSet<JobId> {
    let set: HashSet<_> = ids.iter().copied().collect();
    assert_eq!(set.len(), ids.len(), "a job came twice");
    set
}
