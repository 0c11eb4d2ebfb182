//! A flag that fires once and can be awaited.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Fires once; everybody who waits for it, now or later, goes on.
///
/// Not a `watch` channel: one of these is made per job, and this one allocates nothing.
#[derive(Debug, Default)]
pub struct Flag {
    fired: AtomicBool,
    notify: Notify,
}

impl Flag {
    /// A flag that has not fired.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fires it.
    pub fn fire(&self) {
        self.fired.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    /// Whether it has fired.
    pub fn is_fired(&self) -> bool {
        self.fired.load(Ordering::Acquire)
    }

    /// Waits until it has fired. Cancel safe.
    pub async fn fired(&self) {
        let notified = self.notify.notified();
        tokio::pin!(notified);
        // Enlist before looking at the flag, or a `fire` in between would be missed.
        notified.as_mut().enable();
        if !self.is_fired() {
            notified.await;
        }
    }
}

/// A [`Flag`] that its clones share.
#[derive(Debug, Clone, Default)]
pub struct Signal(Arc<Flag>);

impl Signal {
    /// A signal that has not fired.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Deref for Signal {
    type Target = Flag;

    fn deref(&self) -> &Flag {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_wait_and_those_who_come_late_both_go_on() {
        let signal = Signal::new();
        let waiting = tokio::spawn({
            let signal = signal.clone();
            async move { signal.fired().await }
        });
        tokio::task::yield_now().await;
        assert!(!signal.is_fired());
        signal.fire();
        waiting.await.unwrap();
        signal.fired().await;
    }
}
