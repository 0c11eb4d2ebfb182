//! The job that all scenarios use unless they need another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mq::prelude::*;
use tokio::sync::Notify;

/// Does nothing. Its payload is 100 bytes of JSON, as the peers' is.
#[derive(Debug, Serialize, Deserialize, Job)]
#[job(name = "noop", state = Arc<Count>)]
pub(crate) struct Noop {
    padding: String,
}

impl Noop {
    pub(crate) fn new() -> Self {
        Self { padding: "x".repeat(86) }
    }
}

impl Handler<Arc<Count>> for Noop {
    type Error = String;

    async fn run(self, cx: Context<Arc<Count>>) -> Result<(), String> {
        cx.state().one();
        Ok(())
    }
}

/// Counts jobs up to a number that is awaited.
#[derive(Debug)]
pub(crate) struct Count {
    left: AtomicU64,
    all: Notify,
}

impl Count {
    /// So many are expected, at least one.
    pub(crate) fn of(jobs: u64) -> Arc<Self> {
        Arc::new(Self { left: AtomicU64::new(jobs), all: Notify::new() })
    }

    /// One more has run.
    pub(crate) fn one(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.all.notify_one();
        }
    }

    /// Waits until all have run; by one task only.
    pub(crate) async fn all(&self) {
        self.all.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_has_100_bytes() {
        let registry_sees = mq::Record::new("noop", payload());
        assert_eq!(registry_sees.payload.len(), 100);
    }

    fn payload() -> Vec<u8> {
        // What the client stores is what serde says.
        let text = format!("{{\"padding\":\"{}\"}}", Noop::new().padding);
        text.into_bytes()
    }
}
