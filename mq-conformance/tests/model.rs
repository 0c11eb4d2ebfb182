//! The suite, run on the simplest engine that can be right: maps behind a lock. A case that a plain
//! reading of the contract fails is itself wrong; and another engine can be compared with it.

#[path = "model/data.rs"]
mod data;
#[path = "model/engine.rs"]
mod engine;
#[path = "model/operator.rs"]
mod operator;
#[path = "model/state.rs"]
mod state;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mq_conformance::Fixture;
use mq_core::engine::Engine;

use self::engine::Model;

struct ModelFixture(Model);

#[async_trait]
impl Fixture for ModelFixture {
    fn engine(&self) -> Arc<dyn Engine> {
        Arc::new(self.0.clone())
    }

    async fn second(&self) -> Arc<dyn Engine> {
        Arc::new(self.0.clone())
    }

    async fn advance(&self, by: Duration) {
        self.0.store().now_ms += by.as_millis() as u64;
    }

    fn now_ms(&self) -> u64 {
        self.0.store().now_ms
    }
}

async fn fixture() -> ModelFixture {
    ModelFixture(Model::new(1_750_000_000_000))
}

mq_conformance::suite!(fixture);
