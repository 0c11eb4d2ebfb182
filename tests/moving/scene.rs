//! Stores with something of everything, and what is in them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mq::admin::MoveReport;
use mq::engine::{
    About, Act, ClaimRequest, Claimed, Engine, EnqueueReply, Finish, Finished, ListRequest, NewJob,
    QueueClaim, Schedule, Stored,
};
use mq::lifecycle::Transition;
use mq::{Claim, Client, JobId, Priority, QueueName, Record, State, WorkerId};
use mq_testkit::{shared_url, unique_prefix};

pub(crate) const HOUR_MS: u64 = 60 * 60 * 1000;
const LONG: Duration = Duration::from_secs(600);

pub(crate) fn queue(name: &str) -> QueueName {
    QueueName::new(name).unwrap()
}

/// Now, by the jobs' own clock.
pub(crate) fn now_ms() -> u64 {
    JobId::new().created_at().timestamp_millis() as u64
}

pub(crate) async fn client(url: &str) -> Client {
    Client::connect(url).await.unwrap()
}

pub(crate) fn on_redis() -> String {
    format!("{}?prefix={}", shared_url(), unique_prefix())
}

pub(crate) async fn in_memory() -> Client {
    client("sqlite::memory:").await
}

/// A fresh store of an engine.
pub(crate) async fn open(engine: &str) -> Client {
    match engine {
        "redis" => client(&on_redis()).await,
        _ => in_memory().await,
    }
}

/// Fresh stores, from and to.
pub(crate) async fn pairs() -> Vec<(Client, Client)> {
    let mut pairs = Vec::new();
    for (from, to) in [("sqlite", "redis"), ("redis", "sqlite"), ("sqlite", "sqlite")] {
        pairs.push((open(from).await, open(to).await));
    }
    pairs
}

/// A job about to be enqueued.
pub(crate) struct Draft {
    queue: QueueName,
    record: Record<'static>,
    schedule: Schedule,
}

pub(crate) fn draft(name: &str) -> Draft {
    let record = Record::new("kind", &b"{}"[..]);
    Draft { queue: queue(name), record, schedule: Schedule::Now }
}

impl Draft {
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.record.idempotency_key = Some(key.to_owned().into());
        self
    }

    pub(crate) fn payload(mut self, payload: Vec<u8>) -> Self {
        self.record.payload = payload.into();
        self
    }

    fn priority(mut self, priority: Priority) -> Self {
        self.record.priority = priority;
        self
    }

    fn at(mut self, at_ms: u64) -> Self {
        self.schedule = Schedule::At(at_ms);
        self
    }

    pub(crate) fn build(self) -> NewJob {
        NewJob {
            queue: self.queue,
            id: JobId::new(),
            record: self.record.encode(),
            schedule: self.schedule,
            priority: self.record.priority,
            idempotency_key: self.record.idempotency_key.map(|key| key.into_owned()),
        }
    }

    pub(crate) async fn reply(self, client: &Client) -> EnqueueReply {
        client.engine().enqueue(vec![self.build()], LONG).await.unwrap()[0]
    }

    pub(crate) async fn send(self, client: &Client) -> JobId {
        self.reply(client).await.id
    }
}

/// A worker on one queue.
#[derive(Debug)]
pub(crate) struct Hand {
    engine: Arc<dyn Engine>,
    queue: QueueName,
    worker: WorkerId,
    next: AtomicU64,
}

impl Hand {
    pub(crate) async fn join(engine: &Arc<dyn Engine>, name: &str, lease: Duration) -> Self {
        let (engine, queue, worker) = (Arc::clone(engine), queue(name), WorkerId::random());
        engine.join(&queue, worker, lease, &About::default()).await.unwrap();
        Self { engine, queue, worker, next: AtomicU64::new(1) }
    }

    pub(crate) async fn take(&self, limit: usize) -> Vec<Claimed> {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let claim = Claim { queue: self.queue.clone(), worker: self.worker, number };
        let queues = vec![QueueClaim { claim, limit }];
        let request = ClaimRequest { finishes: Vec::new(), limit, queues };
        self.engine.claim(request).await.unwrap().jobs
    }

    pub(crate) async fn end(&self, jobs: &[Claimed], transition: Transition) {
        let past = (transition != Transition::Done)
            .then(|| b"{\"attempts\":2,\"errors\":[],\"unknown\":\"\xc3\xa9\"}".to_vec());
        let end = |job: &Claimed| {
            let record = Record::decode(&job.record).unwrap();
            Finish {
                id: job.id,
                claim: job.claim.clone(),
                transition,
                history: past.clone(),
                had_history: job.history.is_some(),
                priority: record.priority,
                idempotency_key: record.idempotency_key.map(|key| key.into_owned()),
                failed: false,
                run_time: Duration::ZERO,
            }
        };
        let ends = jobs.iter().map(end).collect();
        let finished = self.engine.finish(ends).await.unwrap();
        assert!(finished.iter().all(|finished| *finished == Finished::Applied));
    }
}

