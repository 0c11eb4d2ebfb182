#![doc = include_str!("../README.md")]

pub use mq_core::{
    Admin, AttemptError, Backoff, Claim, Client, ConnectError, Context, Death, DeathReason,
    Durability, Enqueue, EnqueueAll, EnqueueError, EnqueueSet, Enqueued, Handler, History, Jitter,
    Job, JobError, JobId, JobOptions, JobRequest, JobSet, JobSetOptions, Middleware, NAME_LEN_MAX,
    NameError, Next, Outcome, ParseIdError, Priority, QueueName, Record, RecordError, Registry,
    State, Verdict, WorkerId, admin, chain_text, engine, lifecycle, name, registry, telemetry,
};
pub use mq_macros::{Job, handler, job};
pub use mq_worker::{
    BuildError, BuildProblem, Report, RunError, Shutdown, Worker, WorkerBuilder, WorkerHandle,
    shutdown_signal,
};

// Named so that it is linked: the engine is found through what it registers.
#[cfg(feature = "redis")]
use mq_redis as _;
#[cfg(any(feature = "sqlite", feature = "sqlite-system"))]
use mq_sqlite as _;

/// What a program that defines, enqueues or runs jobs needs: `use mq::prelude::*;`.
///
/// Serde's derives are here for convenience; they need `serde` among your own dependencies. Jobs
/// that are functions with [`#[mq::job]`](macro@crate::job) do not.
pub mod prelude {
    pub use std::time::Duration;

    pub use mq_core::private::chrono::{DateTime, TimeDelta, Utc};
    pub use mq_core::private::serde::{Deserialize, Serialize};
    pub use mq_core::{
        Client, Context, Handler, Job, JobRequest, Middleware, Next, Outcome, Priority, Verdict,
    };
    pub use mq_macros::Job;
    pub use mq_worker::Worker;
}

/// What generated code may touch.
#[doc(hidden)]
pub mod __private {
    pub use mq_core::private::{CheckedStorable, Returned, Storable, inventory, serde};
    pub use mq_core::registry::Registration;
    pub use mq_core::{Backoff, Context, Handler, Jitter, Job, JobOptions, Priority};
}
