//! What tests of jobs stand on.
//!
//! For users of mq, without a server: a [`Bench`] that runs jobs when the test says so, on a
//! [`MemoryEngine`] whose time the test moves; [`golden`] and [`check_registry`]. They come through
//! `mq::testing`.
//!
//! For mq's own tests, with the feature `faults`: throw-away servers, a network that misbehaves on
//! command, and a record of what happened that outlives the processes in it.

mod bench;
mod checks;
#[cfg(feature = "faults")]
mod ledger;
mod memory;
#[cfg(feature = "faults")]
mod proxy;
#[cfg(feature = "faults")]
mod redis_server;

pub use bench::Bench;
pub use checks::{check_registry, golden};
#[cfg(feature = "faults")]
pub use ledger::{Account, Entry, Event, Ledger, Life};
pub use memory::MemoryEngine;
#[cfg(feature = "faults")]
pub use proxy::{Direction, Flow, Proxy};
#[cfg(feature = "faults")]
pub use redis_server::{RedisServer, shared_url, unique_prefix};
