//! The heart of mq: types, pure rules and the contract with the stores. No I/O, nothing spawned.
//!
//! * What a job is: [`Record`], [`History`], [`JobId`], [`State`].
//! * What becomes of it: [`lifecycle::decide`], [`Backoff`].
//! * What a store must do: [`Engine`](engine::Engine).

pub mod backoff;
pub mod clock;
pub mod engine;
mod history;
mod id;
pub mod lifecycle;
pub mod name;
mod priority;
mod record;
pub mod rng;
mod text22;

pub use backoff::{Backoff, Jitter};
pub use history::{
    AttemptError, Death, DeathReason, ERROR_LEN_MAX, ERRORS_MAX, History,
};
pub use id::{Claim, JobId, ParseIdError, WorkerId};
pub use lifecycle::State;
pub use name::{NAME_LEN_MAX, NameError, QueueName};
pub use priority::Priority;
pub use record::{Record, RecordError};
