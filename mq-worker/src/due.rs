//! What is due now, one job after the other, and no more: the worker that a test bench runs.
//!
//! Claims, execution, verdicts and finishes are those of any worker. What needs time to pass by
//! itself is left out: there is no keeper, so leases are not extended on a thread of their own and
//! nobody's jobs are taken over.

use mq_core::registry::RegistryProblem;

use crate::error::RunError;
use crate::panic;
use crate::pull::Puller;
use crate::report::Report;
use crate::worker::Worker;

/// What [`Worker::run_due`] did.
#[derive(Debug)]
pub struct RanDue {
    /// What became of the jobs.
    pub report: Report,
    /// Attempts that have ended.
    pub ended: u64,
    /// The handlers that jobs needed but that could not be run, because their state is missing.
    pub missing_states: Vec<RegistryProblem>,
}

impl Worker {
    /// Runs jobs until none is due, or until about `limit` attempts have ended, and leaves. Time is
    /// what the store says and stands still in between. One job at a time if the worker was built
    /// with that concurrency.
    ///
    /// To be awaited to its end: jobs that run when it is dropped are lost to this store, because
    /// nobody takes them over.
    ///
    /// # Errors
    /// See [`RunError`].
    #[doc(hidden)]
    pub async fn run_due(self, limit: u64) -> Result<RanDue, RunError> {
        let shared = self.shared;
        panic::note_places();
        shared.clock.hold();
        Puller::new(shared.clone()).run_due(limit).await?;
        let report = shared.tally.report();
        let met = shared.lacking.kinds();
        let found = met.iter().filter_map(|kind| shared.registry.find(kind));
        let kinds: Vec<_> = found.map(|entry| entry.kind()).collect();
        let mut missing_states = shared.registry.problems(&shared.states);
        missing_states.retain(|problem| {
            matches!(problem, RegistryProblem::MissingState { kind, .. } if kinds.contains(kind))
        });
        Ok(RanDue { ended: report.ended(), report, missing_states })
    }
}
