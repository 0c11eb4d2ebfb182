//! A worker process of the fault tests. Set up by environment variables; see `Fleet`.

use std::path::PathBuf;

use mq_chaos::process::{self, ProgramError, ms, variable};
use mq_chaos::{App, Chaos, QUEUE};
use mq_testkit::Recorder;
use mq_worker::Worker;

#[tokio::main]
async fn main() -> Result<(), ProgramError> {
    process::end_with_the_test();
    process::log_warnings()?;
    let recorder = Recorder::open(&variable::<PathBuf>("MQ_HISTORY")?)?;
    let client = recorder.watch(&process::connect().await?);
    let report = Worker::builder(&client)
        .queue(QUEUE, 1)
        .concurrency(variable("MQ_CONCURRENCY")?)
        .lease(ms("MQ_LEASE_MS")?)
        .grace(ms("MQ_GRACE_MS")?)
        .state(App::new(recorder))
        .job::<Chaos, App>()
        .build()?
        .run_until(mq_worker::shutdown_signal())
        .await?;
    eprintln!("{report}");
    Ok(())
}
