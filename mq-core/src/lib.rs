//! The heart of mq: types, pure rules and the contract with the stores. No I/O, nothing spawned.
//!
//! * What a job is: [`Job`], [`Record`], [`History`], [`JobId`], [`State`].
//! * How it is done: [`Handler`], [`Context`], [`Outcome`], [`Middleware`], [`Registry`].
//! * What becomes of it: [`lifecycle::decide`], [`Backoff`].
//! * Who asks for it: [`Client`], [`Admin`].
//! * Who may read and write it: [`seal`].
//! * What a store must do: [`Engine`](engine::Engine), found by URL through a
//!   [`Driver`](connect::Driver).

pub mod admin;
pub mod backoff;
mod client;
pub mod clock;
pub mod connect;
pub mod context;
pub mod engine;
mod enqueue;
#[doc(hidden)]
pub mod failpoint;
pub mod handler;
mod history;
mod id;
mod job;
pub mod lifecycle;
mod middleware;
mod mint;
#[doc(hidden)]
pub mod mutant;
pub mod name;
mod outcome;
mod priority;
#[doc(hidden)]
pub mod private;
mod record;
pub mod registry;
pub mod rng;
pub mod seal;
pub mod signal;
pub mod telemetry;
mod text22;

#[doc(hidden)]
pub use inventory;

pub use admin::Admin;
pub use backoff::{Backoff, Jitter};
pub use client::{Client, ENQUEUE_DEADLINE, PAYLOAD_MAX};
pub use connect::ConnectError;
pub use context::Context;
pub use engine::{DELAY_MAX, Durability};
pub use enqueue::{
    Enqueue, EnqueueAll, EnqueueError, EnqueueSet, Enqueued, JobSet, JobSetOptions, TAGS_MAX,
};
pub use handler::Handler;
pub use history::{
    AttemptError, Death, DeathReason, ERROR_LEN_MAX, ERRORS_MAX, History, shorten_error,
};
pub use id::{Claim, JobId, ParseIdError, WorkerId};
pub use job::{Job, JobOptions};
pub use lifecycle::State;
pub use middleware::{ErasedMiddleware, JobRequest, Middleware, Next};
pub use name::{NAME_LEN_MAX, NameError, QueueName};
pub use outcome::{JobError, Outcome, Verdict, chain_text};
pub use priority::Priority;
pub use record::{Record, RecordError};
pub use registry::Registry;
