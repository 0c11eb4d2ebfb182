//! Stores of both sorts, jobs as nobody but an attacker writes them, and everything that is logged.

use std::sync::OnceLock;

use mq::admin::JobInfo;
use mq::engine::{NewJob, Schedule};
use mq::prelude::*;
use mq::{JobId, QueueName, State, WorkerBuilder};
use mq_testkit::RedisServer;

use crate::log::Log;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A store of a test's own.
pub(crate) struct Store {
    pub(crate) name: &'static str,
    pub(crate) mq: Client,
    _directory: Option<tempfile::TempDir>,
    server: Option<RedisServer>,
}

/// One of each sort.
pub(crate) async fn stores() -> [Store; 2] {
    watch_log();
    let directory = tempfile::tempdir().unwrap();
    let file = Client::connect(format!("sqlite:{}/jobs.db", directory.path().display())).await;
    let server = RedisServer::start();
    let redis = Client::connect(server.url()).await;
    [
        Store { name: "sqlite", mq: file.unwrap(), _directory: Some(directory), server: None },
        Store { name: "redis", mq: redis.unwrap(), _directory: None, server: Some(server) },
    ]
}

impl Store {
    /// Another client of the same store.
    pub(crate) async fn connect(&self) -> Client {
        match &self.server {
            Some(server) => Client::connect(server.url()).await.unwrap(),
            None => self.mq.clone(),
        }
    }

    /// Puts bytes where a record is expected, as anybody can who may write to the store.
    pub(crate) async fn put(&self, record: Vec<u8>) -> JobId {
        let job = NewJob {
            queue: QueueName::new("default").unwrap(),
            id: JobId::new(),
            record,
            schedule: Schedule::Now,
            priority: Priority::Normal,
            idempotency_key: None,
        };
        let id = job.id;
        self.mq.engine().enqueue(vec![job], PATIENCE).await.unwrap();
        id
    }

    /// Waits until a job is in a state.
    pub(crate) async fn job_in(&self, id: JobId, state: State) -> JobInfo {
        let mut last = None;
        for _ in 0..PATIENCE.as_millis() / 10 {
            last = self.mq.admin().job(id).await.unwrap();
            match last {
                Some(info) if info.state == state => return info,
                // sleep: between two looks
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        panic!("{}: {id} did not become {state}: {last:?}", self.name)
    }

    /// Waits until a job has ended well and is gone.
    pub(crate) async fn gone(&self, id: JobId) {
        for _ in 0..PATIENCE.as_millis() / 10 {
            if self.mq.admin().job(id).await.unwrap().is_none() {
                return;
            }
            // sleep: between two looks
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{}: {id} is still there", self.name)
    }

    /// Nothing was lost, doubled or damaged.
    pub(crate) async fn is_sound(&self) {
        for (queue, report) in self.mq.admin().audit(false).await.unwrap() {
            assert!(report.findings.is_empty(), "{} {queue}: {report:?}", self.name);
        }
    }

    /// Runs a worker while something happens; it must then stop as workers do.
    pub(crate) async fn while_running(
        &self,
        set_up: impl FnOnce(WorkerBuilder) -> WorkerBuilder,
        act: impl Future<Output = ()>,
    ) -> mq::Report {
        let worker = set_up(Worker::builder(&self.mq)).build().unwrap().spawn();
        act.await;
        worker.stop(Duration::from_secs(10)).await.unwrap()
    }
}

/// Everything that this program logs, in the format that most programs use.
static LOG: OnceLock<Log> = OnceLock::new();

fn watch_log() {
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        log
    });
}

/// What was logged so far, by all tests of this program.
pub(crate) fn logged() -> String {
    LOG.get().unwrap().text()
}
