//! The runtime of a worker process: takes jobs, runs their handlers, and tells the store how each
//! one ended.
//!
//! The story in the order of the files:
//!
//! * [`Worker::builder`] collects queues, handlers and states, and reports all that is wrong with
//!   them at once (`builder`, `config`, `error`).
//! * `worker` starts three things and stops them in the reverse order: the **loop** (`pull`) on the
//!   caller's runtime, the **keeper** on a thread of its own, and one task per job (`execute`).
//! * The loop sends what has finished (`outcomes`) and asks for as many jobs as there are free
//!   slots (`slots`), both in one request. While that request is under way more jobs finish, so the
//!   batches grow with the load and there is no timer that would make an idle worker slow.
//! * The table of running jobs (`running`) knows their deadlines; whoever removes a job from it
//!   decides how the attempt ended, so an attempt ends once, whatever happens at the same time.
//! * The keeper (`keeper`) extends leases, ends overdue attempts and takes over the jobs of workers
//!   that died. A handler that blocks every thread of the caller's runtime does not stop it.
//! * `shutdown` is the way down: quiet, drain, hand back.
//! * For test benches, `due` runs what is due, one job after the other, and ends.

mod backlog;
mod builder;
mod config;
mod damage;
mod due;
mod error;
mod execute;
mod handlers;
mod housekeeping;
mod keeper;
mod lacking;
mod lost;
mod members;
mod outcomes;
mod panic;
mod pull;
mod report;
mod retrying;
mod running;
mod shared;
mod shutdown;
mod signals;
mod slots;
mod stalled;
mod task;
mod told;
mod worker;

pub use builder::WorkerBuilder;
#[doc(hidden)]
pub use due::RanDue;
pub use error::{BuildError, BuildProblem, RunError};
pub use report::Report;
pub use signals::{Shutdown, shutdown_signal};
pub use worker::{Worker, WorkerHandle};
