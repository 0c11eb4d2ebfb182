//! When attempts start and end.

use mq_core::{JobRequest, Middleware, Next, Outcome};

use super::{Event, Recorder};

/// A layer that writes attempts down; see [`Recorder::attempts`].
#[derive(Debug)]
pub struct Attempts(Recorder);

impl Attempts {
    pub(super) fn new(recorder: Recorder) -> Self {
        Self(recorder)
    }
}

impl Middleware for Attempts {
    async fn call(&self, request: JobRequest, next: Next<'_>) -> Outcome {
        let (id, claim) = (request.id(), request.fence().to_string());
        self.0.note([Event::Started { id, claim: claim.clone() }]);
        let outcome = next.run(request).await;
        self.0.note([Event::Ended { id, claim, ok: outcome.is_done() }]);
        outcome
    }
}
