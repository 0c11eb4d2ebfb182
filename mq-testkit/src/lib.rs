//! What tests of jobs stand on.
//!
//! For users of mq, without a server: a [`Bench`] that runs jobs when the test says so, on a
//! [`MemoryEngine`] whose time the test moves; [`golden`] and [`check_registry`]. They come through
//! `mq::testing`.
//!
//! With the feature `faults`, for tests of whole programs under faults, mq's own and yours:
//! throw-away servers, a network that misbehaves on command, a nemesis that kills and freezes
//! processes, a recorder whose history outlives them, and a check that says whether the history
//! keeps what mq promises, with a picture of each job of which it does not. With the feature `tls`,
//! also servers that speak TLS, and the authority that vouches for them.

#[cfg(feature = "tls")]
mod authority;
mod bench;
#[cfg(feature = "faults")]
mod check;
mod checks;
mod memory;
#[cfg(feature = "faults")]
mod nemesis;
#[cfg(feature = "faults")]
mod process;
#[cfg(feature = "faults")]
mod proxy;
#[cfg(feature = "faults")]
mod recorder;
#[cfg(feature = "faults")]
mod redis_server;
#[cfg(feature = "faults")]
mod timeline;
#[cfg(feature = "faults")]
mod wire;

#[cfg(feature = "tls")]
pub use authority::{Authority, Certificate};
pub use bench::Bench;
#[cfg(feature = "faults")]
pub use check::{
    Check, Counts, Final, Found, Place, Rules, Sample, Times, Verdict, Violation, check,
};
pub use checks::{check_registry, golden};
pub use memory::MemoryEngine;
#[cfg(feature = "faults")]
pub use nemesis::{Chance, Lasting, Nemesis, Network, Pack, Server, Victim};
#[cfg(feature = "faults")]
pub use process::Process;
#[cfg(feature = "faults")]
pub use proxy::{Direction, Flow, Proxy};
#[cfg(feature = "faults")]
pub use recorder::{
    Answer, Attempts, Destination, Did, Entry, Event, LEASES_TAKEN, PASTS_TAKEN, Recorder,
    TIMES_TAKEN, now_ns,
};
#[cfg(feature = "faults")]
pub use redis_server::{RedisServer, shared_url, unique_prefix};
#[cfg(feature = "faults")]
pub use timeline::{timeline, timeline_page};
#[cfg(feature = "faults")]
pub use wire::{Wire, ask};
