//! What has been said, so that it is not said again at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mq_core::clock::now;

const INTERVAL: Duration = Duration::from_secs(60);
/// Names come from the store: a flood of different ones must not fill the memory.
const NAMES_MAX: usize = 256;

/// Names that were told of within the last minute.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<HashMap<String, Instant>>);

impl Told {
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// Whether a name was not told within the interval; it counts as told from now on.
    pub(crate) fn is_new(&self, name: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        told.retain(|_, at| now - *at < INTERVAL);
        if told.len() >= NAMES_MAX || told.contains_key(name) {
            return false;
        }
        told.insert(name.to_owned(), now);
        true
    }
}
