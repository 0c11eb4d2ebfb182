//! How fast one worker process runs jobs that do nothing.
//!
//! `cargo run --release -p mq-worker --example drain -- URL [JOBS] [SLOTS] [ROUNDS]`, where the URL
//! is `redis://127.0.0.1:PORT` or `sqlite:jobs.db`. Rounds show whether memory stays flat.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mq_core::clock::now;
use mq_core::{Client, Context, Job};
use mq_redis as _;
use mq_sqlite as _;
use mq_worker::Worker;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

#[derive(Serialize, Deserialize)]
struct Noop {
    padding: String,
}

impl Job for Noop {
    type Output = ();
    const KIND: &'static str = "noop";
}

#[derive(Default)]
struct Done {
    count: AtomicU64,
    all: Notify,
}

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("usage: drain URL [JOBS] [SLOTS] [ROUNDS]")?;
    let mq = Client::connect(&url).await?;
    let mut number = |usual: u64| args.next().map_or(Ok(usual), |text| text.parse());
    let (jobs, slots, rounds) = (number(100_000)?, number(1000)?, number(1)?);
    for _ in 0..rounds {
        round(&mq, jobs, slots as usize).await?;
    }
    Ok(())
}

async fn round(mq: &Client, jobs: u64, slots: usize) -> Result<(), Error> {
    // 100 bytes of JSON.
    let noop = |_| Noop { padding: "x".repeat(86) };
    let start = now();
    mq.enqueue_all((0..jobs).map(noop)).await?;
    report("enqueued", jobs, start.elapsed());

    let done = Arc::new(Done::default());
    let worker = Worker::builder(mq)
        .concurrency(slots)
        .state(Arc::clone(&done))
        .job_fn(move |_: Noop, cx: Context<Arc<Done>>| async move {
            if cx.state().count.fetch_add(1, Ordering::Relaxed) + 1 == jobs {
                cx.state().all.notify_one();
            }
            Ok::<_, String>(())
        })
        .build()?;
    let start = now();
    let worker = worker.spawn();
    done.all.notified().await;
    report("drained", jobs, start.elapsed());
    let totals = worker.stop(Duration::from_secs(10)).await?;
    report("confirmed and stopped", totals.done, start.elapsed());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figure is what the example is for")]
fn report(what: &str, jobs: u64, took: Duration) {
    let rate = jobs as f64 / took.as_secs_f64();
    // Its second figure is what is in memory, in pages. On Linux only.
    let memory = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = memory.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    let (ms, mib) = (took.as_millis(), pages * 4 / 1024);
    println!("{what}: {jobs} jobs in {ms} ms, {rate:.0} jobs/s, {mib} MiB in memory");
}
