//! Which jobs go first: three priorities within a queue, weights between queues.
//!
//! `cargo run --example priority [-- --url URL]`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

mod common;

use mq::prelude::*;

/// Jobs of a type are `normal` unless it says otherwise.
#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "priority", priority = "low")]
struct Cleanup {
    number: u32,
}

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "priority")]
struct Order {
    customer: String,
}

impl Handler for Cleanup {
    type Error = String;

    async fn run(self, _: Context) -> Result<(), String> {
        println!("  low     cleanup {}", self.number);
        Ok(())
    }
}

impl Handler for Order {
    type Error = String;

    async fn run(self, _: Context) -> Result<(), String> {
        let vip = self.customer.starts_with("vip");
        println!("  {:<7} order of {}", if vip { "high" } else { "normal" }, self.customer);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mq = Client::connect(&common::url()?).await?;

    println!("Enqueued: three cleanups, two orders, and last the order of somebody important.");
    mq.enqueue_all((1..=3).map(|number| Cleanup { number })).await?;
    mq.enqueue(Order { customer: "ann".into() }).await?;
    mq.enqueue(Order { customer: "bob".into() }).await?;
    mq.enqueue(Order { customer: "vip carl".into() }).priority(Priority::High).await?;
    let [high, normal, low] = mq.admin().queue("priority").await?.stats.ready_by_priority;
    println!("Ready: {high} high, {normal} normal, {low} low. A worker with one slot runs:");

    // Priorities order one queue. To share workers between queues, give each a weight:
    // `.queue("orders", 6).queue("reports", 1)`, or `.strict_order()` for one after the other.
    Worker::builder(&mq)
        .queue("priority", 1)
        .concurrency(1)
        .discover()
        .build()?
        .run_until(common::all_done(&mq, "priority"))
        .await?;
    Ok(())
}
