//! Idle workers of this process, and which queues may have work for them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mq_core::engine::WaitReply;
use mq_core::{QueueName, clock};
use tokio::sync::Notify;

use crate::error::Result;
use crate::tx::Wake;
use crate::writer::Writer;

/// What this process knows about who should look where.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    queues: Mutex<HashMap<QueueName, Seen>>,
    changed: Notify,
    waiters: AtomicUsize,
}

#[derive(Debug, Default)]
struct Seen {
    /// The queue's count of wake-ups when it was last looked at.
    count: i64,
    /// Whether nobody has been told yet.
    is_awake: bool,
}

/// Counts a waiter for as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, HashMap<QueueName, Seen>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody waits.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.waiters.load(Ordering::SeqCst) > 0
    }

    /// The queues that anybody ever waited for.
    pub(crate) fn waited_for(&self) -> Vec<QueueName> {
        self.lock().keys().cloned().collect()
    }

    /// Takes note of the counts of queues and wakes somebody where they went up.
    pub(crate) fn wake(&self, wakes: &[Wake]) {
        let mut is_news = false;
        let mut queues = self.lock();
        for wake in wakes {
            let Some(seen) = queues.get_mut(&wake.name) else { continue };
            if wake.count > seen.count {
                seen.count = wake.count;
                seen.is_awake = true;
                is_news = true;
            }
        }
        drop(queues);
        if is_news {
            self.changed.notify_waiters();
        }
    }

    fn take(&self, names: &[QueueName]) -> Option<QueueName> {
        let mut queues = self.lock();
        for name in names {
            let seen = queues.entry(name.clone()).or_default();
            if std::mem::take(&mut seen.is_awake) {
                return Some(name.clone());
            }
        }
        None
    }

    /// See [`Engine::wait`](mq_core::engine::Engine::wait).
    pub(crate) async fn wait(
        &self,
        writer: &Writer,
        names: &[QueueName],
        timeout: Duration,
    ) -> Result<WaitReply> {
        let deadline = clock::now() + timeout;
        self.waiters.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.waiters);
        let mut is_first = true;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(queue) = self.take(names) {
                return Ok(WaitReply::Woken(queue));
            }
            if std::mem::take(&mut is_first) {
                // After the names are known to the hub, so that the look takes them in.
                writer.look()?;
            }
            if tokio::time::timeout_at(deadline.into(), changed).await.is_err() {
                return Ok(WaitReply::TimedOut);
            }
        }
    }
}
