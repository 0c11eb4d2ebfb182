//! Code around every attempt: here a log of durations, and a limit on what may run at all.
//!
//! `cargo run --example middleware [-- --url URL]`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

mod common;

use mq::prelude::*;
use tokio::time::Instant;

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "middleware", max_attempts = 2, backoff(fixed, base = "100ms"))]
struct Report {
    month: u32,
}

impl Handler for Report {
    type Error = String;

    async fn run(self, cx: Context) -> Result<(), String> {
        tokio::time::sleep(Duration::from_millis(u64::from(self.month) * 30)).await;
        if self.month == 2 && cx.attempt() == 1 { Err("no data yet".into()) } else { Ok(()) }
    }
}

/// Sees the outcome as a value, and may change it.
struct Log;

impl Middleware for Log {
    async fn call(&self, request: JobRequest, next: Next<'_>) -> Outcome {
        let (kind, attempt, tags) = (request.kind().to_owned(), request.attempt(), request.tags());
        let label = format!("{kind} {tags:?} attempt {attempt}");
        let start = Instant::now();
        let outcome = next.run(request).await;
        println!("  {label}: {outcome:?} in {} ms", start.elapsed().as_millis());
        outcome
    }
}

/// Need not call `next`: a job of a customer in maintenance is put off, and no attempt is burnt.
struct Maintenance {
    customer: &'static str,
    until: Instant,
}

impl Middleware for Maintenance {
    async fn call(&self, request: JobRequest, next: Next<'_>) -> Outcome {
        let left = self.until.saturating_duration_since(Instant::now());
        if left > Duration::ZERO && request.tags().iter().any(|tag| tag == self.customer) {
            return Outcome::Snooze(left);
        }
        next.run(request).await
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mq = Client::connect(&common::url()?).await?;
    mq.enqueue(Report { month: 1 }).tag("customer:1").await?;
    mq.enqueue(Report { month: 2 }).tag("customer:1").await?;
    mq.enqueue(Report { month: 3 }).tag("customer:2").await?;

    let until = Instant::now() + Duration::from_millis(600);
    // The first layer is the outermost.
    let report = Worker::builder(&mq)
        .layer(Log)
        .layer(Maintenance { customer: "customer:2", until })
        .discover()
        .build()?
        .run_until(common::all_done(&mq, "middleware"))
        .await?;
    println!("{report}");
    Ok(())
}
