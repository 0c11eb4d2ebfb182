//! A key of the wrong type under each operation in turn: what cannot be carried out must not be
//! carried out by halves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashSet;
use std::time::Duration;

use mq_core::engine::{
    About, Beat, BeatReply, ClaimRequest, Claimed, Engine, EngineError, EngineErrorKind, Finish,
    Finished, NewJob, PruneLimits, QueueClaim, QueueReply, ReapRequest, Schedule, Stored,
};
use mq_core::lifecycle::{Decision, Transition};
use mq_core::{Claim, JobId, Priority, QueueName, Record, State, WorkerId};
use mq_redis::RedisEngine;
use mq_testkit::{shared_url, unique_prefix};

const LEASE: Duration = Duration::from_secs(15);
const START_MS: u64 = 1_700_000_000_000;
const KEYS: [&str; 25] = [
    "jobs",
    "history",
    "levels",
    "ready:high",
    "ready",
    "ready:low",
    "scheduled",
    "retry",
    "dead",
    "done",
    "cancelled",
    "workers",
    "about",
    "keys",
    "keys:expiry",
    "cancels",
    "stats",
    "rates",
    "recent",
    "wake",
    "moved",
    "orders",
    "moving",
    "swept",
    "grace",
];

/// A queue with something of everything.
struct Scene {
    engine: RedisEngine,
    redis: redis::Connection,
    prefix: String,
    queue: QueueName,
    worker: WorkerId,
    reaper: WorkerId,
    running: Vec<Claimed>,
    ids: HashSet<JobId>,
}

impl Scene {
    async fn new() -> Self {
        let prefix = unique_prefix();
        let engine = RedisEngine::connect(&format!("{}?prefix={prefix}", shared_url())).await;
        let redis = redis::Client::open(shared_url()).unwrap().get_connection().unwrap();
        let queue = QueueName::new("q").unwrap();
        let mut scene = Self {
            engine: engine.unwrap(),
            redis,
            prefix,
            queue,
            worker: WorkerId::random(),
            reaper: WorkerId::random(),
            running: Vec::new(),
            ids: HashSet::new(),
        };
        scene.fill().await;
        scene
    }

    async fn fill(&mut self) {
        self.engine.set_test_clock(START_MS);
        let about = About::default();
        self.engine.join(&self.queue, self.worker, LEASE, &about).await.unwrap();
        self.engine.join(&self.queue, self.reaper, LEASE * 100, &about).await.unwrap();
        // Four that end before the scene begins, so that every place has something in it.
        self.store(4, Schedule::Now).await;
        let jobs = self.claim(1, 4).await.unwrap();
        let until_ms = START_MS + 1000;
        let ends = [
            Transition::Retry { at_ms: START_MS + 1000 },
            Transition::Bury,
            Transition::Retain { until_ms },
            Transition::Cancel { until_ms: Some(until_ms) },
        ];
        let finishes: Vec<_> = jobs.iter().zip(ends).map(|(job, end)| finish(job, end)).collect();
        let finished = self.engine.finish(finishes).await.unwrap();
        assert_eq!(finished, [Finished::Applied; 4]);
        self.store(12, Schedule::Now).await;
        self.running = self.claim(2, 12).await.unwrap();
        let asked: Vec<_> = self.running.iter().map(|job| job.id).take(3).collect();
        self.engine.cancel(&self.queue, &asked).await.unwrap();
        self.store(6, Schedule::Now).await;
        self.store(3, Schedule::At(START_MS + 1000)).await;
        self.engine.set_test_clock(START_MS + 2000);
    }

    async fn store(&mut self, count: usize, schedule: Schedule) {
        let jobs: Vec<_> = (0..count).map(|at| job(&self.queue, at, schedule)).collect();
        self.ids.extend(jobs.iter().map(|job| job.id));
        self.engine.enqueue(jobs, LEASE).await.unwrap();
    }

