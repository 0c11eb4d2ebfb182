//! A store of a test's own, with ways to fill it, and the program on it.
#![expect(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use mq::engine::{About, ClaimRequest, ListRequest, NewJob, QueueClaim, Schedule};
use mq::prelude::*;
use mq::{Claim, JobId, QueueName, Record, State, WorkerId};
use mq_testkit::RedisServer;
use serde_json::Value;
use tokio::runtime::Runtime;

/// Exit codes.
pub(crate) const FINE: i32 = 0;
pub(crate) const CONDITION: i32 = 1;
pub(crate) const USAGE: i32 = 2;
pub(crate) const UNUSABLE: i32 = 3;

/// What could recolour, ring, clear, retitle, reorder or overwrite.
pub(crate) const HOSTILE: &str =
    "\u{1b}[31m\u{1b}]0;title\u{7}\r\u{8}\u{9b}2J\u{85}\u{202e}\u{2066}\u{200b}\u{feff}\n\t\u{7f}";

/// A line break is the program's own, all the rest of what steers is not.
pub(crate) fn steers(character: char) -> bool {
    character != '\n'
        && (character.is_control() || HOSTILE.contains(character))
        && !character.is_ascii_graphic()
}

const PATIENCE: Duration = Duration::from_secs(30);

/// A job that dies of its text.
#[derive(Debug, Serialize, Deserialize, Job)]
#[job(name = "boom", queue = "boom", max_attempts = 1)]
pub(crate) struct Boom {
    pub(crate) text: String,
}

impl Handler for Boom {
    type Error = String;

    async fn run(self, _: Context) -> Result<(), String> {
        Err(self.text)
    }
}

/// How the program ended and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).output().unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mq"));
    command.args(arguments).env_remove("MQ_URL").env_remove("MQ_KEYS");
    command
}

pub(crate) fn mq(arguments: &[&str], url: &str) -> Ran {
    Ran::of(program(arguments).env("MQ_URL", url))
}

/// The answer of a command on any engine that must go well.
pub(crate) fn fine(arguments: &[&str], url: &str) -> Value {
    let ran = mq(&[&["--json"], arguments].concat(), url);
    assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// A file of a test's own, and its URL, by which it may be made.
pub(crate) fn file() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}?mode=rwc", directory.path().join("jobs.db").display());
    (directory, url)
}

pub(crate) fn mq_without_url(arguments: &[&str]) -> Ran {
    Ran::of(&mut program(arguments))
}

pub(crate) fn closed_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

pub(crate) struct Store {
    server: RedisServer,
    runtime: Runtime,
    client: Client,
}

impl Store {
    pub(crate) fn start() -> Self {
        let server = RedisServer::start();
        let runtime = Runtime::new().unwrap();
        let client = runtime.block_on(Client::connect(server.url())).unwrap();
        Self { server, runtime, client }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn kill(&mut self) {
        self.server.kill9();
    }

    // ---- the program on this store ----

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.on_it(program(arguments))
    }

