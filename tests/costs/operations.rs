//! What is counted: each operation of the engine that is on the way of a job, in batches of fixed
//! size.

use std::sync::Arc;
use std::time::Duration;

use mq::engine::{
    About, Beat, ClaimRequest, Claimed, Engine, Finish, Finished, NewJob, PruneLimits, QueueClaim,
    QueueReply, ReapRequest, Schedule, WaitReply,
};
use mq::lifecycle::Transition;
use mq::{Claim, History, JobId, Priority, QueueName, Record, WorkerId};

/// Longer than any test runs.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);
const DEADLINE: Duration = Duration::from_secs(60);
/// Of the histories that are stored with retries.
const ERROR: &str = "connection refused (os error 111)";

/// A store that counts.
pub(crate) trait Stage {
    fn engine(&self) -> &Arc<dyn Engine>;

    /// What comes from here on is counted.
    async fn begin(&self);
}

/// Something that is done to a store.
#[derive(Clone, Copy)]
pub(crate) enum Case {
    Enqueue(usize, fn() -> NewJob),
    EnqueueByMany,
    EnqueueAgain,
    Turn(usize),
    Finish(Transition),
    ClaimRetried,
    Promote,
    Idle,
    WakeUp,
    Beat,
    BeatNaming,
    Sweep,
    Tidy,
    Reap,
}

/// All of them, with their names.
pub(crate) const CASES: [(&str, Case); 27] = [
    ("enqueue 1", Case::Enqueue(1, plain)),
    ("enqueue 100", Case::Enqueue(100, plain)),
    ("enqueue 1000", Case::Enqueue(1000, plain)),
    ("enqueue 1 by each of 100 callers", Case::EnqueueByMany),
    ("enqueue 1 with a delay", Case::Enqueue(1, delayed)),
    ("enqueue 100 with a delay", Case::Enqueue(100, delayed)),
    ("enqueue 1 with a key", Case::Enqueue(1, keyed)),
    ("enqueue 100 with a key", Case::Enqueue(100, keyed)),
    ("enqueue 1 whose key is known", Case::EnqueueAgain),
    ("finish 1 and claim 1", Case::Turn(1)),
    ("finish 16 and claim 16", Case::Turn(16)),
    ("finish 100 and claim 100", Case::Turn(100)),
    ("finish 1000 and claim 1000", Case::Turn(1000)),
    ("finish 100", Case::Finish(Transition::Done)),
    ("finish 100 that are kept", Case::Finish(KEEP)),
    ("finish 100 that are retried", Case::Finish(RETRY)),
    ("finish 100 that are dead", Case::Finish(Transition::Bury)),
    ("finish 100 that are given back", Case::Finish(Transition::Release)),
    ("claim 100 that were retried", Case::ClaimRetried),
    ("promote 100", Case::Promote),
    ("idle: wait for nothing, claim nothing", Case::Idle),
    ("idle: be woken by 1 job, claim it", Case::WakeUp),
    ("idle: beat", Case::Beat),
    ("beat that names the claims of 100 jobs", Case::BeatNaming),
    ("idle: sweep", Case::Sweep),
    ("idle: promote and prune nothing", Case::Tidy),
    ("reap 1 dead worker with 100 jobs", Case::Reap),
];

impl Case {
    /// Does it, once what comes before is done and not counted.
    pub(crate) async fn run(self, on: &impl Stage) {
        match self {
            Self::Enqueue(count, job) => enqueue(on, count, job).await,
            Self::EnqueueByMany => enqueue_by_many(on).await,
            Self::EnqueueAgain => enqueue_again(on).await,
            Self::Turn(count) => turn(on, count).await,
            Self::Finish(transition) => end(on, transition).await,
            Self::ClaimRetried => claim_retried(on).await,
            Self::Promote => promote(on).await,
            Self::Idle => idle(on).await,
            Self::WakeUp => wake_up(on).await,
            Self::Beat => beat(on).await,
            Self::BeatNaming => beat_naming(on).await,
            Self::Sweep => sweep(on).await,
            Self::Tidy => tidy(on).await,
            Self::Reap => reap(on).await,
        }
    }
}

const KEEP: Transition = Transition::Retain { until_ms: 2_000_000_000_000 };
const RETRY: Transition = Transition::Retry { at_ms: 2_000_000_000_000 };

fn queue() -> QueueName {
    QueueName::new("q").unwrap()
}

fn plain() -> NewJob {
    let record = Record::new("noop", vec![b'x'; 100]).encode();
    let (schedule, priority) = (Schedule::Now, Priority::Normal);
    let idempotency_key = None;
    NewJob { queue: queue(), id: JobId::new(), record, schedule, priority, idempotency_key }
}