    async fn claim(&self, number: u64, limit: usize) -> Result<Vec<Claimed>, EngineError> {
        let claim = Claim { queue: self.queue.clone(), worker: self.worker, number };
        let queues = vec![QueueClaim { claim, limit }];
        let request = ClaimRequest { finishes: Vec::new(), limit, queues };
        let reply = self.engine.claim(request).await?;
        match reply.queues.into_iter().next() {
            Some(QueueReply::Damaged(text)) => Err(damaged(text)),
            _ => Ok(reply.jobs),
        }
    }

    /// Ends the running jobs in all ways.
    async fn finish(&self) -> Result<Vec<Finished>, EngineError> {
        let at_ms = START_MS + 60_000;
        let ends = [
            Transition::Done,
            Transition::Retry { at_ms },
            Transition::Schedule { at_ms },
            Transition::Release,
            Transition::Bury,
            Transition::Retain { until_ms: at_ms },
            Transition::Cancel { until_ms: Some(at_ms) },
        ];
        let ends = self.running.iter().zip(ends.iter().cycle());
        let finishes = ends.map(|(job, end)| finish(job, *end)).collect();
        let finished = self.engine.finish(finishes).await?;
        if finished.contains(&Finished::Damaged) {
            assert_eq!(finished, [Finished::Damaged; 12]);
            return Err(damaged("by its finishes"));
        }
        Ok(finished)
    }

    async fn reap(&self, number: u64) -> Result<usize, EngineError> {
        let claim = Claim { queue: self.queue.clone(), worker: self.reaper, number };
        let request = ReapRequest { claim, limit: 5, lease: LEASE };
        self.engine.reap(request).await.map(|reply| reply.jobs.len())
    }

    async fn run(&self, operation: &str) -> Result<(), EngineError> {
        match operation {
            "claim" => self.claim(3, 7).await.map(drop),
            "finish" => self.finish().await.map(drop),
            "reap" => self.reap(1).await.map(drop),
            "promote" => self.engine.promote(&self.queue, 100).await.map(drop),
            "prune" => {
                let mut limits = PruneLimits::default();
                limits.dead_count = 0;
                self.engine.prune(&self.queue, limits).await.map(drop)
            }
            "import" => self.engine.import(self.foreign()).await.map(drop),
            "join" => self.engine.join(&self.queue, WorkerId::random(), LEASE, &told()).await,
            "extend" => {
                let beat = |worker: &WorkerId| Beat {
                    queue: self.queue.clone(),
                    worker: *worker,
                    lease: LEASE,
                    about: Some(told()),
                    names_claims: true,
                };
                let beats: Vec<_> = [&self.worker, &self.reaper].into_iter().map(beat).collect();
                match self.engine.extend(beats).await?.pop() {
                    Some(BeatReply::Damaged(text)) => Err(damaged(text)),
                    _ => Ok(()),
                }
            }
            "pause" => self.engine.pause(&self.queue).await,
            "leave" => self.engine.leave(&self.queue, self.worker).await,
            verb => self.act(verb).await,
        }
    }

    /// A verb of an operator on every job there is.
    async fn act(&self, verb: &str) -> Result<(), EngineError> {
        let ids: Vec<_> = self.ids.iter().copied().collect();
        let (engine, queue) = (&self.engine, &self.queue);
        let acts = match verb {
            "cancel" => engine.cancel(queue, &ids).await,
            "delete" => engine.delete(queue, &ids).await,
            "discard" => engine.discard(queue, &ids).await,
            "retry" => engine.retry(queue, &ids, None).await,
            "run_now" => engine.run_now(queue, &ids).await,
            "transfer" => {
                let to = QueueName::new("another").unwrap();
                engine.transfer(queue, &to, &ids).await
            }
            _ => unreachable!("{verb}"),
        };
        acts.map(drop)
    }

