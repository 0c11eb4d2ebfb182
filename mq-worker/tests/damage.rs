//! A key of one queue that holds what mq did not put there: the queues beside it do not suffer.
//!
//! One test, because its log is that of the whole process.

#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mq_core::engine::{About, ClaimRequest, QueueClaim};
use mq_core::signal::Signal;
use mq_core::{Claim, Client, Context, QueueName, WorkerId};
use mq_testkit::RedisServer;
use mq_worker::{Worker, WorkerHandle};
use support::*;
use tokio::task::{JoinError, JoinSet, LocalSet};

job!(Task { note: String }, "task");
job!(Long { note: String }, "long");

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
    "gone",
    "keys",
    "keys:expiry",
    "cancels",
    "stats",
    "rates",
    "recent",
    "wake",
    "swept",
    "grace",
    "paused",
    "claims",
];
/// Those that no worker can do without, whatever there is to do.
const NEEDED: [&str; 8] =
    ["jobs", "ready", "scheduled", "retry", "workers", "about", "cancels", "claims"];
const LEASE: Duration = Duration::from_secs(3);
/// What may be said of one damage that lasts for some seconds, by requests of all sorts together.
const WORDS_MAX: usize = 6;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// The lines about a queue.
    fn about(&self, queue: &str) -> Vec<String> {
        let name = format!("queue={queue} ");
        let text = String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned();
        text.lines().filter(|line| line.contains(&name)).map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Default)]
struct App {
    notes: Notes,
    gate: Signal,
}

/// A worker on three queues of its own, of which the second one gets damaged.
struct Street {
    server: Arc<RedisServer>,
    mq: Client,
    app: App,
    worker: WorkerHandle,
    queues: [String; 3],
    key: &'static str,
}

impl Street {
    async fn new(server: &Arc<RedisServer>, number: usize, key: &'static str) -> Self {
        let (mq, app) = (client(server).await, App::default());
        let queues = ["a", "b", "c"].map(|letter| format!("{letter}{number}"));
        let mut builder = Worker::builder(&mq).lease(LEASE).concurrency(8).state(app.clone());
        for queue in &queues {
            builder = builder.queue(queue, 1);
        }
        let builder = builder.job_fn(|job: Task, cx: Context<App>| async move {
            cx.state().notes.add(job.note);
            Ok::<_, String>(())
        });
        let builder = builder.job_fn(|job: Long, cx: Context<App>| async move {
            cx.state().notes.add(format!("{} began", job.note));
            cx.state().gate.fired().await;
            cx.state().notes.add(format!("{} ended", job.note));
            Ok::<_, String>(())
        });
        let worker = builder.build().unwrap().spawn();
        Self { server: Arc::clone(server), mq, app, worker, queues, key }
    }

    async fn enqueue(&self, queue: &str, note: impl Into<String>) {
        let job = self.mq.enqueue(Task { note: note.into() }).queue(queue);
        within(job.into_future()).await.unwrap();
    }

    /// Jobs that are under way when the damage is done.
    async fn hold(&self) {
        for queue in &self.queues {
            let job = self.mq.enqueue(Long { note: queue.clone() }).queue(queue);
            within(job.into_future()).await.unwrap();
        }
        for queue in &self.queues {
            self.app.notes.has(&format!("{queue} began"), 1).await;
        }
    }

    /// Leaves a job with somebody who is never heard of again.
    async fn die_with_a_job(&self, queue: &str, note: &str) {
        let queue = QueueName::new(queue).unwrap();
        let (engine, worker) = (self.mq.engine(), WorkerId::random());
        engine.pause(&queue).await.unwrap();
        self.enqueue(queue.as_str(), note).await;
        engine.join(&queue, worker, Duration::from_secs(1), &About::default()).await.unwrap();
        engine.resume(&queue).await.unwrap();
        let claim = Claim { queue, worker, number: 1 };
        let queues = vec![QueueClaim { claim, limit: 1 }];
        engine.claim(ClaimRequest { limit: 1, queues, ..Default::default() }).await.unwrap();
    }