fn delayed() -> NewJob {
    NewJob { schedule: Schedule::After(LONG), ..plain() }
}

fn keyed() -> NewJob {
    let id = JobId::new();
    let mut record = Record::new("noop", vec![b'x'; 100]);
    record.idempotency_key = Some(id.to_string().into());
    NewJob { id, idempotency_key: Some(id.to_string()), record: record.encode(), ..plain() }
}

async fn put(engine: &Arc<dyn Engine>, count: usize, job: fn() -> NewJob) {
    let jobs: Vec<_> = (0..count).map(|_| job()).collect();
    let replies = engine.enqueue(jobs, DEADLINE).await.unwrap();
    assert!(replies.len() == count && replies.iter().all(|reply| !reply.duplicate));
}

async fn enqueue(on: &impl Stage, count: usize, job: fn() -> NewJob) {
    // The first request of a connection also lists the queue.
    put(on.engine(), 1, plain).await;
    on.begin().await;
    put(on.engine(), count, job).await;
}

async fn enqueue_by_many(on: &impl Stage) {
    put(on.engine(), 1, plain).await;
    on.begin().await;
    let call = |engine: Arc<dyn Engine>| async move { put(&engine, 1, plain).await };
    let calls: Vec<_> = (0..100).map(|_| tokio::spawn(call(Arc::clone(on.engine())))).collect();
    for call in calls {
        call.await.unwrap();
    }
}

async fn enqueue_again(on: &impl Stage) {
    let job = keyed();
    on.engine().enqueue(vec![job.clone()], DEADLINE).await.unwrap();
    on.begin().await;
    let again = vec![NewJob { id: JobId::new(), ..job }];
    assert!(on.engine().enqueue(again, DEADLINE).await.unwrap()[0].duplicate);
}

/// A worker by hand.
struct Hand<'a> {
    engine: &'a Arc<dyn Engine>,
    worker: WorkerId,
}

impl<'a> Hand<'a> {
    async fn join(engine: &'a Arc<dyn Engine>, lease: Duration) -> Self {
        let worker = WorkerId::random();
        engine.join(&queue(), worker, lease, &About::default()).await.unwrap();
        Self { engine, worker }
    }

    fn claim(&self, number: u64) -> Claim {
        Claim { queue: queue(), worker: self.worker, number }
    }

    async fn turn(&self, number: u64, finishes: Vec<Finish>, limit: usize) -> Vec<Claimed> {
        let (queues, ended) =
            (vec![QueueClaim { claim: self.claim(number), limit }], finishes.len());
        let request = ClaimRequest { finishes, limit, queues };
        let reply = self.engine.claim(request).await.unwrap();
        assert!(reply.finished == vec![Finished::Applied; ended], "{reply:?}");
        assert!(!matches!(reply.queues[..], [QueueReply::Lost | QueueReply::Paused]), "{reply:?}");
        reply.jobs
    }

    async fn take(&self, number: u64, count: usize) -> Vec<Claimed> {
        let jobs = self.turn(number, Vec::new(), count).await;
        assert_eq!(jobs.len(), count);
        jobs
    }
}

fn ends(jobs: Vec<Claimed>, transition: Transition) -> Vec<Finish> {
    let failed = matches!(transition, Transition::Retry { .. } | Transition::Bury);
    let mut history = History::default();
    history.push_error(1_700_000_000_000, ERROR);
    let has_past = failed || matches!(transition, Transition::Retain { .. });
    let end = |job: Claimed| Finish {
        id: job.id,
        claim: job.claim,
        transition,
        history: has_past.then(|| history.encode()),
        had_history: job.history.is_some(),
        priority: Priority::Normal,
        idempotency_key: None,
        failed,
        run_time: Duration::ZERO,
    };
    jobs.into_iter().map(end).collect()
}

/// What a worker does all the time under load: one request that ends a batch and brings the next.
async fn turn(on: &impl Stage, count: usize) {
    let hand = Hand::join(on.engine(), LONG).await;
    put(on.engine(), count, plain).await;
    put(on.engine(), count, plain).await;
    let jobs = hand.take(1, count).await;
    on.begin().await;
    let next = hand.turn(2, ends(jobs, Transition::Done), count).await;
    assert_eq!(next.len(), count);
}

async fn end(on: &impl Stage, transition: Transition) {
    let hand = Hand::join(on.engine(), LONG).await;
    put(on.engine(), 100, plain).await;
    let jobs = hand.take(1, 100).await;
    on.begin().await;
    let finished = on.engine().finish(ends(jobs, transition)).await.unwrap();
    assert_eq!(finished, [Finished::Applied; 100]);
}