    /// Jobs of another store for every place.
    fn foreign(&self) -> Vec<Stored> {
        let states = State::ALL.into_iter().filter(|state| *state != State::Running);
        let stored = |(number, state)| {
            let NewJob { queue, id, record, .. } = job(&self.queue, number, Schedule::Now);
            let (at_ms, history) = (Some(START_MS + 60_000), Some(b"a past".to_vec()));
            let cancel_requested = number == 0;
            let worker = None;
            Stored { id, queue, state, record, history, at_ms, worker, cancel_requested }
        };
        (0..).zip(states.cycle()).take(20).map(stored).collect()
    }

    fn ask(&mut self, command: &[&str]) -> redis::RedisResult<redis::Value> {
        let mut cmd = redis::cmd(command[0]);
        cmd.arg(&command[1..]).query(&mut self.redis)
    }

    fn key(&self, name: &str) -> String {
        format!("{}:{{q}}:{name}", self.prefix)
    }

    /// Puts a text in place of what is under a key.
    fn damage(&mut self, key: &str) {
        let aside = format!("{}-aside", self.prefix);
        let _ = self.ask(&["RENAME", key, &aside]);
        self.ask(&["SET", key, "not ours"]).unwrap();
    }

    fn restore(&mut self, key: &str) {
        let aside = format!("{}-aside", self.prefix);
        self.ask(&["DEL", key]).unwrap();
        let _ = self.ask(&["RENAME", &aside, key]);
    }

    /// Nothing disagrees, and no job that should be there is gone.
    async fn inspect(&self, what: &str) {
        let report = self.engine.audit(&self.queue, false).await.unwrap();
        assert!(report.findings.is_empty(), "{what}: {:#?}", report.findings);
    }

    async fn count(&self) -> usize {
        let ids: Vec<_> = self.ids.iter().copied().collect();
        let stored = self.engine.get(&self.queue, &ids).await.unwrap();
        stored.iter().flatten().count()
    }
}

fn damaged(text: impl Into<String>) -> EngineError {
    EngineError::new(EngineErrorKind::Damaged, text)
}

fn told() -> About {
    let mut about = About::default();
    about.host = "somewhere".into();
    about
}

fn job(queue: &QueueName, number: usize, schedule: Schedule) -> NewJob {
    let id = JobId::new();
    let key = number.is_multiple_of(4).then(|| format!("key of {id}"));
    let mut record = Record::new("kind", &b"payload"[..]);
    record.priority = Priority::ALL[number % 3];
    record.idempotency_key = key.clone().map(Into::into);
    NewJob {
        queue: queue.clone(),
        id,
        priority: record.priority,
        record: record.encode(),
        schedule,
        idempotency_key: key,
    }
}

fn finish(job: &Claimed, transition: Transition) -> Finish {
    let history = (transition != Transition::Done).then(|| b"a past".to_vec());
    let end = Finish::interrupted(job.clone(), Decision { transition, history: None });
    Finish { history, run_time: Duration::from_millis(5), ..end }
}

async fn each_key_under(operation: &str, may_end_jobs: usize) {
    let mut refused = 0;
    for name in KEYS {
        let what = format!("{operation} with a foreign `{name}`");
        let mut scene = Scene::new().await;
        scene.inspect("before anything").await;
        let before = scene.count().await;
        if operation == "reap" {
            // Sweeps have gone on, so that the store was not away.
            scene.reap(1).await.unwrap();
            scene.engine.set_test_clock(START_MS + 14_000);
            scene.reap(2).await.unwrap();
            scene.engine.set_test_clock(START_MS + 16_000);
        }
        let key = scene.key(name);
        scene.damage(&key);
        let outcome = scene.run(operation).await;
        scene.restore(&key);
        if let Err(error) = &outcome {
            assert_eq!(error.kind(), EngineErrorKind::Damaged, "{what}: {error}");
            refused += 1;
        }
        scene.inspect(&what).await;
        scene.run(operation).await.unwrap();
        scene.inspect(&format!("{what}, repeated")).await;
        let gone = before - scene.count().await;
        assert!(gone <= may_end_jobs, "{what}: {gone} jobs are gone");
    }
    assert!(refused > 0, "{operation}: no key was missed");
}

