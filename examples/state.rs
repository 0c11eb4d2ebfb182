//! Shared state: connections, settings and counters that handlers need, by type.
//!
//! `cargo run --example state [-- --url URL]`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use mq::prelude::*;

/// What the handlers of this program share: made once, behind an `Arc` that mq holds.
struct App {
    mailer: Mailer,
    sent: AtomicU64,
}

/// Stands for a real client of a mail service.
struct Mailer {
    from: String,
}

impl Mailer {
    async fn send(&self, to: &str) -> std::io::Result<()> {
        if !to.contains('@') {
            return Err(std::io::Error::other(format!("`{to}` is not an address")));
        }
        println!("  {} → {to}", self.from);
        Ok(())
    }
}

/// `state = App` is checked: a worker that was not given an `App` does not start.
#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "state", state = App, max_attempts = 1)]
struct Mail {
    to: String,
}

impl Handler<App> for Mail {
    type Error = anyhow::Error;

    async fn run(self, cx: Context<App>) -> anyhow::Result<()> {
        let app = cx.state();
        // The whole chain of an error is kept with the job: `sending to bob: … is not an address`.
        app.mailer.send(&self.to).await.with_context(|| format!("sending to {}", self.to))?;
        app.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mq = Client::connect(&common::url()?).await?;

    match Worker::builder(&mq).queue("state", 1).discover().build() {
        Err(error) => println!("Without the state: {error}\n"),
        Ok(_) => anyhow::bail!("a worker without its state was built"),
    }

    let to = ["ann@example.com", "bob", "cy@example.com"];
    let receipts = mq.enqueue_all(to.map(|to| Mail { to: to.to_owned() })).await?;
    let app = App { mailer: Mailer { from: "hello@example.com".into() }, sent: AtomicU64::new(0) };
    let worker = Worker::builder(&mq).state(app).discover().build()?;
    println!("{}", worker.run_until(common::all_done(&mq, "state")).await?);

    let bob = mq.admin().job(receipts[1].id).await?;
    let error = bob.as_ref().and_then(|job| job.last_error()).unwrap_or("none");
    println!("The error kept with the second job: {error}");
    Ok(())
}
