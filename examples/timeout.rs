//! Ending a job that takes too long, or that somebody does not want any more.
//!
//! `cargo run --example timeout [-- --url URL]`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

mod common;

use mq::State;
use mq::admin::Filter;
use mq::prelude::*;

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "timeout", timeout = "300ms", max_attempts = 1, retention = "1m")]
enum Download {
    /// Never ends, and cleans up when it is told to end.
    Tidy,
    /// Never ends and does not listen: it is dropped after the grace.
    Deaf,
}

impl Handler for Download {
    type Error = String;

    async fn run(self, cx: Context) -> Result<(), String> {
        println!("  {self:?} starts");
        match self {
            Download::Deaf => std::future::pending().await,
            Download::Tidy => {
                // Three causes, one signal: time is up, somebody cancelled the job, or the job
                // belongs to another worker by now.
                cx.cancelled().await;
                println!("  Tidy removes its temporary file");
                Err("stopped half-way".into())
            }
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mq = Client::connect(&common::url()?).await?;
    let worker = Worker::builder(&mq)
        .timeout_grace(Duration::from_millis(300))
        // Running jobs hear of a cancellation with the next beat: a third of the lease.
        .lease(Duration::from_secs(1))
        .discover()
        .build()?
        .spawn();

    println!("Two jobs with 300 ms for an attempt:");
    mq.enqueue_all([Download::Tidy, Download::Deaf]).await?;
    common::all_done(&mq, "timeout").await;

    println!("One with an hour, which an operator cancels:");
    let job = mq.enqueue(Download::Tidy).timeout(Duration::from_secs(3600)).await?;
    while mq.admin().queue("timeout").await?.stats.running == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("  cancel: {:?}", mq.admin().cancel(job.id).await?);
    common::all_done(&mq, "timeout").await;

    println!("What became of them:");
    for state in [State::Dead, State::Cancelled] {
        let filter = Filter::state(state).queue("timeout");
        for job in mq.admin().jobs(&filter, None, 100).await?.jobs {
            println!("  {} {state}: {}", job.payload_text(), job.last_error().unwrap_or("-"));
        }
    }
    println!("{}", worker.stop(Duration::from_secs(1)).await?);
    Ok(())
}
