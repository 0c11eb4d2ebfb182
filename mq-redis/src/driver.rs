//! The entry for URLs: from `redis://…` to an engine that was checked.

use std::sync::Arc;
use std::time::Duration;

use mq_core::connect::{ConnectError, Connecting, Driver};
use mq_core::engine::Engine;

use crate::checks::{self, Health};
use crate::engine::RedisEngine;
use crate::link::{Link, Patience};
use crate::time::Time;
use crate::url::{SCHEMES, Settings};

/// How long a server may take to be there. Long enough for one that is being restarted, short
/// enough for somebody who has mistyped a port.
const PATIENCE: Patience = Patience::Until(Duration::from_secs(5));

mq_core::inventory::submit! {
    Driver { schemes: SCHEMES, connect }
}

fn connect(url: String) -> Connecting {
    Box::pin(async move {
        let engine = open(&url).await?;
        Ok(Arc::new(engine) as Arc<dyn Engine>)
    })
}

/// Connects, checks that the server is fit for jobs, and says what could be better.
///
/// # Errors
/// See [`ConnectError`].
pub(crate) async fn open(url: &str) -> Result<RedisEngine, ConnectError> {
    let settings = Settings::parse(url).map_err(|error| ConnectError::Url(error.to_string()))?;
    let link = Link::new(Arc::new(settings), "work");
    let report = checks::look(&link, PATIENCE).await?;
    if let Some(text) = report.unfit(link.settings()) {
        return Err(ConnectError::Unfit(text));
    }
    let health = Arc::new(Health::new(&report, link.settings()));
    for warning in health.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(RedisEngine::new(link, health, Time::default()))
}
