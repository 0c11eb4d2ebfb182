//! Enqueues, with a history of what was sent and what the store said.

use std::time::Duration;

use mq_core::engine::{NewJob, Schedule};
use mq_core::{Client, Job, JobId, Priority, QueueName, Record, clock};
use mq_testkit::Recorder;

use crate::job::{Chaos, QUEUE};
use crate::workload::Workload;

/// The variable with the pause after each enqueue of `mq-chaos-producer`, in ms.
pub const PACE: &str = "MQ_PACE_MS";
/// The variable with the time that each of its jobs takes, in ms.
pub const WORK: &str = "MQ_WORK_MS";
/// The variable with the seed of the [`Workload`] that `mq-chaos-producer` enqueues instead.
pub const LOAD: &str = "MQ_LOAD";
/// How long one enqueue tries.
const DEADLINE: Duration = Duration::from_secs(5);

/// One who enqueues: the test itself, or a process that can be killed.
#[derive(Debug)]
pub struct Producer {
    /// The client that it uses.
    pub client: Client,
    /// The queue that it fills.
    pub queue: QueueName,
}

impl Producer {
    /// A producer for the store of this client, which writes this history.
    ///
    /// # Panics
    /// Never, the name of the queue being a good one.
    pub fn new(client: &Client, recorder: &Recorder) -> Self {
        let queue = QueueName::new(QUEUE).unwrap_or_else(|error| panic!("{error}"));
        Self { client: recorder.watch(client), queue }
    }

    /// Enqueues jobs in one batch. Whether they were acknowledged.
    pub async fn enqueue(&self, jobs: &[Chaos], schedule: Schedule) -> bool {
        let new_jobs = jobs.iter().map(|job| self.new_job(job, schedule)).collect();
        self.send(new_jobs).await
    }

    /// Enqueues the next batch of a workload. Whether it was acknowledged.
    pub async fn load(&self, workload: &mut Workload) -> bool {
        // The store's time is hardly ever ours, and a time that has passed already means at once.
        self.send(workload.batch(&self.queue, clock::wall_ms())).await
    }

    /// Enqueues whatever it is. Whether it was acknowledged.
    pub async fn send(&self, jobs: Vec<NewJob>) -> bool {
        self.client.engine().enqueue(jobs, DEADLINE).await.is_ok()
    }

    fn new_job(&self, job: &Chaos, schedule: Schedule) -> NewJob {
        let payload = serde_json::to_vec(job).unwrap_or_else(|error| panic!("{error}"));
        let mut record = Record::new(Chaos::KIND, payload);
        record.max_attempts = (job.attempts > 0).then_some(job.attempts);
        record.timeout = (job.timeout_ms > 0).then(|| Duration::from_millis(job.timeout_ms));
        NewJob { schedule, ..plain(&self.queue, &record) }
    }
}

/// A job that may run at once, of this record.
pub fn plain(queue: &QueueName, record: &Record<'_>) -> NewJob {
    NewJob {
        queue: queue.clone(),
        id: JobId::new(),
        record: record.encode(),
        schedule: Schedule::Now,
        priority: Priority::Normal,
        idempotency_key: None,
    }
}
