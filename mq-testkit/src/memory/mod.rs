//! The simplest engine that can be right: maps behind a lock.
//!
//! A case of the conformance suite that this plain reading of the contract fails is itself wrong,
//! and another engine can be compared with it. Nothing here is clever: due jobs are found by
//! looking at all jobs of a queue.

mod data;
mod engine;
mod operator;
mod state;

pub use engine::MemoryEngine;
pub(crate) use state::{Queue, Store};
