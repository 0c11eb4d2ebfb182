//! oxana. Crash-safe by default: a claimed job is in a list of its process, and others put it back
//! when that process has not been heard of for 5 s.
//!
//! Default: the worker of its README, with our concurrency; one that finds its queue empty sleeps
//! for 10 s (`dequeue_timeout`).
//!
//! Tuned: `dequeue_timeout` at 10 ms, which its documents name as what bounds the pickup of jobs,
//! and as many connections as its own benchmark has, 512, where it runs 512 jobs at a time.

use std::convert::Infallible;
use std::time::Duration;

use mq_peers::{CONCURRENCY, Noop, Peer, handle};
use oxana::{Storage, StorageBuilder};
use serde::{Deserialize, Serialize};

const BULK: u64 = 1000;
const POOL: usize = 512;
const POLL: Duration = Duration::from_millis(10);

#[derive(Clone)]
struct Oxana {
    storage: Storage,
    tuned: bool,
}

#[derive(Clone, Debug)]
struct NoContext;

#[derive(Debug, Serialize, Deserialize, oxana::Job)]
struct WorkJob {
    noop: Noop,
}

#[derive(oxana::Worker)]
#[oxana(context = NoContext, error = Infallible, registry = None)]
struct WorkWorker;

impl WorkWorker {
    async fn process(&self, job: WorkJob, _: &oxana::JobContext) -> Result<(), Infallible> {
        handle(&job.noop).await;
        Ok(())
    }
}

#[derive(Serialize, oxana::Queue)]
#[oxana(key = "peers", registry = None)]
struct Queue;

fn job() -> WorkJob {
    WorkJob { noop: Noop::new() }
}

fn concurrency(tuned: bool) -> usize {
    if tuned { POOL } else { CONCURRENCY }
}

impl Peer for Oxana {
    const NAME: &'static str = "oxana";
    const CRATE: &'static str = "oxana";

    fn settings(tuned: bool) -> String {
        let tuning = if tuned {
            format!(", {POOL} connections, dequeue_timeout {} ms", POLL.as_millis())
        } else {
            String::new()
        };
        format!("concurrency {}{tuning}; enqueue_list by {BULK}", concurrency(tuned))
    }

    async fn connect(url: &str, tuned: bool) -> mq_peers::Result<Self> {
        let mut builder = StorageBuilder::new();
        if tuned {
            builder = builder.max_pool_size(POOL);
        }
        Ok(Self { storage: builder.build_from_redis_url(url)?, tuned })
    }

    async fn enqueue_all(&self, jobs: u64) -> mq_peers::Result<()> {
        let mut left = jobs;
        while left > 0 {
            let now = left.min(BULK);
            self.storage.enqueue_list(Queue, (0..now).map(|_| job())).await?;
            left -= now;
        }
        Ok(())
    }

    async fn enqueue_one(&self) -> mq_peers::Result<()> {
        self.storage.enqueue(Queue, job()).await?;
        Ok(())
    }

    async fn work(&self) -> mq_peers::Result<()> {
        let mut runtime = self
            .storage
            .runtime(NoContext)
            .queue_with_concurrency::<Queue>(concurrency(self.tuned))
            .worker::<WorkWorker, WorkJob>();
        if self.tuned {
            runtime = runtime.dequeue_timeout(POLL);
        }
        runtime.run().await?;
        Ok(())
    }
}

fn main() {
    mq_peers::run::<Oxana>();
}
