//! Enqueue twice, run once: keys for producers, keys for the services that handlers call.
//!
//! `cargo run --example idempotency [-- --url URL]`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

mod common;

use mq::prelude::*;

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "idempotency", max_attempts = 3, backoff(fixed, base = "100ms"))]
struct Pay {
    order: u64,
}

impl Handler for Pay {
    type Error = String;

    async fn run(self, cx: Context) -> Result<(), String> {
        // A worker can die between the payment and the record of it, and then the job runs again.
        // Payment providers drop a request whose key they have seen: this one is the same for all
        // attempts of the job.
        println!("  POST /payments, Idempotency-Key: {}", cx.idempotency_key());
        if cx.attempt() == 1 { Err("the connection broke, who knows".into()) } else { Ok(()) }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mq = Client::connect(&common::url()?).await?;
    // A key per run of this example, so that a second run on the same store is not a duplicate.
    let key = format!("order-7-{}", std::process::id());

    println!("A web server times out and its client sends the same order again, and again:");
    for _ in 0..3 {
        let receipt = mq.enqueue(Pay { order: 7 }).idempotency_key(&key).await?;
        println!("  job {}, duplicate: {}", receipt.id, receipt.duplicate);
    }
    println!("It runs once, and its retry carries the same key:");
    let worker = Worker::builder(&mq).discover().build()?;
    worker.run_until(common::all_done(&mq, "idempotency")).await?;

    println!("For 24 hours the key still answers with the job that was done:");
    let receipt = mq.enqueue(Pay { order: 7 }).idempotency_key(&key).await?;
    println!("  job {}, duplicate: {}", receipt.id, receipt.duplicate);
    Ok(())
}
