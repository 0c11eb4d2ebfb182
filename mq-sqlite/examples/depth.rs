//! Whether a claim costs more when many jobs wait: claims and finishes the same number of jobs from
//! a short queue and from a deep one, which has as many scheduled jobs besides.
//!
//! `cargo run --release -p mq-sqlite --example depth -- [DEPTH]`, where the depth is a million
//! unless it is given. The file lies in the directory for temporary files.

use std::time::Duration;

use mq_core::clock::now;
use mq_core::engine::{
    About, ClaimRequest, Claimed, Engine, EngineError, Finish, NewJob, QueueClaim, Schedule,
};
use mq_core::lifecycle::Transition;
use mq_core::{Claim, JobId, Priority, QueueName, Record, WorkerId};
use mq_sqlite::SqliteEngine;

const MEASURED: u64 = 20_000;
const BATCH: usize = 100;
const LONG: Duration = Duration::from_secs(86_400);

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let depth = std::env::args().nth(1).as_deref().unwrap_or("1000000").parse()?;
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite:{}", directory.path().join("depth.db").display());
    let engine = SqliteEngine::connect(&url).await?;
    for (name, depth) in [("short", MEASURED), ("deep", depth), ("short again", MEASURED)] {
        let queue = QueueName::new(name)?;
        fill(&engine, &queue, depth).await?;
        measure(&engine, &queue, depth).await?;
    }
    Ok(())
}

async fn fill(engine: &SqliteEngine, queue: &QueueName, depth: u64) -> Result<(), EngineError> {
    let job = |schedule| NewJob {
        queue: queue.clone(),
        id: JobId::new(),
        record: Record::new("noop", vec![b'x'; 100]).encode(),
        schedule,
        priority: Priority::Normal,
        idempotency_key: None,
    };
    for _ in 0..depth / 500 {
        let ready = (0..500).map(|_| job(Schedule::Now));
        let later = (0..500).map(|_| job(Schedule::After(LONG)));
        engine.enqueue(ready.chain(later).collect(), LONG).await?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figure is what the example is for")]
async fn measure(engine: &SqliteEngine, queue: &QueueName, depth: u64) -> Result<(), EngineError> {
    let worker = WorkerId::random();
    engine.join(queue, worker, LONG, &About::default()).await?;
    let (start, mut finishes, mut done) = (now(), Vec::new(), 0);
    for number in 1..=MEASURED / BATCH as u64 {
        let claim = Claim { queue: queue.clone(), worker, number };
        let queues = vec![QueueClaim { claim, limit: BATCH }];
        let request = ClaimRequest { finishes, limit: BATCH, queues };
        let jobs = engine.claim(request).await?.jobs;
        done += jobs.len();
        finishes = jobs.into_iter().map(finish).collect();
    }
    let each_us = start.elapsed().as_micros() as f64 / done as f64;
    println!("{queue}: {depth} ready, {depth} scheduled: {each_us:.1} µs for each of {done} jobs");
    Ok(())
}

fn finish(job: Claimed) -> Finish {
    Finish {
        id: job.id,
        claim: job.claim,
        transition: Transition::Done,
        history: None,
        had_history: false,
        priority: Priority::Normal,
        idempotency_key: None,
        failed: false,
        run_time: Duration::ZERO,
    }
}
