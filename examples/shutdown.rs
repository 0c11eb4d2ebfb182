//! Stopping: jobs may finish, the rest is handed back to other workers, nothing is lost.
//!
//! A service would write `.run_until(mq::shutdown_signal())`, which ends on SIGTERM and Ctrl-C.
//! `cargo run --example shutdown [-- --url URL]`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

mod common;

use mq::prelude::*;

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "shutdown", state = Speed)]
enum Task {
    /// Takes a moment.
    Short,
    /// Takes an hour, and watches for the stop.
    Polite,
    /// Takes an hour, and does not care.
    Deaf,
}

/// How long an hour takes.
struct Speed {
    hour: Duration,
}

impl Handler<Speed> for Task {
    type Error = String;

    async fn run(self, cx: Context<Speed>) -> Result<(), String> {
        println!("  {self:?} starts, attempt {}", cx.attempt());
        match self {
            Task::Short => tokio::time::sleep(Duration::from_millis(300)).await,
            Task::Deaf => tokio::time::sleep(cx.state().hour).await,
            Task::Polite => tokio::select! {
                () = tokio::time::sleep(cx.state().hour) => {}
                () = cx.stopping() => {
                    // Gives itself back, which burns no attempt.
                    cx.snooze(Duration::ZERO);
                    println!("  Polite puts its work aside");
                    return Ok(());
                }
            },
        }
        println!("  {self:?} is done");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mq = Client::connect(&common::url()?).await?;
    mq.enqueue_all([Task::Short, Task::Polite, Task::Deaf]).await?;

    println!("The first worker is stopped while all three run, with one second of grace:");
    let speed = Speed { hour: Duration::from_secs(60 * 60) };
    let worker = Worker::builder(&mq).state(speed).discover().build()?.spawn();
    while mq.admin().queue("shutdown").await?.stats.running < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("  {}", worker.stop(Duration::from_secs(1)).await?);
    let queue = mq.admin().queue("shutdown").await?.stats;
    let (ready, scheduled, running) = (queue.ready, queue.scheduled, queue.running);
    println!("  left: {ready} ready, {scheduled} scheduled for now, {running} running");

    println!("The next worker takes them over at once, with all their attempts:");
    let speed = Speed { hour: Duration::from_millis(100) };
    let worker = Worker::builder(&mq).state(speed).discover().build()?;
    println!("  {}", worker.run_until(common::all_done(&mq, "shutdown")).await?);
    Ok(())
}
