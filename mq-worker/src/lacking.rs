//! What jobs need and this worker does not have: the words about it, once a minute for each.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mq_core::clock::now;
use mq_core::context::Attempt;
use mq_core::telemetry::TARGET_JOB;

const WARN_INTERVAL: Duration = Duration::from_secs(60);
/// Names come from the store: a flood of different ones must not fill the memory.
const NAMES_MAX: usize = 256;

/// What was warned about lately.
#[derive(Debug, Default)]
pub(crate) struct Lacking {
    kinds: Told,
    keys: Told,
}

impl Lacking {
    /// The kinds without a handler that were met.
    pub(crate) fn kinds(&self) -> Vec<String> {
        self.kinds.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// The job's kind has no handler here.
    pub(crate) fn warn_kind(&self, attempt: &Attempt) {
        if self.kinds.is_new(&attempt.kind) {
            let (id, kind, claim) = (attempt.id, &*attempt.kind, &attempt.claim);
            tracing::warn!(
                target: TARGET_JOB, %id, kind, queue = %claim.queue,
                "no handler for this kind, its jobs are handed back with a delay; is the crate \
                 that holds it linked, or does another version of this worker run it?"
            );
        }
    }

    /// The key that the job is sealed with is not here.
    pub(crate) fn warn_key(&self, attempt: &Attempt, key: &str) {
        if self.keys.is_new(key) {
            let (id, kind, claim) = (attempt.id, &*attempt.kind, &attempt.claim);
            tracing::warn!(
                target: TARGET_JOB, %id, kind, queue = %claim.queue, key,
                "no key of this name, the jobs that are sealed with it are handed back with a \
                 delay; add the key to those of this worker's client"
            );
        }
    }
}

#[derive(Debug, Default)]
struct Told(Mutex<HashMap<String, Instant>>);

impl Told {
    /// Whether a name was not told within the interval; it counts as told from now on.
    fn is_new(&self, name: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        told.retain(|_, at| now - *at < WARN_INTERVAL);
        if told.len() >= NAMES_MAX || told.contains_key(name) {
            return false;
        }
        told.insert(name.to_owned(), now);
        true
    }
}
