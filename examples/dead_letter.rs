//! Dead letters: find them, read why they died, bring the right ones back.
//!
//! `cargo run --example dead_letter [-- --url URL]`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use mq::State;
use mq::admin::{Filter, Verb};
use mq::prelude::*;

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "dead-letter", max_attempts = 2, backoff(fixed, base = "50ms"))]
struct Render {
    page: u32,
}

static DISK_HAS_SPACE: AtomicBool = AtomicBool::new(false);

impl Handler for Render {
    type Error = anyhow::Error;

    async fn run(self, cx: Context) -> anyhow::Result<()> {
        match self.page {
            13 => Err(cx.discard(anyhow::anyhow!("there is no page 13"))),
            66 => panic!("page 66 has a sense of drama"),
            _ if !DISK_HAS_SPACE.load(Ordering::Relaxed) => Err(anyhow::anyhow!("disk full")),
            _ => Ok(()),
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // The panic above is part of the show, and mq keeps it with the job.
    std::panic::set_hook(Box::new(|_| ()));
    let mq = Client::connect(&common::url()?).await?;
    let worker = Worker::builder(&mq).discover().build()?.spawn();
    mq.enqueue_all([1, 2, 3, 13, 66].map(|page| Render { page })).await?;
    common::all_done(&mq, "dead-letter").await;
    show(&mq, "After the disk was full:").await?;

    DISK_HAS_SPACE.store(true, Ordering::Relaxed);
    let filter = Filter::state(State::Dead).queue("dead-letter").kind("render").error("disk full");
    let verb = Verb::Retry { per_second: Some(10) };
    let tally = mq.admin().act_on_all(&filter, &verb).await?;
    println!("Brought back those that say `disk full`, ten a second: {}\n", tally.applied);
    common::all_done(&mq, "dead-letter").await;
    show(&mq, "Left for a person:").await?;

    let all = Filter::state(State::Dead).queue("dead-letter");
    println!("Deleted: {}", mq.admin().act_on_all(&all, &Verb::Delete).await?.applied);
    worker.stop(Duration::from_secs(1)).await?;
    Ok(())
}

async fn show(mq: &Client, title: &str) -> anyhow::Result<()> {
    println!("{title}");
    let dead = Filter::state(State::Dead).queue("dead-letter");
    let mut cursor = None;
    loop {
        let page = mq.admin().jobs(&dead, cursor, 100).await?;
        for job in page.jobs {
            let reason = job.death_reason().map(|reason| reason.to_string());
            println!("  {} {}", job.payload_text(), reason.unwrap_or_default());
            for error in &job.errors {
                println!("    attempt {}: {}", error.attempt, error.error);
            }
        }
        if page.next.is_none() {
            return Ok(());
        }
        cursor = page.next;
    }
}