#[tokio::test]
async fn claim_takes_all_or_nothing() {
    each_key_under("claim", 0).await;
}

#[tokio::test]
async fn finish_ends_all_or_nothing() {
    // Two of the twelve are done.
    each_key_under("finish", 2).await;
}

#[tokio::test]
async fn reap_takes_all_or_nothing() {
    each_key_under("reap", 0).await;
}

#[tokio::test]
async fn promote_moves_all_or_nothing() {
    each_key_under("promote", 0).await;
}

#[tokio::test]
async fn prune_removes_all_or_nothing() {
    // One done, one cancelled, one dead.
    each_key_under("prune", 3).await;
}

#[tokio::test]
async fn import_stores_all_or_nothing() {
    each_key_under("import", 0).await;
}

#[tokio::test]
async fn leave_hides_no_jobs() {
    each_key_under("leave", 0).await;
}

#[tokio::test]
async fn a_worker_joins_and_lives_on_or_not_at_all() {
    each_key_under("join", 0).await;
    each_key_under("extend", 0).await;
}

#[tokio::test]
async fn verbs_that_end_jobs_do_so_to_all_or_none() {
    // How many of them end is theirs to say.
    for verb in ["cancel", "delete", "transfer"] {
        each_key_under(verb, usize::MAX).await;
    }
}

#[tokio::test]
async fn verbs_that_move_jobs_do_so_to_all_or_none() {
    for verb in ["discard", "retry", "run_now"] {
        each_key_under(verb, 0).await;
    }
}

/// By the transaction for jobs that are surely new, and by the script for those with a key.
#[tokio::test]
async fn enqueue_stores_all_or_nothing_and_leaves_nothing_of_what_it_refuses() {
    let mut refused = 0;
    for (name, keyed) in KEYS.iter().flat_map(|name| [(name, false), (name, true)]) {
        let what = format!("enqueue with a foreign `{name}`, keyed: {keyed}");
        let mut scene = Scene::new().await;
        let mut jobs: Vec<_> = (0..9).map(|at| job(&scene.queue, at, Schedule::Now)).collect();
        for job in &mut jobs {
            job.idempotency_key = job.idempotency_key.take().filter(|_| keyed);
        }
        let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
        let key = scene.key(name);
        scene.damage(&key);
        let outcome = scene.engine.enqueue(jobs, LEASE).await;
        scene.restore(&key);
        scene.inspect(&what).await;
        let stored = scene.engine.get(&scene.queue, &ids).await.unwrap();
        let stored = stored.iter().flatten().count();
        match outcome.map_err(|error| error.kind()) {
            Ok(replies) => assert_eq!((replies.len(), stored), (9, 9), "{what}"),
            // One of three priorities has no list.
            Err(EngineErrorKind::Unknown) => assert_eq!(stored, 6, "{what}"),
            Err(kind) => assert_eq!((kind, stored), (EngineErrorKind::Damaged, 0), "{what}"),
        }
        refused += usize::from(stored < 9);
    }
    assert!(refused > 8, "only {refused} were refused");
}

/// What is written before must not be followed by an error.
#[tokio::test]
async fn a_counter_that_cannot_count_stops_nothing() {
    for garbage in ["many", "9223372036854775807", ""] {
        let mut scene = Scene::new().await;
        let (stats, rates) = (scene.key("stats"), scene.key("rates"));
        for name in ["enqueued", "done", "failed", "dead", "interrupted", "cancelled"] {
            scene.ask(&["HSET", &stats, name, garbage]).unwrap();
        }
        for letter in ["e", "d", "f"] {
            let field = format!("{}:{letter}", START_MS / 60_000);
            scene.ask(&["HSET", &rates, &field, garbage]).unwrap();
        }
        scene.store(12, Schedule::Now).await;
        scene.finish().await.unwrap();
        for verb in ["cancel", "discard"] {
            scene.run(verb).await.unwrap();
        }
        for (number, after_ms) in [(1, 14_000), (2, 20_000), (3, 26_000)] {
            scene.engine.set_test_clock(START_MS + after_ms);
            scene.reap(number).await.unwrap();
        }
    }
}

