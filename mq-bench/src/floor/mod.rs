//! The floor: what the bare commands take that do the same by hand, in the same batches on the same
//! store, with the same client library and runtime. Nothing here is safe against a crash unless it
//! says so.

pub(crate) mod depth;
pub(crate) mod drain;
pub(crate) mod enqueue;
mod fill;
pub(crate) mod idle;
pub(crate) mod latency;
pub(crate) mod memory;
mod redis;
pub(crate) mod scale;
pub(crate) mod scheduled;
mod sqlite;

pub(crate) use fill::Fill;
