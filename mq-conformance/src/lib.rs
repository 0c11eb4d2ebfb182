//! What every engine must do, as tests: one file per operation of
//! [`Engine`](mq_core::engine::Engine), one function per promise.
//!
//! An engine brings a [`Fixture`] and writes [`suite!`]; a bug that is found in one engine becomes
//! a case here first. After each case the store is [inspected](inspect): whatever the case was
//! about, nothing may be left that disagrees with itself.

#![allow(missing_docs, reason = "the name of a case is the promise that it checks")]
#![allow(clippy::field_reassign_with_default, reason = "types of mq-core are non-exhaustive")]

mod fixture;
mod kit;
mod suite;

pub mod audit;
pub mod cancel;
pub mod claim;
pub mod delete;
pub mod differential;
pub mod discard;
pub mod enqueue;
pub mod extend;
pub mod finish;
pub mod get;
pub mod import;
pub mod join_leave;
pub mod list;
pub mod names;
pub mod pause;
pub mod payload;
pub mod promote;
pub mod prune;
pub mod reap;
pub mod retry;
pub mod run_now;
pub mod stats;
pub mod store;
pub mod transfer;
pub mod verbs;
pub mod wait;

pub use fixture::{Fixture, inspect, run};
