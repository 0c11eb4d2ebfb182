//! Many jobs at once: one type by the thousand, several types in one request.
//!
//! `cargo run --release --example batch [-- --url URL]`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

mod common;

use mq::JobSet;
use mq::prelude::*;
use tokio::time::Instant;

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "batch")]
struct Resize {
    image: u32,
}

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "batch")]
struct Notify {
    user: String,
}

impl Handler for Resize {
    type Error = String;

    async fn run(self, _: Context) -> Result<(), String> {
        Ok(())
    }
}

impl Handler for Notify {
    type Error = String;

    async fn run(self, _: Context) -> Result<(), String> {
        println!("  all images are ready, {}", self.user);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mq = Client::connect(&common::url()?).await?;

    // Sent in chunks of at most 1,000. If the store goes away in the middle, the error says which
    // jobs were stored: `EnqueueError::Partial`.
    let start = Instant::now();
    let receipts = mq.enqueue_all((0..20_000).map(|image| Resize { image })).tag("album:7").await?;
    println!("{} jobs of one type in {:?}", receipts.len(), start.elapsed());

    // At most 1,000 jobs of any types, in one request; those of one queue become visible together.
    let set = JobSet::new()
        .push(Resize { image: 20_000 })
        .push(Resize { image: 20_001 })
        .push_with(Notify { user: "ann".into() }, |o| o.delay(Duration::from_millis(200)));
    println!("{} jobs of two types in one request", mq.enqueue_set(set).await?.len());

    let start = Instant::now();
    let worker = Worker::builder(&mq).discover().build()?;
    let report = worker.run_until(common::all_done(&mq, "batch")).await?;
    println!("Drained in {:?}: {report}", start.elapsed());
    Ok(())
}
