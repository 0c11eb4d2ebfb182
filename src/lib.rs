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

/// Tests of jobs without a server and without waiting, with the feature `testing`. The guide is
/// [testing.md](https://github.com/mq-jobs/mq/blob/main/docs/testing.md).
///
/// ```standalone_crate
/// use mq::prelude::*;
/// use mq::testing::Bench;
///
/// #[mq::job]
/// async fn welcome(user_id: u64) {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), mq::EnqueueError> {
/// let t = Bench::new();
/// t.client().enqueue(welcome(7)).delay(Duration::from_secs(3600)).await?;
/// assert_eq!(t.drain().await.done, 0);
/// t.advance(Duration::from_secs(3600));
/// assert_eq!(t.drain().await.done, 1);
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "testing")]
pub mod testing {
    pub use mq_testkit::{Bench, MemoryEngine, check_registry, golden};

    /// Tests under faults, with the feature `faults`: processes that are killed and frozen, a
    /// server and a network that fail, a history of what all saw, and checks of what it says. The
    /// guide is [faults.md](https://github.com/mq-jobs/mq/blob/main/docs/faults.md).
    #[cfg(feature = "faults")]
    pub mod faults {
        pub use mq_testkit::{
            Answer, Attempts, Chance, Check, Counts, Destination, Did, Direction, Entry, Event,
            Final, Flow, Found, LEASES_TAKEN, Lasting, Nemesis, Network, PASTS_TAKEN, Pack, Place,
            Process, Proxy, Recorder, RedisServer, Rules, Sample, Server, TIMES_TAKEN, Times,
            Verdict, Victim, Violation, check, now_ns, timeline, timeline_page,
        };
    }
}

/// Payloads that whoever can read or write the store cannot read, or cannot forge. The guide is
/// [seal.md](https://github.com/mq-jobs/mq/blob/main/docs/seal.md).
///
/// With the feature `seal`, [`Keys`](seal::Keys) do it: a client with keys seals what it enqueues,
/// and workers and admins made from it open it again. Without, a [`Sealer`](seal::Sealer) of your
/// own can.
pub mod seal {
    pub use mq_core::seal::{OpenError, Parts, Scheme, Seal, SealError, Sealer};
    #[cfg(feature = "seal")]
    pub use mq_seal::{Key, KeyError, Keys};
}

/// What generated code may touch.
#[doc(hidden)]
pub mod __private {
    pub use mq_core::private::{CheckedStorable, Returned, Storable, inventory, serde};
    pub use mq_core::registry::Registration;
    pub use mq_core::{Backoff, Context, Handler, Jitter, Job, JobOptions, Priority};
}

/// Compiles what the guide shows.
#[cfg(doctest)]
#[doc = include_str!("../docs/sqlite.md")]
mod sqlite_guide {}

#[cfg(all(doctest, feature = "seal"))]
#[doc = include_str!("../docs/seal.md")]
mod seal_guide {}
