//! The first five minutes with mq: a job that runs, one that is tried again, one that waits for its
//! time, and one that dies, is looked at and brought back.
//!
//! `cargo run --example quickstart [-- --url URL]`; without a URL the jobs are kept in memory.
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use mq::State;
use mq::admin::Filter;
use mq::prelude::*;

/// A job is a struct: its fields are what is stored, `#[job(…)]` is how it is treated.
#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "quickstart", max_attempts = 3, backoff(fixed, base = "200ms"))]
struct Welcome {
    user: String,
}

/// A handler is what is done with it. An error means: try again.
impl Handler for Welcome {
    type Error = String;

    async fn run(self, cx: Context) -> Result<(), String> {
        println!("    welcome {}, attempt {}", self.user, cx.attempt());
        match self.user.as_str() {
            "Bo" if cx.attempt() < 3 => Err("the mail server is busy".into()),
            "Di" if !ADDRESS_IS_RIGHT.load(Ordering::Relaxed) => Err("no such mailbox".into()),
            _ => Ok(()),
        }
    }
}

static ADDRESS_IS_RIGHT: AtomicBool = AtomicBool::new(false);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = common::url()?;
    println!("The jobs are kept at {url}");
    let mq = Client::connect(&url).await?;
    // It runs jobs. It may as well be in another process, or in twenty of them.
    let worker = Worker::builder(&mq).discover().build()?.spawn();

    println!("\n1. A job is stored when `enqueue` returns, and run by whichever worker is free.");
    mq.enqueue(Welcome { user: "Ann".into() }).await?;
    common::all_done(&mq, "quickstart").await;

    println!("\n2. One that fails is tried again, here after 200 ms (default: 2 s, 4 s, 8 s, …).");
    mq.enqueue(Welcome { user: "Bo".into() }).await?;
    common::all_done(&mq, "quickstart").await;

    println!("\n3. A job can wait for its time, here half a second.");
    mq.enqueue(Welcome { user: "Cy".into() }).delay(Duration::from_millis(500)).await?;
    common::all_done(&mq, "quickstart").await;

    println!("\n4. One that keeps failing becomes a dead letter: it is kept, with its errors.");
    let receipt = mq.enqueue(Welcome { user: "Di".into() }).await?;
    common::all_done(&mq, "quickstart").await;
    for job in mq.admin().jobs(&Filter::state(State::Dead), None, 100).await?.jobs {
        let reason = job.death_reason();
        println!("    dead letter: {} {}, reason: {reason:?}", job.kind, job.payload_text());
        job.errors.iter().for_each(|e| println!("        attempt {}: {}", e.attempt, e.error));
    }

    println!("\n5. Somebody mends the cause and brings it back, with all its attempts.");
    ADDRESS_IS_RIGHT.store(true, Ordering::Relaxed);
    mq.admin().retry(receipt.id).await?;
    common::all_done(&mq, "quickstart").await;

    println!("\n6. A worker that is told to stop ends what it runs and hands back the rest.");
    println!("    {}", worker.stop(Duration::from_secs(5)).await?);
    let queue = mq.admin().queue("quickstart").await?.stats;
    let (enqueued, done, failed) = (queue.enqueued_total, queue.done_total, queue.failed_total);
    println!("    {enqueued} enqueued, {done} done, {failed} attempts failed, {} dead", queue.dead);
    Ok(())
}
