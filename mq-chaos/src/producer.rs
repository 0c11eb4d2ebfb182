//! Enqueues, and writes down what was sent and what the store said.

use std::path::Path;
use std::time::Duration;

use mq_core::engine::{EngineErrorKind, NewJob, Schedule};
use mq_core::{Client, Job, JobId, Priority, QueueName, Record};
use mq_testkit::{Event, Ledger};

use crate::job::{Chaos, QUEUE};

/// The variable with the pause after each enqueue of `mq-chaos-producer`, in ms.
pub const PACE: &str = "MQ_PACE_MS";
/// The variable with the time that each of its jobs takes, in ms.
pub const WORK: &str = "MQ_WORK_MS";
/// How long one enqueue tries.
const DEADLINE: Duration = Duration::from_secs(5);

/// One who enqueues: the test itself, or a process that can be killed.
#[derive(Debug)]
pub struct Producer {
    /// The client that it uses.
    pub client: Client,
    /// The queue that it fills.
    pub queue: QueueName,
    ledger: Ledger,
}

impl Producer {
    /// A producer for the store of this client, with this ledger.
    ///
    /// # Panics
    /// When the ledger cannot be opened; so do all methods when it cannot be written.
    pub fn new(client: Client, ledger: &Path) -> Self {
        let ledger = Ledger::open(ledger).unwrap_or_else(|error| panic!("no ledger: {error}"));
        let queue = QueueName::new(QUEUE).unwrap_or_else(|error| panic!("{error}"));
        Self { client, queue, ledger }
    }

    pub(crate) fn write(&self, event: Event) {
        self.ledger.write(event).unwrap_or_else(|error| panic!("cannot write the ledger: {error}"));
    }

    /// Enqueues jobs in one batch. Whether they were acknowledged.
    pub async fn enqueue(&self, jobs: &[Chaos], schedule: Schedule) -> bool {
        let new_jobs: Vec<_> = jobs.iter().map(|job| self.new_job(job, schedule)).collect();
        self.send(new_jobs).await
    }

    /// Enqueues whatever it is, and writes it down.
    pub async fn send(&self, jobs: Vec<NewJob>) -> bool {
        let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
        for id in &ids {
            self.write(Event::Sent { id: *id });
        }
        match self.client.engine().enqueue(jobs, DEADLINE).await {
            Ok(_) => {
                ids.iter().for_each(|id| self.write(Event::Acked { id: *id }));
                true
            }
            // Perhaps stored, perhaps not: neither acknowledged nor refused.
            Err(error) if error.kind() == EngineErrorKind::Unknown => false,
            Err(_) => {
                ids.iter().for_each(|id| self.write(Event::Refused { id: *id }));
                false
            }
        }
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