/// A receipt that was cut off in the middle of an id, of a worker that is gone.
#[tokio::test]
async fn what_is_no_whole_id_does_not_spoil_the_ids_after_it() {
    let mut scene = Scene::new().await;
    let claims = scene.key(&format!("claims:{}", scene.worker));
    // Before the claim with the twelve, in the order in which they are taken over.
    scene.ask(&["HSET", &claims, "1", "short"]).unwrap();
    for (number, after_ms) in [(1, 0), (2, 7_000), (3, 14_000)] {
        scene.engine.set_test_clock(START_MS + after_ms);
        scene.reap(number).await.unwrap();
    }
    scene.engine.set_test_clock(START_MS + 16_000);
    let claim = Claim { queue: scene.queue.clone(), worker: scene.reaper, number: 4 };
    let request = ReapRequest { claim, limit: 100, lease: LEASE };
    let taken = scene.engine.reap(request).await.unwrap();
    let taken: HashSet<_> = taken.jobs.iter().map(|job| job.id).collect();
    assert_eq!(taken, scene.running.iter().map(|job| job.id).collect());
    scene.inspect("after the worker was taken over").await;
}

/// Others' elements, malformed ids and ids without a record, in small claims whose records come at
/// once and in large ones whose records come in a second trip.
#[tokio::test]
async fn claim_passes_over_what_is_no_job() {
    for count in [3, 40] {
        let mut scene = Scene::new().await;
        scene.store(count, Schedule::Now).await;
        let stranger = JobId::new().to_string();
        let ready = scene.key("ready");
        for element in ["", "x", &"?".repeat(22), &stranger, &"-".repeat(45)] {
            scene.ask(&["LPUSH", &ready, element]).unwrap();
            scene.ask(&["RPUSH", &ready, element]).unwrap();
        }
        let jobs = scene.claim(3, 1000).await.unwrap();
        let ids: HashSet<_> = jobs.iter().map(|job| job.id).collect();
        assert_eq!(ids.len(), jobs.len());
        assert!(ids.is_subset(&scene.ids));
        // Also those that were due: three scheduled ones and a retry.
        assert_eq!(ids.len(), 6 + 4 + count);
        let finishes = jobs.iter().map(|job| finish(job, Transition::Done)).collect();
        let finished = scene.engine.finish(finishes).await.unwrap();
        assert!(finished.iter().all(|finished| *finished == Finished::Applied));
        scene.inspect("after strangers").await;
        let held: i64 = redis::cmd("HLEN")
            .arg(scene.key(&format!("claims:{}", scene.worker)))
            .query(&mut scene.redis)
            .unwrap();
        assert_eq!(held, 2, "the twelve of before, and the last number");
    }
}

