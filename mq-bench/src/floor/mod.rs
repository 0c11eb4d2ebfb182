//! The floor: what the bare commands take that do the same by hand, in the same batches on the same
//! store, with the same client library and runtime. Nothing here is safe against a crash unless it
//! says so.

pub(crate) mod drain;
pub(crate) mod enqueue;
mod fill;
pub(crate) mod latency;
mod redis;
mod sqlite;

pub(crate) use fill::Fill;
