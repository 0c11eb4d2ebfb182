//! The entry for URLs: from `sqlite:…` to an engine on an open file.

use std::sync::Arc;

use mq_core::connect::{Connecting, Driver};
use mq_core::engine::Engine;

use crate::engine::SqliteEngine;
use crate::url::SCHEMES;

mq_core::inventory::submit! {
    Driver { schemes: SCHEMES, connect }
}

fn connect(url: String) -> Connecting {
    Box::pin(async move {
        let engine = SqliteEngine::connect(&url).await?;
        for warning in engine.warnings() {
            tracing::warn!("{warning}");
        }
        Ok(Arc::new(engine) as Arc<dyn Engine>)
    })
}
