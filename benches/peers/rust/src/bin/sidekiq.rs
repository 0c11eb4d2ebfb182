//! rusty-sidekiq. Not crash-safe, and without a setting for it: a job leaves Redis when a worker
//! takes it.
//!
//! Each of its workers holds a connection while it waits for a job, so it has as many connections
//! as workers, and a pool for producers of its own, as its README advises. With 500 of both it was
//! half as fast as with 100.

use async_trait::async_trait;
use mq_peers::{Noop, Peer, enqueue_by, handle};
use sidekiq::{Processor, ProcessorConfig, RedisConnectionManager, RedisPool, Worker, WorkerOpts};

const QUEUE: &str = "peers";
const WORKERS: usize = 100;
const PRODUCERS: u64 = 64;

#[derive(Clone)]
struct Sidekiq {
    url: String,
    producers: RedisPool,
}

#[derive(Clone)]
struct Work;

#[async_trait]
impl Worker<Noop> for Work {
    fn opts() -> WorkerOpts<Noop, Self> {
        WorkerOpts::new().queue(QUEUE)
    }

    async fn perform(&self, noop: Noop) -> sidekiq::Result<()> {
        handle(&noop).await;
        Ok(())
    }
}

async fn pool(url: &str, size: u32) -> mq_peers::Result<RedisPool> {
    let manager = RedisConnectionManager::new(url)?;
    Ok(bb8::Pool::builder().max_size(size).build(manager).await?)
}

impl Peer for Sidekiq {
    const NAME: &'static str = "rusty-sidekiq";
    const CRATE: &'static str = "rusty-sidekiq";

    fn settings(_: bool) -> String {
        format!("{WORKERS} workers and connections; no bulk: {PRODUCERS} producers")
    }

    async fn connect(url: &str, _: bool) -> mq_peers::Result<Self> {
        Ok(Self { url: url.to_owned(), producers: pool(url, PRODUCERS as u32).await? })
    }

    async fn enqueue_all(&self, jobs: u64) -> mq_peers::Result<()> {
        enqueue_by(self, jobs, PRODUCERS).await
    }

    async fn enqueue_one(&self) -> mq_peers::Result<()> {
        Work::perform_async(&self.producers, Noop::new()).await?;
        Ok(())
    }

    async fn work(&self) -> mq_peers::Result<()> {
        // Some more than workers, for its own chores.
        let pool = pool(&self.url, WORKERS as u32 + 10).await?;
        let config = ProcessorConfig::default().num_workers(WORKERS);
        let mut processor = Processor::new(pool, vec![QUEUE.to_owned()]).with_config(config);
        processor.register(Work);
        processor.run().await;
        Ok(())
    }
}

fn main() {
    mq_peers::run::<Sidekiq>();
}
