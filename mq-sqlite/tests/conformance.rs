//! The suite that every engine must pass, on a file and in memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mq_conformance::Fixture;
use mq_core::engine::Engine;
use mq_sqlite::SqliteEngine;

/// A store and the clock of all its handles.
struct OnSqlite {
    /// None in memory, where another handle can only be one that was detached.
    directory: Option<tempfile::TempDir>,
    engine: Arc<SqliteEngine>,
    others: Mutex<Vec<Arc<SqliteEngine>>>,
    now_ms: AtomicU64,
}

impl OnSqlite {
    async fn new(directory: Option<tempfile::TempDir>) -> Self {
        let engine = Arc::new(open(directory.as_ref()).await);
        let now_ms = 1_700_000_000_000;
        engine.set_test_clock(now_ms);
        Self { directory, engine, others: Mutex::default(), now_ms: AtomicU64::new(now_ms) }
    }
}

async fn open(directory: Option<&tempfile::TempDir>) -> SqliteEngine {
    let url = match directory {
        Some(directory) => format!("sqlite:{}", directory.path().join("jobs.db").display()),
        None => "sqlite::memory:".to_owned(),
    };
    SqliteEngine::connect(&url).await.expect("connect")
}

#[async_trait]
impl Fixture for OnSqlite {
    fn engine(&self) -> Arc<dyn Engine> {
        self.engine.clone()
    }

    async fn second(&self) -> Arc<dyn Engine> {
        if self.directory.is_none() {
            return self.engine.detached();
        }
        let other = Arc::new(open(self.directory.as_ref()).await);
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

mod on_a_file {
    use super::*;

    async fn fixture() -> OnSqlite {
        OnSqlite::new(Some(tempfile::tempdir().expect("a directory"))).await
    }

    mq_conformance::suite!(fixture);
}

mod in_memory {
    use super::*;

    async fn fixture() -> OnSqlite {
        OnSqlite::new(None).await
    }

    mq_conformance::suite!(fixture);
}