/// The same in the receipts of a worker that is gone: the sweep that takes them over gets rid of
/// them, and the next one finds nothing.
#[tokio::test]
async fn reap_passes_over_what_is_no_job() {
    for count in [3, 40] {
        let mut scene = Scene::new().await;
        scene.store(count, Schedule::Now).await;
        let mut own: HashSet<_> = scene.running.iter().map(|job| job.id).collect();
        own.extend(scene.claim(3, 1000).await.unwrap().iter().map(|job| job.id));
        let claims = scene.key(&format!("claims:{}", scene.worker));
        let (stranger, other) = (JobId::new().to_string(), JobId::new().to_string());
        let ids: String = redis::cmd("HGET").arg(&[&claims, "3"]).query(&mut scene.redis).unwrap();
        // At both ends, one of them twice, and a claim of nothing else.
        let malformed = "?".repeat(22);
        let spoilt = [&stranger[..], &malformed, &ids, &stranger].concat();
        scene.ask(&["HSET", &claims, "3", &spoilt, "4", &other]).unwrap();
        for (number, after_ms) in [(1, 2_000), (2, 8_000), (3, 14_000)] {
            scene.engine.set_test_clock(START_MS + after_ms);
            assert_eq!(scene.reap(number).await.unwrap(), 0);
        }
        scene.engine.set_test_clock(START_MS + 16_000);
        let mut taken = Vec::new();
        for number in 4.. {
            let claim = Claim { queue: scene.queue.clone(), worker: scene.reaper, number };
            let request = ReapRequest { claim, limit: 7, lease: LEASE };
            let reply = scene.engine.reap(request).await.unwrap();
            taken.extend(reply.jobs);
            if !reply.more {
                break;
            }
        }
        assert_eq!(taken.iter().map(|job| job.id).collect::<HashSet<_>>(), own);
        assert_eq!(taken.len(), own.len());
        let ends = taken.iter().map(|job| finish(job, Transition::Done)).collect();
        let finished = scene.engine.finish(ends).await.unwrap();
        assert!(finished.iter().all(|finished| *finished == Finished::Applied));
        scene.inspect("after strangers").await;
        let receipts = scene.key(&format!("claims:{}", scene.reaper));
        let held: i64 = redis::cmd("HLEN").arg(receipts).query(&mut scene.redis).unwrap();
        assert_eq!(held, 1, "the last number, and no claim");
    }
}

/// A claim and the ends of jobs of three queues, of which the second has one key that is not ours:
/// with jobs that come with their records and such whose records come in a second trip.
#[tokio::test]
async fn a_damaged_queue_takes_no_other_one_along() {
    for (name, count) in KEYS.into_iter().flat_map(|name| [(name, 3), (name, 40)]) {
        let what = format!("{count} jobs each and a foreign `{name}`");
        let mut scene = Scene::new().await;
        let others = ["p", "r"].map(|name| QueueName::new(name).unwrap());
        let about = About::default();
        for queue in &others {
            scene.engine.join(queue, scene.worker, LEASE, &about).await.unwrap();
            let jobs = (0..count).map(|at| job(queue, at, Schedule::Now)).collect();
            scene.engine.enqueue(jobs, LEASE).await.unwrap();
        }
        scene.store(count, Schedule::Now).await;
        let key = scene.key(name);
        scene.damage(&key);
        let of = |queue: &QueueName, number| {
            let claim = Claim { queue: queue.clone(), worker: scene.worker, number };
            QueueClaim { claim, limit: count }
        };
        let queues = vec![of(&others[0], 1), of(&scene.queue, 3), of(&others[1], 1)];
        let request = ClaimRequest { finishes: Vec::new(), limit: 3 * count, queues };
        let reply = scene.engine.claim(request.clone()).await.unwrap();
        let taken =
            |queue: &QueueName| reply.jobs.iter().filter(|job| job.claim.queue == *queue).count();
        assert_eq!(others.each_ref().map(taken), [count; 2], "{what}: {:?}", reply.queues);
        let is_damaged = matches!(reply.queues[1], QueueReply::Damaged(_));
        assert_eq!(taken(&scene.queue), if is_damaged { 0 } else { count }, "{what}");

        let ends = reply.jobs.iter().chain(&scene.running);
        let ends = ends.map(|job| finish(job, Transition::Done)).collect();
        let answers = scene.engine.finish(ends).await.unwrap();
        for (job, answer) in reply.jobs.iter().chain(&scene.running).zip(answers) {
            let may_fail = job.claim.queue == scene.queue && answer == Finished::Damaged;
            assert!(may_fail || answer == Finished::Applied, "{what}: {answer:?}");
        }
        scene.restore(&key);
        // What the damaged queue gave without being able to say so is still its claim's.
        let again = scene.engine.claim(request).await.unwrap();
        if is_damaged {
            let held = again.jobs.len();
            assert!(held == 0 || held == count, "{what}: {held}");
            assert!(again.jobs.iter().all(|job| job.claim.queue == scene.queue), "{what}");
        }
        scene.inspect(&what).await;
    }
}