/// Runs all that can be run now, and says what that was, in order.
pub(crate) async fn ran(client: &Client, name: &str) -> Vec<JobId> {
    let hand = Hand::join(client.engine(), name, LONG).await;
    let mut ids = Vec::new();
    loop {
        let jobs = hand.take(20).await;
        if jobs.is_empty() {
            break;
        }
        ids.extend(jobs.iter().map(|job| job.id));
        hand.end(&jobs, Transition::Done).await;
    }
    hand.engine.leave(&hand.queue, hand.worker).await.unwrap();
    ids
}

/// Two queues with jobs in every state but running, of every priority, and one without any.
pub(crate) async fn fill(client: &Client) {
    let later_ms = now_ms() + HOUR_MS;
    let hand = Hand::join(client.engine(), "a", LONG).await;
    let ends = [
        Transition::Retry { at_ms: later_ms },
        Transition::Bury,
        Transition::Retain { until_ms: later_ms },
        Transition::Cancel { until_ms: Some(later_ms) },
    ];
    for (number, end) in ends.into_iter().cycle().take(8).enumerate() {
        draft("a").key(&format!("ended {number}")).send(client).await;
        hand.end(&hand.take(1).await, end).await;
    }
    let asked = draft("a").send(client).await;
    let held = hand.take(1).await;
    assert_eq!(client.admin().cancel(asked).await.unwrap(), Act::Requested);
    let mut jobs = Vec::new();
    for number in 0..45_u64 {
        let priority = Priority::ALL[number as usize % 3];
        let job = draft("a").priority(priority).payload(number.to_le_bytes().to_vec());
        jobs.push(job.key(&format!("waits {number}")).build());
    }
    for number in 0..4 {
        jobs.push(draft("a").at(later_ms + number % 2).build());
        jobs.push(draft("b").build());
    }
    client.engine().enqueue(jobs, LONG).await.unwrap();
    hand.end(&held, Transition::Release).await;
    client.engine().leave(&hand.queue, hand.worker).await.unwrap();
    Hand::join(client.engine(), "c", LONG).await;
}

/// What a store has in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) jobs: BTreeMap<JobId, Stored>,
    /// By queue and state, as listed.
    pub(crate) order: BTreeMap<(QueueName, State), Vec<JobId>>,
    /// By queue: scheduled jobs and retries.
    pub(crate) sizes: BTreeMap<QueueName, [u64; 2]>,
}

impl Snapshot {
    pub(crate) async fn of(client: &Client) -> Self {
        let engine = client.engine();
        let mut all =
            Self { jobs: BTreeMap::new(), order: BTreeMap::new(), sizes: BTreeMap::new() };
        for queue in engine.queues().await.unwrap() {
            for state in State::ALL {
                let (queue, cursor, limit) = (queue.clone(), None, 1_000);
                let request = ListRequest { queue: queue.clone(), state, cursor, limit };
                let page = engine.list(request).await.unwrap();
                assert_eq!(page.next, None, "more than a page");
                if !page.jobs.is_empty() {
                    let ids = page.jobs.iter().map(|job| job.id).collect();
                    all.order.insert((queue, state), ids);
                }
                for job in page.jobs {
                    let other = all.jobs.insert(job.id, job);
                    assert_eq!(other, None, "a job is in two places");
                }
            }
            let stats = engine.stats(&queue).await.unwrap();
            if stats.all() > 0 {
                all.sizes.insert(queue, [stats.scheduled, stats.retrying]);
            }
        }
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn only(&self, name: &str) -> BTreeMap<JobId, Stored> {
        let jobs = self.jobs.iter().filter(|(_, job)| job.queue.as_str() == name);
        jobs.map(|(id, job)| (*id, job.clone())).collect()
    }

    /// Runs what is left at the destination and asserts that, with what was done before, each job
    /// that could run did so once, and each that could not is there as it was.
    pub(crate) async fn check(
        &self,
        from: &Client,
        to: &Client,
        mut done: Vec<JobId>,
        report: &MoveReport,
        what: &str,
    ) {
        assert_eq!(Snapshot::of(from).await.len(), 0, "{what}: left at the source");
        for name in report.paused() {
            to.admin().resume(name.as_str()).await.unwrap();
        }
        for queue in to.admin().queues().await.unwrap() {
            assert_eq!(queue.stats.paused_since_ms, None, "{what}: not in the report");
            done.extend(ran(to, queue.name.as_str()).await);
        }
        let distinct: HashSet<_> = done.iter().copied().collect();
        assert_eq!(distinct.len(), done.len(), "{what}: a job ran twice");
        let ready = self.jobs.values().filter(|job| job.state == State::Ready);
        assert_eq!(distinct, ready.map(|job| job.id).collect(), "{what}: what ran");
        let mut kept = self.jobs.clone();
        kept.retain(|id, _| !distinct.contains(id));
        assert_eq!(Snapshot::of(to).await.jobs, kept, "{what}: what is kept");
    }
}
