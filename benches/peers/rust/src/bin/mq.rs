//! mq with its defaults and the concurrency that the others have.

use std::convert::Infallible;

use mq::prelude::*;
use mq_peers::{CONCURRENCY, Noop, Peer, handle};

#[derive(Clone)]
struct Mq(Client);

#[derive(Serialize, Deserialize, Job)]
struct Work(Noop);

impl Handler for Work {
    type Error = Infallible;

    async fn run(self, _: Context) -> Result<(), Infallible> {
        handle(&self.0).await;
        Ok(())
    }
}

impl Peer for Mq {
    const NAME: &'static str = "mq";
    const CRATE: &'static str = "mq";

    fn settings(_: bool) -> String {
        format!("concurrency {CONCURRENCY}; bulk by enqueue_all")
    }

    async fn connect(url: &str, _: bool) -> mq_peers::Result<Self> {
        Ok(Self(Client::connect(url).await?))
    }

    async fn enqueue_all(&self, jobs: u64) -> mq_peers::Result<()> {
        self.0.enqueue_all(Noop::many(jobs).map(Work)).await?;
        Ok(())
    }

    async fn enqueue_one(&self) -> mq_peers::Result<()> {
        self.0.enqueue(Work(Noop::new())).await?;
        Ok(())
    }

    async fn work(&self) -> mq_peers::Result<()> {
        let worker = Worker::builder(&self.0).job::<Work, ()>().concurrency(CONCURRENCY).build()?;
        worker.run_until(std::future::pending::<()>()).await?;
        Ok(())
    }
}

fn main() {
    mq_peers::run::<Mq>();
}
