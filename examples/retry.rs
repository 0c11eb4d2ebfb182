//! What happens after a failure: backoff, a typed verdict, a word from the handler.
//!
//! `cargo run --example retry [-- --url URL]`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

mod common;

use anyhow::anyhow;
use mq::prelude::*;

#[derive(Debug, thiserror::Error)]
enum BankError {
    #[error("the bank is busy")]
    Busy,
    #[error("too many requests")]
    RateLimited(Duration),
    #[error("the card is stolen")]
    Stolen,
}

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "retry", max_attempts = 4, backoff(exponential, base = "100ms", jitter = "none"))]
struct Charge {
    card: String,
}

impl Handler for Charge {
    type Error = BankError;

    async fn run(self, cx: Context) -> Result<(), BankError> {
        println!("  charge {:?}, attempt {}", self.card, cx.attempt());
        match (self.card.as_str(), cx.attempt()) {
            ("busy", 1..=3) => Err(BankError::Busy),
            ("rate limited", 1) => Err(BankError::RateLimited(Duration::from_millis(700))),
            ("stolen", _) => Err(BankError::Stolen),
            _ => Ok(()),
        }
    }

    fn verdict(&self, error: &BankError) -> Verdict {
        match error {
            BankError::Busy => Verdict::Retry,
            BankError::RateLimited(delay) => Verdict::RetryIn(*delay),
            BankError::Stolen => Verdict::Discard,
        }
    }
}

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "retry")]
struct Import {
    file: String,
}

impl Handler for Import {
    type Error = anyhow::Error;

    async fn run(self, cx: Context) -> anyhow::Result<()> {
        println!("  import {:?}, attempt {}", self.file, cx.attempt());
        match (self.file.as_str(), cx.attempt()) {
            ("locked.csv", 1) => Err(cx.retry_in(Duration::from_millis(300), anyhow!("in use"))),
            ("empty.csv", _) => Err(cx.discard(anyhow!("there is nothing in it"))),
            _ => Ok(()),
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mq = Client::connect(&common::url()?).await?;
    let cards = ["good", "busy", "rate limited", "stolen"];
    mq.enqueue_all(cards.map(|card| Charge { card: card.to_owned() })).await?;
    mq.enqueue(Import { file: "locked.csv".into() }).await?;
    mq.enqueue(Import { file: "empty.csv".into() }).await?;
    let worker = Worker::builder(&mq).discover().build()?;
    println!("{}", worker.run_until(common::all_done(&mq, "retry")).await?);
    Ok(())
}
