//! Jobs for later: after a delay, at a time, and sooner after all.
//!
//! `cargo run --example scheduled [-- --url URL]`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

mod common;

use mq::State;
use mq::admin::Filter;
use mq::prelude::*;

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "scheduled")]
struct Remind {
    what: String,
}

impl Handler for Remind {
    type Error = String;

    async fn run(self, cx: Context) -> Result<(), String> {
        let waited_ms = (now() - cx.enqueued_at()).num_milliseconds();
        println!("  {:<16} ran {waited_ms:>4} ms after it was enqueued", self.what);
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "the rule is for mq itself, not for its users")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

fn remind(what: &str) -> Remind {
    Remind { what: what.to_owned() }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mq = Client::connect(&common::url()?).await?;
    mq.enqueue(remind("at once")).await?;
    mq.enqueue(remind("after 400 ms")).delay(Duration::from_millis(400)).await?;
    mq.enqueue(remind("at a time")).at(now() + TimeDelta::milliseconds(800)).await?;
    mq.enqueue(remind("in the past")).at(now() - TimeDelta::days(1)).await?;
    let next_year = mq.enqueue(remind("next year")).at(now() + TimeDelta::days(365)).await?;

    println!("Waiting for their time:");
    let scheduled = Filter::state(State::Scheduled).queue("scheduled");
    for job in mq.admin().jobs(&scheduled, None, 100).await?.jobs {
        let due = job.at_ms.and_then(|ms| DateTime::from_timestamp_millis(ms.cast_signed()));
        println!("  {} due {}", job.payload_text(), due.unwrap_or_default().format("%F %T%.3f"));
    }

    println!("Running, each when it is due by the store's clock:");
    let worker = Worker::builder(&mq).discover().build()?.spawn();
    tokio::time::sleep(Duration::from_secs(1)).await;

    println!("Somebody does not want to wait for next year:");
    mq.admin().run_now(next_year.id).await?;
    common::all_done(&mq, "scheduled").await;
    worker.stop(Duration::from_secs(1)).await?;
    Ok(())
}
