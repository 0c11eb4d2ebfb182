//! A worker from its start to its stop.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use mq_core::Client;
use mq_core::telemetry::TARGET_WORKER;
use tokio::task::JoinHandle;

use crate::builder::WorkerBuilder;
use crate::error::RunError;
use crate::keeper::Keeper;
use crate::panic;
use crate::pull::Puller;
use crate::report::Report;
use crate::shared::Shared;
use crate::signals::StopOrder;

/// Runs jobs: a checked configuration, ready to go.
///
/// ```text
/// Worker::builder(&mq).queue("mail", 3).queue("default", 1).discover().build()?
///     .run_until(mq::shutdown_signal()).await?;
/// ```
pub struct Worker {
    pub(crate) shared: Arc<Shared>,
}

impl Worker {
    /// Begins to configure a worker on the store of `client`.
    pub fn builder(client: &Client) -> WorkerBuilder {
        WorkerBuilder::new(client.clone())
    }

    pub(crate) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// Runs jobs on the current tokio runtime until `signal` resolves; then lets running jobs end
    /// within the grace, hands the others back without burning an attempt, and returns what was
    /// done.
    ///
    /// What `signal` yields is ignored; with [`shutdown_signal`](crate::shutdown_signal) a second
    /// signal ends the grace at once. An unreachable store makes a running worker wait, never fail.
    ///
    /// Dropping the future orders a stop without grace, in the background.
    ///
    /// When handlers keep too many threads the worker gives up, see [`RunError::Blocked`]. Await
    /// this in `main` itself, not in a task: that one may have no thread to hear of it.
    ///
    /// # Errors
    /// See [`RunError`]. No job is lost in any case.
    pub async fn run_until<F: Future>(self, signal: F) -> Result<Report, RunError> {
        let shared = self.shared;
        panic::note_places();
        let keeper = Keeper::start(&shared).map_err(RunError::Thread)?;
        let task = tokio::spawn(run(Arc::clone(&shared), keeper));
        let _guard = StopOnDrop(Arc::clone(&shared));
        let mut ended = pin!(async {
            tokio::select! {
                result = task => result.unwrap_or(Err(RunError::Killed)),
                () = shared.relieved.fired() => Err(blocked(&shared)),
            }
        });
        let second = tokio::select! {
            // It could not start, gave up, or was stopped by its handle.
            result = &mut ended => return result,
            second = StopOrder::new(signal) => second,
        };
        tracing::info!(target: TARGET_WORKER, "told to stop");
        shared.stop.order(shared.config.grace);
        tokio::select! {
            result = &mut ended => result,
            () = second => {
                tracing::info!(target: TARGET_WORKER, "told again to stop: the grace ends now");
                shared.stop.now();
                ended.await
            }
        }
    }

    /// Runs jobs in the background of the current tokio runtime.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn spawn(self) -> WorkerHandle {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(self.run_until(std::future::pending::<()>()));
        WorkerHandle { shared, task }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

async fn run(shared: Arc<Shared>, keeper: Keeper) -> Result<Report, RunError> {
    let result = Puller::new(Arc::clone(&shared)).run().await;
    keeper.stop().await;
    let report = shared.tally.report();
    match result {
        Ok(_) if shared.blocked.is_fired() => Err(blocked(&shared)),
        Ok(0) => {
            tracing::info!(target: TARGET_WORKER, %report, "stopped");
            Ok(report)
        }
        Ok(unsent) => Err(RunError::Unsent { unsent, report: Box::new(report) }),
        Err(error) => Err(error),
    }
}

fn blocked(shared: &Shared) -> RunError {
    RunError::Blocked { report: Box::new(shared.tally.report()) }
}

struct StopOnDrop(Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop.now();
    }
}

/// A worker in the background. Dropping the handle leaves it running.
#[must_use = "keep it to stop the worker in good order"]
pub struct WorkerHandle {
    shared: Arc<Shared>,
    task: JoinHandle<Result<Report, RunError>>,
}

impl WorkerHandle {
    /// Orders the stop, gives running jobs `grace`, and returns what was done.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn stop(self, grace: Duration) -> Result<Report, RunError> {
        self.shared.stop.order(grace);
        self.task.await.unwrap_or(Err(RunError::Killed))
    }

    /// Stops claiming; running jobs go on, also for ever. For a deploy that lets old processes run
    /// dry before it stops them.
    pub fn quiet(&self) {
        self.shared.stop.quiet();
    }

    /// Ends the grace of a [`stop`](Self::stop) that is under way elsewhere, or stops at once.
    pub fn stop_now(&self) {
        self.shared.stop.now();
    }

    /// Whether the worker has stopped.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// What was done so far.
    pub fn report(&self) -> Report {
        self.shared.tally.report()
    }
}

impl fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerHandle").field("report", &self.report()).finish_non_exhaustive()
    }
}