async fn claim_retried(on: &impl Stage) {
    let hand = Hand::join(on.engine(), LONG).await;
    put(on.engine(), 100, plain).await;
    let jobs = hand.take(1, 100).await;
    on.engine().finish(ends(jobs, Transition::Retry { at_ms: 1 })).await.unwrap();
    assert_eq!(on.engine().promote(&queue(), 100).await.unwrap().done, 100);
    on.begin().await;
    hand.take(2, 100).await;
}

async fn promote(on: &impl Stage) {
    let due = || NewJob { schedule: Schedule::After(Duration::from_millis(1)), ..plain() };
    put(on.engine(), 100, due).await;
    later(on.engine()).await;
    on.begin().await;
    assert_eq!(on.engine().promote(&queue(), 100).await.unwrap().done, 100);
}

/// Asks the store for its time until it is 2 ms later there.
pub(crate) async fn later(engine: &Arc<dyn Engine>) {
    let start = engine.ping().await.unwrap();
    while engine.ping().await.unwrap() < start + 2 {}
}

async fn wait(on: &impl Stage, limit: Duration) -> WaitReply {
    on.engine().wait(&[queue()], limit).await.unwrap()
}

/// The first wait makes a connection of its own.
async fn connect_waiter(on: &impl Stage, hand: &Hand<'_>) {
    put(on.engine(), 1, plain).await;
    assert_eq!(wait(on, Duration::from_secs(9)).await, WaitReply::Woken(queue()));
    hand.take(1, 1).await;
}

async fn idle(on: &impl Stage) {
    let hand = Hand::join(on.engine(), LONG).await;
    connect_waiter(on, &hand).await;
    on.begin().await;
    assert_eq!(wait(on, Duration::from_millis(50)).await, WaitReply::TimedOut);
    assert!(hand.turn(2, Vec::new(), 100).await.is_empty());
}

async fn wake_up(on: &impl Stage) {
    let hand = Hand::join(on.engine(), LONG).await;
    connect_waiter(on, &hand).await;
    put(on.engine(), 1, plain).await;
    on.begin().await;
    assert_eq!(wait(on, Duration::from_secs(9)).await, WaitReply::Woken(queue()));
    assert_eq!(hand.turn(2, Vec::new(), 100).await.len(), 1);
}

async fn beat(on: &impl Stage) {
    let hand = Hand::join(on.engine(), LONG).await;
    let beat =
        Beat { queue: queue(), worker: hand.worker, lease: LONG, about: None, names_claims: false };
    on.begin().await;
    on.engine().extend(vec![beat]).await.unwrap();
}

/// What every third beat asks, of a worker whose jobs came in ten claims.
async fn beat_naming(on: &impl Stage) {
    let hand = Hand::join(on.engine(), LONG).await;
    put(on.engine(), 100, plain).await;
    for number in 1..=10 {
        hand.take(number, 10).await;
    }
    let worker = hand.worker;
    let beat = Beat { queue: queue(), worker, lease: LONG, about: None, names_claims: true };
    on.begin().await;
    on.engine().extend(vec![beat]).await.unwrap();
}

fn sweep_of(hand: &Hand<'_>, number: u64) -> ReapRequest {
    ReapRequest { claim: hand.claim(number), limit: 1000, lease: LONG }
}

async fn sweep(on: &impl Stage) {
    let hand = Hand::join(on.engine(), LONG).await;
    on.engine().reap(sweep_of(&hand, 1)).await.unwrap();
    on.begin().await;
    assert!(on.engine().reap(sweep_of(&hand, 2)).await.unwrap().workers.is_empty());
}

async fn tidy(on: &impl Stage) {
    put(on.engine(), 1, plain).await;
    on.begin().await;
    assert_eq!(on.engine().promote(&queue(), 1000).await.unwrap().done, 0);
    assert_eq!(on.engine().prune(&queue(), PruneLimits::default()).await.unwrap().done, 0);
}

/// All of it: found out, taken over, decided.
async fn reap(on: &impl Stage) {
    let reaper = Hand::join(on.engine(), LONG).await;
    on.engine().reap(sweep_of(&reaper, 1)).await.unwrap();
    put(on.engine(), 100, plain).await;
    let dead = Hand::join(on.engine(), Duration::from_millis(1)).await;
    dead.take(1, 100).await;
    later(on.engine()).await;
    on.begin().await;
    let reply = on.engine().reap(sweep_of(&reaper, 2)).await.unwrap();
    assert_eq!((&reply.workers[..], reply.jobs.len()), (&[dead.worker][..], 100));
    let finished = on.engine().finish(ends(reply.jobs, RETRY)).await.unwrap();
    assert_eq!(finished, [Finished::Applied; 100]);
}
