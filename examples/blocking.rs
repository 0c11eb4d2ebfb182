//! Work that blocks its thread: computing, old libraries, files. It gets threads of its own.
//!
//! `cargo run --example blocking [-- --url URL]`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

mod common;

use mq::prelude::*;

/// `blocking` is all that is needed: the handler may then take its time without an `await`.
#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "blocking", blocking, timeout = "500ms", max_attempts = 1)]
struct CountPrimes {
    below: u64,
}

impl Handler for CountPrimes {
    type Error = String;

    async fn run(self, cx: Context) -> Result<(), String> {
        let mut primes = 0;
        for number in 2..self.below {
            // Nobody can end a thread from outside, so a long computation looks now and then.
            if number % 1024 == 0 && cx.is_cancelled() {
                println!("  gave up at {number}");
                return Err(format!("{primes} primes below {number}, then time was up"));
            }
            let divides = |divisor: &u64| number % divisor == 0;
            if !(2..).take_while(|divisor| divisor * divisor <= number).any(|d| divides(&d)) {
                primes += 1;
            }
        }
        println!("  {primes} primes below {}", self.below);
        Ok(())
    }
}

/// An ordinary job, which must not wait for the others.
#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "blocking")]
struct Tick {
    number: u32,
}

impl Handler for Tick {
    type Error = String;

    async fn run(self, _: Context) -> Result<(), String> {
        println!("  tick {}", self.number);
        Ok(())
    }
}

// One thread for everything that is async: with a handler that blocked it, nothing would tick.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mq = Client::connect(&common::url()?).await?;
    let worker = Worker::builder(&mq).concurrency(8).discover().build()?.spawn();
    mq.enqueue(CountPrimes { below: 50_000 }).await?;
    mq.enqueue(CountPrimes { below: u64::MAX }).await?;
    for number in 1..=4 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        mq.enqueue(Tick { number }).await?;
    }
    common::all_done(&mq, "blocking").await;
    println!("{}", worker.stop(Duration::from_secs(1)).await?);
    Ok(())
}
