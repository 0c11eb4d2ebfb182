//! What jobs need and this worker does not have: the words about it, once a minute for each.

use mq_core::context::Attempt;
use mq_core::telemetry::TARGET_JOB;

use crate::told::Told;

/// What was warned about lately.
#[derive(Debug, Default)]
pub(crate) struct Lacking {
    kinds: Told,
    keys: Told,
}

impl Lacking {
    /// The kinds without a handler that were met.
    pub(crate) fn kinds(&self) -> Vec<String> {
        self.kinds.names()
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
