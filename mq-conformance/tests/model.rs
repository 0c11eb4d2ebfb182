//! The suite, run on the simplest engine that can be right, the one in memory. A case that a plain
//! reading of the contract fails is itself wrong.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mq_conformance::Fixture;
use mq_core::engine::Engine;
use mq_testkit::MemoryEngine;

struct MemoryFixture(MemoryEngine);

#[async_trait]
impl Fixture for MemoryFixture {
    fn engine(&self) -> Arc<dyn Engine> {
        Arc::new(self.0.clone())
    }

    async fn second(&self) -> Arc<dyn Engine> {
        Arc::new(self.0.clone())
    }

    async fn advance(&self, by: Duration) {
        self.0.advance(by);
    }

    fn now_ms(&self) -> u64 {
        self.0.now_ms()
    }
}

async fn fixture() -> MemoryFixture {
    MemoryFixture(MemoryEngine::new(1_750_000_000_000))
}

mq_conformance::suite!(fixture);
