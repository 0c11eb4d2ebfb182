//! A worker process of the fault tests. Set up by environment variables; see `Fleet`.

use std::path::PathBuf;
use std::time::Duration;

use mq_chaos::{App, Chaos, QUEUE};
use mq_core::Client;
use mq_redis as _;
use mq_worker::Worker;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let variable = |name: &str| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let ms = |name: &str| -> Result<Duration, Box<dyn std::error::Error>> {
        Ok(Duration::from_millis(variable(name)?.parse()?))
    };
    // The test may be gone by `kill -9` itself: its end of our input closes then.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(9);
    });
    let client = connect(&variable("MQ_URL")?).await?;
    let report = Worker::builder(&client)
        .queue(QUEUE, 1)
        .concurrency(variable("MQ_CONCURRENCY")?.parse()?)
        .lease(ms("MQ_LEASE_MS")?)
        .grace(ms("MQ_GRACE_MS")?)
        .state(App::new(&PathBuf::from(variable("MQ_LEDGER")?))?)
        .job::<Chaos, App>()
        .build()?
        .run_until(mq_worker::shutdown_signal())
        .await?;
    eprintln!("{report}");
    Ok(())
}

/// A worker that is started while the store is away waits for it.
async fn connect(url: &str) -> Result<Client, Box<dyn std::error::Error>> {
    let mut last = None;
    for _ in 0..100 {
        match Client::connect(url).await {
            Ok(client) => return Ok(client),
            Err(error) => last = Some(error),
        }
        mq_chaos::lasts(Duration::from_millis(200)).await;
    }
    Err(last.map_or_else(|| "never tried".into(), Into::into))
}
