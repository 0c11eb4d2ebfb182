//! A store, a history and a producer: what every fault test begins with and is judged by.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mq_core::engine::{NewJob, QueueStats, Schedule};
use mq_core::rng::Rng;
use mq_core::{Client, JobId, QueueName, clock};
use mq_redis as _;
use mq_sqlite as _;
use mq_testkit::{Entry, Event, Nemesis, Recorder, Rules, now_ns};

use crate::account::{Account, Life};
use crate::fleet::{Fleet, Settings};
use crate::job::Chaos;
use crate::process::LOG;
use crate::producer::Producer;

/// How long a run may take to come to rest.
const REST_MAX: Duration = Duration::from_secs(120);

/// One fault test's surroundings.
#[derive(Debug)]
pub struct Scene {
    /// A client of the store.
    pub client: Client,
    /// The queue.
    pub queue: QueueName,
    pub(crate) url: String,
    recorder: Recorder,
    producer: Producer,
    progress: Mutex<Progress>,
    dir: tempfile::TempDir,
}

/// What the history said as far as it was read.
#[derive(Debug, Default)]
struct Progress {
    bytes: u64,
    starts: usize,
    acks: usize,
}

impl Scene {
    /// A new history, and a client of the store at this URL.
    ///
    /// # Panics
    /// When either cannot be had; so do all methods here, this being for tests.
    pub async fn new(url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("no directory: {error}"));
        let recorder = Recorder::open(&dir.path().join("history"));
        let recorder = recorder.unwrap_or_else(|error| panic!("no history: {error}"));
        let producer = Producer::new(&connect(url).await, &recorder);
        let (client, queue) = (producer.client.clone(), producer.queue.clone());
        let progress = Mutex::default();
        Self { client, queue, url: url.to_owned(), recorder, producer, progress, dir }
    }

    /// Goes on with another store. What was written down so far counts there as well.
    pub async fn move_to(&mut self, url: &str) {
        self.producer = Producer::new(&connect(url).await, &self.recorder);
        self.client = self.producer.client.clone();
        self.url = url.to_owned();
    }

    /// A directory of its own, for whatever the test needs.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Settings for workers with this lease; they reach the store by the scene's URL.
    pub fn settings(&self, lease: Duration) -> Settings {
        Settings {
            url: self.url.clone(),
            history: self.history(),
            lease,
            concurrency: 8,
            grace: Duration::from_secs(5),
            more: vec![(LOG, self.log_path().display().to_string())],
        }
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// What processes with the scene's settings have warned of so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Waits until a process has warned of this, at most so long.
    pub async fn until_logged(&self, text: &str, limit: Duration) {
        let deadline = clock::now() + limit;
        while !self.log().contains(text) {
            let log = self.log();
            assert!(clock::now() < deadline, "not `{text}` within {limit:?}, but:\n{log}");
            poll().await;
        }
    }

    pub(crate) fn history(&self) -> PathBuf {
        self.dir.path().join("history")
    }

    /// What writes the history.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Writes down something worth knowing, such as a fault.
    pub fn note(&self, text: impl Into<String>) {
        self.recorder.note([Event::Note { text: text.into() }]);
    }

    /// Enqueues jobs in one batch, and writes down what was sent and what the store said.
    /// Whether they were acknowledged.
    pub async fn enqueue(&self, jobs: &[Chaos]) -> bool {
        self.enqueue_at(jobs, Schedule::Now).await
    }

    /// The same, for a time.
    pub async fn enqueue_at(&self, jobs: &[Chaos], schedule: Schedule) -> bool {
        self.producer.enqueue(jobs, schedule).await
    }

    /// Enqueues jobs of whatever kind in one batch, and writes them down. Whether they were
    /// acknowledged.
    pub async fn send(&self, jobs: Vec<NewJob>) -> bool {
        self.producer.send(jobs).await
    }

    /// Enqueues `count` jobs in small batches while `nemesis` does its work, until both are done.
    pub async fn enqueue_all(&self, jobs: &[Chaos], batch: usize) {
        for chunk in jobs.chunks(batch) {
            self.enqueue(chunk).await;
        }
    }

    /// The queue's sizes; waits for the store if it is away.
    pub async fn stats(&self) -> QueueStats {
        let deadline = clock::now() + REST_MAX;
        loop {
            match self.client.engine().stats(&self.queue).await {
                Ok(stats) => return stats,
                Err(error) => assert!(clock::now() < deadline, "the store stays away: {error}"),
            }
            poll().await;
        }
    }

    /// Waits until this holds of the queue's sizes.
    pub async fn until(&self, what: &str, holds: impl FnMut(&QueueStats) -> bool) -> QueueStats {
        let seen = self.look(REST_MAX, holds).await;
        seen.unwrap_or_else(|stats| panic!("not {what} within {REST_MAX:?}: {stats:#?}"))
    }

    /// Looks at the queue's sizes until this holds of them, or the time is up; as they were last.
    async fn look(
        &self,
        limit: Duration,
        mut holds: impl FnMut(&QueueStats) -> bool,
    ) -> Result<QueueStats, QueueStats> {
        let deadline = clock::now() + limit;
        loop {
            let stats = self.stats().await;
            if holds(&stats) {
                return Ok(stats);
            }
            if clock::now() >= deadline {
                return Err(stats);
            }
            poll().await;
        }
    }

    /// Waits until no job waits or runs.
    pub async fn rest(&self) -> QueueStats {
        self.until("at rest", |stats| stats.open() == 0).await
    }

    /// Whether no job waits or runs before this time is up.
    pub async fn rests_within(&self, limit: Duration) -> bool {
        self.holds_within(limit, |stats| stats.open() == 0).await
    }

    /// Whether this holds of the queue's sizes before this time is up.
    pub async fn holds_within(&self, limit: Duration, holds: impl Fn(&QueueStats) -> bool) -> bool {
        self.look(limit, holds).await.is_ok()
    }

    /// As [`rest`](Self::rest), starting a new worker for each one that dies meanwhile. How many
    /// died.
    pub async fn rest_reviving(&self, fleet: &mut Fleet) -> usize {
        let mut died = 0;
        let at_rest = |stats: &QueueStats| {
            died += fleet.revive();
            stats.open() == 0
        };
        self.until("at rest", at_rest).await;
        died
    }

    /// Waits until no job waits or runs, with a nemesis that starts a new worker for each that dies
    /// meanwhile and does no harm.
    pub async fn rest_but_for(&self, nemesis: &mut Nemesis) {
        let deadline = clock::now() + REST_MAX;
        while !self.rests_within(Duration::ZERO).await {
            assert!(clock::now() < deadline, "not at rest within {REST_MAX:?}");
            nemesis.recover().await;
            poll().await;
        }
    }

    /// How many handlers have started so far.
    pub fn starts(&self) -> usize {
        self.read_on().starts
    }

    /// How many jobs the store has acknowledged so far.
    pub fn acks(&self) -> usize {
        self.read_on().acks
    }

    /// Reads what the history has got since the last time: a long run asks thousands of times.
    fn read_on(&self) -> MutexGuard<'_, Progress> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = Vec::new();
        let read = std::fs::File::open(self.history()).and_then(|mut file| {
            file.seek(SeekFrom::Start(progress.bytes))?;
            file.read_to_end(&mut new)
        });
        read.unwrap_or_else(|error| panic!("cannot read the history: {error}"));
        for line in new.split_inclusive(|byte| *byte == b'\n').filter(|l| l.ends_with(b"\n")) {
            progress.bytes += line.len() as u64;
            let entry = Entry::parse(line).unwrap_or_else(|error| panic!("{error}"));
            let Some(entry) = entry else { continue };
            progress.starts += usize::from(matches!(entry.event, Event::Started { .. }));
            progress.acks += usize::from(matches!(entry.event, Event::Acked { .. }));
        }
        progress
    }

    /// Waits until so many jobs are acknowledged, or until this says that there will be no more.
    pub async fn until_acked(&self, count: usize, mut is_over: impl FnMut() -> bool) {
        let deadline = clock::now() + REST_MAX;
        while self.acks() < count && !is_over() {
            assert!(clock::now() < deadline, "only {} of {count} acknowledged", self.acks());
            poll().await;
        }
    }

    /// Waits until so many handlers have started.
    pub async fn until_started(&self, count: usize) {
        let deadline = clock::now() + REST_MAX;
        while self.starts() < count {
            assert!(clock::now() < deadline, "only {} of {count} started", self.starts());
            poll().await;
        }
    }

    /// The jobs that the store has acknowledged, each with the time in ns of the history, in order.
    pub fn acked(&self) -> Vec<(u64, JobId)> {
        let acked = |entry: &Entry| match entry.event {
            Event::Acked { id, instead: None, .. } => Some((entry.at_ns, id)),
            _ => None,
        };
        self.entries().iter().filter_map(acked).collect()
    }

    /// The jobs that were done at least once.
    pub fn ended(&self) -> HashSet<JobId> {
        Account::of(&self.entries()).which(|life| life.ends_ok > 0).into_iter().collect()
    }

    /// The acknowledged jobs that were never done: lost, or not yet run.
    pub fn unended(&self) -> HashSet<JobId> {
        let unended = |life: &Life| life.acked && life.ends_ok == 0;
        Account::of(&self.entries()).which(unended).into_iter().collect()
    }

    /// Panics if a job was given away twice under one claim: such a claim fences nobody.
    pub fn assert_claims_are_unique(&self) {
        let mut seen = HashSet::new();
        for entry in self.entries() {
            if let Event::Started { id, claim } = entry.event {
                assert!(seen.insert((id, claim.clone())), "{id} twice under {claim}");
            }
        }
    }

    /// Everything that was written down so far.
    pub fn entries(&self) -> Vec<Entry> {
        Recorder::read(&self.history()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Makes the store lose what it did in the last so much time, all of it or some, and writes
    /// that down.
    pub async fn loses(&self, last: Duration, kind: &str, fault: impl AsyncFnOnce()) {
        let to_ns = now_ns().saturating_sub(last.as_nanos().try_into().unwrap_or(u64::MAX));
        let began = self.recorder.fault_began(kind, Vec::new());
        fault().await;
        self.recorder.note([Event::RolledBack { to_ns }]);
        self.recorder.fault_ended(began);
    }

    /// Writes down that somebody may do to this job from now on, past mq, what an order does.
    pub fn meddles(&self, verb: &str, id: JobId) {
        self.recorder.note([Event::Operating { id, verb: verb.to_owned() }]);
    }

    /// The verdict that holds for every fault: all is at rest, no check finds anything in the
    /// history, and structures are in agreement. Returns the account for more questions.
    pub async fn judge(&self) -> Account {
        self.judge_by(&Rules::default()).await
    }

    /// The same by rules that allow the fault to take something.
    pub async fn judge_by(&self, rules: &Rules) -> Account {
        let wrong = crate::fsck(&self.client, &self.url).await;
        assert!(wrong.is_empty(), "fsck: {wrong:#?}");
        let entries = self.entries();
        let verdict = self.clean(&entries, rules, "run the test again").await;
        assert_eq!(verdict.counts.open, 0, "not at rest\n{verdict}");
        Account::of(&entries)
    }

    /// The dead letters with their reasons.
    pub async fn dead(&self) -> HashMap<JobId, String> {
        use mq_core::admin::Filter;
        let (admin, filter) = (self.client.admin(), Filter::state(mq_core::State::Dead));
        let mut dead = HashMap::new();
        let mut cursor = None;
        loop {
            let page = admin.jobs(&filter, cursor, 1000).await;
            let page = page.unwrap_or_else(|error| panic!("no page: {error}"));
            let reason = |death: Option<mq_core::Death>| {
                death.map(|death| death.reason.to_string()).unwrap_or_default()
            };
            dead.extend(page.jobs.into_iter().map(|job| (job.id, reason(job.death))));
            cursor = page.next;
            if cursor.is_none() {
                return dead;
            }
        }
    }
}

async fn connect(url: &str) -> Client {
    let client = Client::connect(url).await;
    client.unwrap_or_else(|error| panic!("cannot connect to {url}: {error}"))
}

/// How often a test does its worst: this often, or as the variable says that a longer run sets.
///
/// # Panics
/// When the variable is no number.
pub fn times(variable: &str, usually: usize) -> usize {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => usually,
    }
}

/// Chance for a test; a run that failed is repeated by setting `MQ_SEED` to what it has printed.
pub fn chance() -> Rng {
    let seed = times("MQ_SEED", Rng::random().next_u64() as usize);
    eprintln!("MQ_SEED={seed}");
    Rng::seeded(seed as u64)
}

/// Lets a fault last, or the world turn between two of them. What a test is judged by is never
/// that enough time has passed.
pub async fn lasts(time: Duration) {
    // sleep: the length of a fault is part of the fault.
    tokio::time::sleep(time).await;
}

/// The pause between two looks at a condition that has a deadline.
pub async fn poll() {
    // sleep: every caller polls with a deadline.
    tokio::time::sleep(Duration::from_millis(20)).await;
}
