//! How fast one worker process runs jobs that do nothing.
//!
//! `cargo run --release -p mq-worker --example drain -- redis://127.0.0.1:PORT 100000 [SLOTS]`

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mq_core::clock::now;
use mq_core::{Client, Context, Job};
use mq_redis as _;
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
    let usage = "usage: drain URL [JOBS] [SLOTS]";
    let url = args.next().ok_or(usage)?;
    let jobs: u64 = args.next().as_deref().unwrap_or("100000").parse()?;
    let slots: usize = args.next().as_deref().unwrap_or("1000").parse()?;

    let mq = Client::connect(&url).await?;
    // 100 bytes of JSON.
    let noop = |_| Noop { padding: "x".repeat(86) };
    let start = now();
    mq.enqueue_all((0..jobs).map(noop)).await?;
    report("enqueued", jobs, start.elapsed());

    let done = Arc::new(Done::default());
    let worker = Worker::builder(&mq)
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
    println!("{what}: {jobs} jobs in {} ms, {rate:.0} jobs/s", took.as_millis());
}
