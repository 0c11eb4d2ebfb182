//! bullmq-official, the port of BullMQ to Rust with the same scripts. Crash-safe by default: a job
//! in progress has a lock of 30 s, which is looked after every 30 s.
//!
//! Finished jobs are removed, as BullMQ's page on going to production advises, and as mq does.

use bullmq::options::{JobOptions, QueueOptions, RedisConnectionOptions, WorkerOptions};
use bullmq::queue::BulkJob;
use bullmq::types::RemoveOnFinish;
use bullmq::worker::CancellationToken;
use bullmq::{Job, Queue, Worker};
use mq_peers::{CONCURRENCY, Noop, Peer, handle};

const QUEUE: &str = "peers";
const BULK: u64 = 1000;

#[derive(Clone)]
struct BullMq {
    queue: std::sync::Arc<Queue>,
    connection: RedisConnectionOptions,
}

fn options() -> JobOptions {
    JobOptions::new().remove_on_complete(RemoveOnFinish::Bool(true))
}

async fn work(job: Job, _: CancellationToken) -> bullmq::Result<serde_json::Value> {
    handle(&serde_json::from_value::<Noop>(job.data().clone())?).await;
    Ok(serde_json::Value::Null)
}

impl Peer for BullMq {
    const NAME: &'static str = "bullmq-official";
    const CRATE: &'static str = "bullmq-official";

    fn settings(_: bool) -> String {
        format!("concurrency {CONCURRENCY}, remove_on_complete; add_bulk by {BULK}")
    }

    async fn connect(url: &str, _: bool) -> mq_peers::Result<Self> {
        let connection = RedisConnectionOptions::new().url(url);
        let options = QueueOptions::new().connection(connection.clone());
        let queue = Queue::with_options(QUEUE, options.default_job_options(self::options()));
        Ok(Self { queue: queue.await?.into(), connection })
    }

    async fn enqueue_all(&self, jobs: u64) -> mq_peers::Result<()> {
        let mut left = jobs;
        while left > 0 {
            let now = left.min(BULK);
            let jobs = Noop::many(now).map(|noop| BulkJob::new("noop", noop));
            self.queue.add_bulk(jobs.collect()).await?;
            left -= now;
        }
        Ok(())
    }

    async fn enqueue_one(&self) -> mq_peers::Result<()> {
        self.queue.add("noop", Noop::new()).await?;
        Ok(())
    }

    async fn work(&self) -> mq_peers::Result<()> {
        let options = WorkerOptions::new().connection(self.connection.clone());
        let _worker = Worker::with_options(QUEUE, work, options.concurrency(CONCURRENCY)).await?;
        std::future::pending().await
    }
}

fn main() {
    mq_peers::run::<BullMq>();
}