    /// Puts a text in place of what is under the key, or back again.
    async fn swap(&self, is_damage: bool) {
        const DAMAGE: &str = "
            local key = KEYS[1]
            if key:sub(-6) == 'claims' then key = redis.call('KEYS', key .. ':*')[1] end
            redis.call('SET', KEYS[1] .. '?', key)
            if redis.call('EXISTS', key) == 1 then redis.call('RENAME', key, KEYS[1] .. '!') end
            redis.call('SET', key, 'not ours')";
        const REPAIR: &str = "
            local key = redis.call('GET', KEYS[1] .. '?')
            redis.call('DEL', key, KEYS[1] .. '?')
            if redis.call('EXISTS', KEYS[1] .. '!') == 1 then
              redis.call('RENAME', KEYS[1] .. '!', key)
            end";
        let script = if is_damage { DAMAGE } else { REPAIR };
        // Every queue has workers, and their key says how the others begin.
        let workers = format!("*{{{}}}:workers", self.queues[1]);
        let workers = redis(&self.server, &["KEYS", &workers]).await;
        let workers: Vec<String> = redis::from_redis_value(workers).unwrap();
        let key = workers[0].replace("workers", self.key);
        redis(&self.server, &["EVAL", script, "1", &key]).await;
    }

    async fn jobs_beside_it_run(&self) {
        let [a, _, c] = &self.queues;
        for number in 0..20 {
            for queue in [a, c] {
                self.enqueue(queue, format!("{queue} {number}")).await;
            }
        }
        for number in 0..20 {
            for queue in [a, c] {
                self.app.notes.has(&format!("{queue} {number}"), 1).await;
            }
        }
    }

    async fn suffer(self, log: Log) {
        let [a, b, c] = &self.queues;
        self.hold().await;
        self.die_with_a_job(c, "left behind").await;
        self.swap(true).await;
        self.jobs_beside_it_run().await;
        // Their leases are kept, and the dead are taken over, also behind the damaged queue.
        self.app.notes.has("left behind", 1).await;
        // sleep: a damage that lasts for longer than a lease.
        tokio::time::sleep(LEASE).await;
        self.app.gate.fire();
        for queue in [a, c] {
            self.app.notes.has(&format!("{queue} ended"), 1).await;
        }
        self.jobs_beside_it_run().await;
        self.swap(false).await;
        let said = log.about(b);
        assert!(said.len() <= WORDS_MAX, "{}: {said:#?}", self.key);
        assert!(!said.is_empty() || !NEEDED.contains(&self.key), "{}", self.key);
        self.enqueue(b, "well again").await;
        self.app.notes.has("well again", 1).await;
        self.app.notes.has(&format!("{b} ended"), 1).await;
        for queue in [a, c] {
            assert_eq!(self.app.notes.count(&format!("{queue} began")), 1, "{}", self.key);
            assert_eq!(log.about(queue), [""; 0], "{}", self.key);
        }
        let at_rest = async || {
            let mut left = 0;
            for queue in &self.queues {
                let queue = QueueName::new(queue).unwrap();
                let stats = within(self.mq.engine().stats(&queue)).await.unwrap();
                left += stats.ready + stats.running;
            }
            left == 0
        };
        eventually(|| format!("{}: no job is left", self.key), at_rest).await;
        let report = within(self.worker.stop(Duration::from_secs(5))).await.unwrap();
        assert_eq!(report.failed + report.dead, 0, "{}: {report}", self.key);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_with_a_damaged_key_takes_no_other_queue_along() {
    let (log, server) = (Log::default(), Arc::new(RedisServer::start()));
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(move || writer.clone())
        .init();
    let local = LocalSet::new();
    let failed = local.run_until(all_suffer(&server, &log)).await;
    assert!(failed.is_empty(), "{failed:#?}");
    consistent(&client(&server).await).await;
}

/// Not all at once, which would be more than two processors can do.
async fn all_suffer(server: &Arc<RedisServer>, log: &Log) -> Vec<JoinError> {
    let mut failed = Vec::new();
    for (batch, keys) in KEYS.chunks(9).enumerate() {
        let mut all = JoinSet::new();
        for (number, &key) in keys.iter().enumerate() {
            let street = Street::new(server, 9 * batch + number, key).await;
            all.spawn_local(street.suffer(log.clone()));
        }
        while let Some(ended) = all.join_next().await {
            failed.extend(ended.err());
        }
    }
    failed
}
