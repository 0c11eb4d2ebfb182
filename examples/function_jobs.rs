//! Shorter ways to write a job: a function, an `impl` without a trait, a closure.
//!
//! `cargo run --example function_jobs [-- --url URL]`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

mod common;

use mq::prelude::*;

/// 1. A function is a job; its arguments are what is stored. mq makes a struct `Welcome` with a
///    field for each, and `welcome(7, "en".into())` builds one instead of running the function.
#[mq::job(queue = "function-jobs", max_attempts = 5)]
async fn welcome(user_id: u64, lang: String) -> Result<(), String> {
    println!("  welcome, user {user_id}, in {lang:?}");
    Ok(())
}

/// 2. `#[mq::handler]` on a plain `impl` finds the error type by itself.
#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "function-jobs")]
struct Import {
    file: String,
}

#[mq::handler]
impl Import {
    async fn run(self, cx: Context) -> anyhow::Result<()> {
        println!("  import {:?}, job {}", self.file, cx.id());
        Ok(())
    }
}

/// 3. A job type from a crate that knows nothing of workers, and a closure that handles it here.
#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "function-jobs", producer)]
struct Ping {
    host: String,
}

struct Net {
    timeout_ms: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mq = Client::connect(&common::url()?).await?;
    mq.enqueue(welcome(7, "en".into())).await?;
    mq.enqueue(Import { file: "customers.csv".into() }).await?;
    mq.enqueue(Ping { host: "localhost".into() }).await?;

    Worker::builder(&mq)
        .state(Net { timeout_ms: 100 })
        .job_fn(|job: Ping, cx: Context<Net>| async move {
            println!("  ping {}, {} ms at most", job.host, cx.state().timeout_ms);
            Ok::<(), String>(())
        })
        .discover()
        .build()?
        .run_until(common::all_done(&mq, "function-jobs"))
        .await?;
    Ok(())
}
