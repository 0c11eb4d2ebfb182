//! What the programs of the fault tests have in common: their set-up by environment variables.

use std::fs::OpenOptions;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use mq_core::Client;
use mq_redis as _;
use mq_sqlite as _;

use crate::lasts;

/// The variable with the file to which a program adds what it warns of.
pub const LOG: &str = "MQ_LOG";

/// What a program of the tests may fail with.
pub type ProgramError = Box<dyn std::error::Error>;

/// Reads a variable.
///
/// # Errors
/// When it is not set or says nothing sensible; the text names it.
pub fn variable<T: FromStr>(name: &str) -> Result<T, ProgramError> {
    let text = std::env::var(name).map_err(|_| format!("{name} is not set"))?;
    text.parse().map_err(|_| format!("{name} cannot be `{text}`").into())
}

/// Reads a variable that is a time in ms.
///
/// # Errors
/// As [`variable`].
pub fn ms(name: &str) -> Result<Duration, ProgramError> {
    variable(name).map(Duration::from_millis)
}

/// Writes warnings and errors to the file that [`LOG`] names, if it does.
///
/// # Errors
/// When the file cannot be opened.
pub fn log_warnings() -> Result<(), ProgramError> {
    let Ok(path) = std::env::var(LOG) else { return Ok(()) };
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(Arc::new(file))
        .init();
    Ok(())
}

/// Ends this process when the test is gone, which may be by `kill -9` itself: its end of our input
/// closes then.
pub fn end_with_the_test() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(9);
    });
}

/// A client of the store at `MQ_URL`; waits for the store if it is away.
///
/// # Errors
/// When it stays away.
pub async fn connect() -> Result<Client, ProgramError> {
    let url: String = variable("MQ_URL")?;
    let mut last = None;
    for _ in 0..100 {
        match Client::connect(&url).await {
            Ok(client) => return Ok(client),
            Err(error) => last = Some(error),
        }
        lasts(Duration::from_millis(200)).await;
    }
    Err(last.map_or_else(|| "never tried".into(), Into::into))
}
