//! A test bench: the whole path of a job, from enqueue to its last retry, without a server and
//! without waiting.
//!
//! What runs jobs here is `mq-worker` itself, on a [`MemoryEngine`]; nothing about retries,
//! verdicts, time limits or middleware is done a second time. `look` is what a test may ask of the
//! store, `run` how jobs are run.

mod look;
mod run;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mq_core::engine::PruneLimits;
use mq_core::private::chrono::{DateTime, Utc};
use mq_core::seal::Sealer;
use mq_core::{Client, Context, Handler, Job, JobError, Middleware, clock};
use mq_worker::{Worker, WorkerBuilder};

use crate::memory::MemoryEngine;

/// Runs jobs in a test: no server, no waiting, time moved by hand.
///
/// A bench has a store of its own, in memory. Code under test enqueues through
/// [`client`](Self::client); nothing runs before the test calls [`drain`](Self::drain), and time
/// stands still until [`advance`](Self::advance). Jobs run as in a worker, with their retries, time
/// limits, dead letters and [layers](Self::layer), but one at a time and always in the same order.
///
/// Handlers are [discovered](mq_worker::WorkerBuilder::discover). A state is needed only for jobs
/// that run: one that is missing is reported when its job comes up.
///
/// Mistakes in a test are panics, which name the line of the test.
///
/// ```standalone_crate
/// # use mq::prelude::*;
/// # use mq::testing::Bench;
/// # struct Mailer;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// #[mq::job]
/// #[derive(PartialEq)]
/// async fn welcome(user_id: u64, cx: Context<Mailer>) {}
///
/// let t = Bench::new().state(Mailer);
/// t.client().enqueue(welcome(7)).delay(Duration::from_secs(3600)).await?;
/// assert_eq!(t.enqueued::<Welcome>(), [welcome(7)]);
/// t.advance(Duration::from_secs(3600));
/// assert_eq!(t.drain().await.done, 1);
/// t.run(welcome(7), Mailer).await?; // one handler alone
/// # Ok(())
/// # }
/// ```
pub struct Bench {
    engine: MemoryEngine,
    client: Client,
    builder: WorkerBuilder,
}

impl Bench {
    /// A bench for all jobs that `#[derive(Job)]` has registered in the crates of this test. Its
    /// time begins now.
    #[must_use]
    pub fn new() -> Self {
        let bench = Self::bare();
        Self { builder: bench.builder.discover(), ..bench }
    }

    /// A bench for no jobs but those that [`job`](Self::job) and [`job_fn`](Self::job_fn) add, for
    /// example to put another handler in the place of the real one.
    #[must_use]
    pub fn bare() -> Self {
        let engine = MemoryEngine::new(clock::wall_ms());
        let client = Client::with_engine(Arc::new(engine.clone()));
        let builder = Worker::builder(&client).states_when_needed();
        Self { engine, client, builder }
    }

    /// Shares a value with all handlers that name its type: `Handler<App>`. One value per type.
    #[must_use]
    pub fn state<S: Send + Sync + 'static>(self, state: S) -> Self {
        Self { builder: self.builder.state(state), ..self }
    }

    /// Seals what is enqueued, and opens it for handlers and for this bench, as
    /// [`Client::sealed`] does. To be called before the [client](Self::client) is cloned.
    #[must_use]
    pub fn sealed(self, sealer: impl Sealer) -> Self {
        let client = self.client.sealed(sealer);
        Self { builder: self.builder.client(client.clone()), client, ..self }
    }

    /// Runs code around every attempt. The layer that is added first is outermost.
    #[must_use]
    pub fn layer(self, layer: impl Middleware) -> Self {
        Self { builder: self.builder.layer(layer), ..self }
    }

    /// Runs jobs of a type by its [`Handler`] impl.
    #[must_use]
    #[track_caller]
    pub fn job<J: Handler<S>, S: Send + Sync + 'static>(self) -> Self {
        Self { builder: self.builder.job::<J, S>(), ..self }
    }

    /// Runs jobs of a type by a closure.
    #[must_use]
    #[track_caller]
    pub fn job_fn<J, S, F, Fut, E>(self, function: F) -> Self
    where
        J: Job,
        S: Send + Sync + 'static,
        F: Fn(J, Context<S>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<J::Output, E>> + Send + 'static,
        E: JobError,
    {
        Self { builder: self.builder.job_fn::<J, S, F, Fut, E>(function), ..self }
    }

    /// What the code under test enqueues with. Its [`admin`](Client::admin) can cancel, retry and
    /// look at everything, as on any store.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The bench's time. Say `.at(t.now() + …)` rather than `Utc::now()`, which goes on while the
    /// bench's time stands still.
    pub fn now(&self) -> DateTime<Utc> {
        let now_ms = i64::try_from(self.engine.now_ms()).unwrap_or(i64::MAX);
        DateTime::from_timestamp_millis(now_ms).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Moves time forward. Runs nothing: jobs that are due by then run with the next
    /// [`drain`](Self::drain). What is kept for a while after its end goes when that is over.
    pub fn advance(&self, by: Duration) {
        self.engine.advance(by);
        let mut store = self.engine.store();
        let queues: Vec<_> = store.queues.keys().cloned().collect();
        for queue in &queues {
            while store.prune(queue, PruneLimits::default()).more {}
        }
    }

    /// Moves time to when the next scheduled job is due, such as a retry with a random delay, and
    /// says by how much; none if no job is scheduled. Paused queues are left alone.
    pub fn advance_to_next(&self) -> Option<Duration> {
        let due_ms = self.next_due_ms()?;
        let by = Duration::from_millis(due_ms.saturating_sub(self.engine.now_ms()));
        self.advance(by);
        Some(by)
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bench")
            .field("engine", &self.engine)
            .field("builder", &self.builder)
            .finish_non_exhaustive()
    }
}
