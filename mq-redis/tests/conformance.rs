//! The suite that every engine must pass, on a Redis server of our own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mq_conformance::Fixture;
use mq_core::engine::Engine;
use mq_redis::RedisEngine;

/// A part of the test process's server, told apart by its prefix.
struct OnRedis {
    url: String,
    engine: Arc<RedisEngine>,
    others: Mutex<Vec<Arc<RedisEngine>>>,
    now_ms: AtomicU64,
}

async fn fixture() -> OnRedis {
    let url = format!("{}?prefix={}", mq_testkit::shared_url(), mq_testkit::unique_prefix());
    let engine = Arc::new(RedisEngine::connect(&url).await.expect("connect"));
    let now_ms = 1_700_000_000_000;
    engine.set_test_clock(now_ms);
    OnRedis { url, engine, others: Mutex::default(), now_ms: AtomicU64::new(now_ms) }
}

#[async_trait]
impl Fixture for OnRedis {
    fn engine(&self) -> Arc<dyn Engine> {
        self.engine.clone()
    }

    async fn second(&self) -> Arc<dyn Engine> {
        let other = Arc::new(RedisEngine::connect(&self.url).await.expect("connect"));
        other.set_test_clock(self.now_ms());
        self.others.lock().expect("the list").push(other.clone());
        other
    }

    async fn advance(&self, by: Duration) {
        let by_ms = by.as_millis() as u64;
        let now_ms = self.now_ms.fetch_add(by_ms, Ordering::SeqCst) + by_ms;
        self.engine.set_test_clock(now_ms);
        for other in self.others.lock().expect("the list").iter() {
            other.set_test_clock(now_ms);
        }
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }
}

mq_conformance::suite!(fixture);
