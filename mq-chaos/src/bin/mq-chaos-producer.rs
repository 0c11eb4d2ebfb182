//! A process that enqueues one job after the other until it is killed. Set up by environment
//! variables; see `Fleet`, and [`PACE`] and [`WORK`] for its own.

use std::path::PathBuf;

use mq_chaos::process::{self, ProgramError, ms, variable};
use mq_chaos::{Chaos, PACE, Producer, WORK, lasts};
use mq_core::engine::Schedule;
use mq_testkit::Recorder;

#[tokio::main]
async fn main() -> Result<(), ProgramError> {
    process::end_with_the_test();
    let (pace, sleep_ms) = (ms(PACE)?, variable(WORK)?);
    let recorder = Recorder::open(&variable::<PathBuf>("MQ_HISTORY")?)?;
    let producer = Producer::new(&process::connect().await?, &recorder);
    for number in 0.. {
        producer.enqueue(&[Chaos::lasting(number, sleep_ms)], Schedule::Now).await;
        if !pace.is_zero() {
            lasts(pace).await;
        }
    }
    Ok(())
}
