//! A process that enqueues one job after the other until it is killed, or a bit of everything. Set
//! up by environment variables; see `Fleet`, and [`PACE`], [`WORK`] and [`LOAD`] for its own.

use std::path::PathBuf;

use mq_chaos::process::{self, ProgramError, ms, variable};
use mq_chaos::{Chaos, LOAD, PACE, Producer, WORK, Workload, lasts};
use mq_core::engine::Schedule;
use mq_testkit::Recorder;

#[tokio::main]
async fn main() -> Result<(), ProgramError> {
    process::end_with_the_test();
    process::log_warnings()?;
    let recorder = Recorder::open(&variable::<PathBuf>("MQ_HISTORY")?)?;
    let producer = Producer::new(&process::connect().await?, &recorder);
    let pace = ms(PACE)?;
    if let Ok(seed) = variable(LOAD) {
        let mut workload = Workload::new(seed);
        loop {
            producer.load(&mut workload).await;
            lasts(pace).await;
        }
    }
    let sleep_ms = variable(WORK)?;
    for number in 0.. {
        producer.enqueue(&[Chaos::lasting(number, sleep_ms)], Schedule::Now).await;
        if !pace.is_zero() {
            lasts(pace).await;
        }
    }
    Ok(())
}
