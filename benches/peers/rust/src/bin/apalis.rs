//! apalis-redis. Both forms are crash-safe: jobs in progress are in a set of their worker, which
//! others put back when its heartbeat has been missing for 300 s.
//!
//! Default: the worker of its README. Nothing wakes it when a job is pushed, so that it looks when
//! its heartbeat is due, every 30 s.
//!
//! Tuned, by the documents of `Config`, `BackendExt` and `ParallelizeExt`: larger batches, a poll
//! every 10 ms, a task per job; no renewed lock, which they advise for jobs that are shorter than a
//! heartbeat, and no events.
//!
//! Its script hands all due ids to Lua's `unpack`, which stops at about 8,000: with more jobs than
//! that in the queue no worker can fetch any. So the runner never queues more than 7,500.

use std::time::Duration;

use apalis::prelude::*;
use apalis_redis::RedisStorage;
use mq_peers::{CONCURRENCY, Noop, Peer, handle};

const BULK: u64 = 1000;
const BATCH: usize = 1000;
const POLL: Duration = Duration::from_millis(10);

#[derive(Clone)]
struct Apalis {
    storage: RedisStorage<Noop>,
    tuned: bool,
}

async fn work(job: Noop) -> Result<(), BoxDynError> {
    handle(&job).await;
    Ok(())
}

impl Peer for Apalis {
    const NAME: &'static str = "apalis-redis";
    const CRATE: &'static str = "apalis-redis";

    fn settings(tuned: bool) -> String {
        if tuned {
            format!(
                "concurrency {CONCURRENCY}, parallelize(tokio::spawn), batch_size {BATCH}, \
                 lock_tasks off, emit_events off, poll_with_interval {} ms; push_bulk by {BULK}",
                POLL.as_millis(),
            )
        } else {
            format!("as in its README; push_bulk by {BULK}")
        }
    }

    async fn connect(url: &str, tuned: bool) -> mq_peers::Result<Self> {
        let connection = apalis_redis::connect(url).await?;
        let mut storage = RedisStorage::new(connection);
        if tuned {
            let config = storage.get_config().clone();
            let config = config.batch_size(BATCH).lock_tasks(false).emit_events(false);
            storage = storage.with_config(config);
        }
        Ok(Self { storage, tuned })
    }

    async fn enqueue_all(&self, jobs: u64) -> mq_peers::Result<()> {
        let mut storage = self.storage.clone();
        let mut left = jobs;
        while left > 0 {
            let now = left.min(BULK);
            storage.push_bulk(Noop::many(now).collect()).await?;
            left -= now;
        }
        Ok(())
    }

    async fn enqueue_one(&self) -> mq_peers::Result<()> {
        self.storage.clone().push(Noop::new()).await?;
        Ok(())
    }

    async fn work(&self) -> mq_peers::Result<()> {
        // A name of its own: with the old one, a worker that follows another is refused for 300 s.
        let builder = WorkerBuilder::new(format!("worker-{}", std::process::id()));
        let storage = self.storage.clone();
        if self.tuned {
            let builder = builder.backend(storage.poll_with_interval(POLL));
            let builder = builder.concurrency(CONCURRENCY).parallelize(tokio::spawn);
            builder.build(work).run().await?;
        } else {
            builder.backend(storage).build(work).run().await?;
        }
        Ok(())
    }
}

fn main() {
    mq_peers::run::<Apalis>();
}
