//! Payloads that nobody reads who has the store but not the key, and keys that are replaced.
//!
//! `cargo run --features seal --example sealed [-- --url URL]`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

mod common;

use mq::prelude::*;
use mq::seal::Keys;

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "sealed")]
struct Charge {
    card: String,
}

impl Handler for Charge {
    type Error = String;

    async fn run(self, cx: Context) -> Result<(), String> {
        println!("  {}: the handler sees card {}", cx.id(), self.card);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let store = Client::connect(&common::url()?).await?;
    // A program has them in its environment: `std::env::var("MQ_KEYS")?.parse()?`, and makes each
    // by `openssl rand -hex 32`.
    let old = format!("2026-01:{}", "2e".repeat(32));
    let new = format!("2026-06:{}", "1f".repeat(32));

    let before: Keys = old.parse()?;
    let mq = store.clone().sealed(before);
    let id = mq.enqueue(Charge { card: "4929 1234".into() }).await?.id;
    // An admin without the key sees all but the payload; one with the key sees that as well.
    for admin in [store.admin(), mq.admin()] {
        let Some(job) = admin.job(id).await? else { continue };
        let problem = job.seal.as_ref().and_then(|seal| seal.problem.as_deref());
        let payload = problem.map_or(job.payload_text(), Into::into);
        println!("{} of kind {}, payload: {payload}", job.id, job.kind);
    }

    // The first key seals, all of them open: jobs that wait under the old one still run.
    let now: Keys = format!("{new} {old}").parse()?;
    let mq = store.sealed(now);
    mq.enqueue(Charge { card: "4929 5678".into() }).await?;
    let worker = Worker::builder(&mq).discover().build()?;
    println!("{}", worker.run_until(common::all_done(&mq, "sealed")).await?);
    Ok(())
}