    pub(crate) fn on_it(&self, mut command: Command) -> Command {
        command.env("MQ_URL", self.url());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    /// The answer of a command that must go well.
    pub(crate) fn fine(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let text = self.fine(&[&["--json"], arguments].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Nothing disagrees in the store, however the program treated it.
    pub(crate) fn check(&self) {
        self.fine(&["audit"]);
    }

    // ---- the store behind the program's back ----

    fn on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Jobs of a kind without a handler.
    pub(crate) fn enqueue(&self, queue: &str, kind: &str, count: usize) -> Vec<String> {
        let payload = r#"{"secret":true}"#;
        let ids: Vec<_> = (0..count).map(|_| JobId::new()).collect();
        for ids in ids.chunks(1_000) {
            self.store(queue, kind, payload, ids);
        }
        ids.iter().map(ToString::to_string).collect()
    }

    /// One with a kind that no client would let pass.
    pub(crate) fn raw(&self, kind: &str, payload: &str) -> String {
        let id = JobId::new();
        self.store("raw", kind, payload, &[id]);
        id.to_string()
    }

    fn store(&self, queue: &str, kind: &str, payload: &str, ids: &[JobId]) {
        let queue = QueueName::new(queue).unwrap();
        let job = |id: &JobId| NewJob {
            queue: queue.clone(),
            id: *id,
            record: Record::new(kind, payload.as_bytes()).encode(),
            schedule: Schedule::Now,
            priority: Default::default(),
            idempotency_key: None,
        };
        let jobs = ids.iter().map(job).collect();
        self.on(self.client.engine().enqueue(jobs, PATIENCE)).unwrap();
    }

    pub(crate) fn boom(&self, text: &str, count: usize) {
        let jobs = (0..count).map(|_| Boom { text: text.into() });
        self.on(async { self.client.enqueue_all(jobs).await }).unwrap();
    }

    /// Takes one job, as a worker would.
    pub(crate) fn claim(&self, queue: &str) {
        let queue = QueueName::new(queue).unwrap();
        let worker = WorkerId::random();
        let claim = Claim { queue: queue.clone(), worker, number: 1 };
        let queues = vec![QueueClaim { claim, limit: 1 }];
        let request = ClaimRequest { limit: 1, queues, ..ClaimRequest::default() };
        let engine = self.client.engine();
        self.on(engine.join(&queue, worker, PATIENCE, &About::default())).unwrap();
        assert_eq!(self.on(engine.claim(request)).unwrap().jobs.len(), 1);
    }

    /// Runs a worker until so many jobs have died.
    pub(crate) fn let_all_die(&self, count: u64) {
        self.with_worker(|| {
            self.until(async || {
                self.client.admin().queue("boom").await.unwrap().stats.dead == count
            });
        });
    }

    /// Does something while a worker is registered.
    pub(crate) fn with_worker<T>(&self, body: impl FnOnce() -> T) -> T {
        let worker = self.on(async {
            let worker = Worker::builder(&self.client).concurrency(50).discover().build().unwrap();
            worker.spawn()
        });
        self.until(async || !self.client.admin().workers().await.unwrap().is_empty());
        let result = body();
        self.on(worker.stop(Duration::from_secs(5))).unwrap();
        result
    }

    fn until(&self, holds: impl AsyncFn() -> bool) {
        self.on(async {
            let poll = async {
                while !holds().await {
                    // sleep: the step of polling
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::time::timeout(PATIENCE, poll).await.unwrap();
        });
    }

    /// Due times of a queue's scheduled jobs, in order.
    pub(crate) fn scheduled_ms(&self, queue: &str) -> Vec<u64> {
        let mut due = Vec::new();
        let mut cursor = None;
        loop {
            let queue = QueueName::new(queue).unwrap();
            let request = ListRequest { queue, state: State::Scheduled, cursor, limit: 1_000 };
            let page = self.on(self.client.engine().list(request)).unwrap();
            due.extend(page.jobs.iter().filter_map(|job| job.at_ms));
            cursor = page.next;
            if cursor.is_none() {
                return due;
            }
        }
    }

    /// Damages a queue: one of its jobs has no record any more.
    pub(crate) fn lose_a_record(&self, queue: &str) {
        self.on(async {
            let client = redis::Client::open(self.url()).unwrap();
            let mut redis = client.get_multiplexed_async_connection().await.unwrap();
            let pattern = format!("*{queue}*:jobs");
            let keys: Vec<String> =
                redis::cmd("KEYS").arg(pattern).query_async(&mut redis).await.unwrap();
            let ids: Vec<Vec<u8>> =
                redis::cmd("HKEYS").arg(&keys[0]).query_async(&mut redis).await.unwrap();
            let gone: usize = redis::cmd("HDEL")
                .arg(&keys[0])
                .arg(&ids[0])
                .query_async(&mut redis)
                .await
                .unwrap();
            assert_eq!(gone, 1);
        });
    }
}
