//! A worker process of the fault tests. Set up by environment variables; see `Fleet`, and
//! [`VERSION`] for the two programs of a rolling deploy.

use std::path::PathBuf;

use mq_chaos::process::{self, ProgramError, ms, variable};
use mq_chaos::{App, Chaos, Noop, Order1, Order2, QUEUE, Refund, VERSION};
use mq_testkit::Recorder;
use mq_worker::{RunError, Worker};

#[tokio::main]
async fn main() -> Result<(), ProgramError> {
    process::end_with_the_test();
    process::log_warnings()?;
    let recorder = Recorder::open(&variable::<PathBuf>("MQ_HISTORY")?)?;
    let client = recorder.watch(&process::connect().await?);
    let builder = Worker::builder(&client)
        .queue(QUEUE, 1)
        .concurrency(variable("MQ_CONCURRENCY")?)
        .lease(ms("MQ_LEASE_MS")?)
        .grace(ms("MQ_GRACE_MS")?)
        .state(App::new(recorder));
    let builder = match std::env::var(VERSION).as_deref() {
        Ok("1") => builder.job::<Order1, App>(),
        Ok("2") => builder.job::<Order2, App>().job::<Refund, App>(),
        _ => builder.job::<Chaos, App>().job::<Noop, App>(),
    };
    match builder.build()?.run_until(mq_worker::shutdown_signal()).await {
        Ok(report) => eprintln!("{report}"),
        Err(error @ RunError::Blocked { .. }) => {
            eprintln!("{error}");
            std::process::exit(error.exit_code().into());
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
