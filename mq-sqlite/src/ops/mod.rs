//! One file per operation of the engine; its longer statements are in `sql`.

mod verb;

pub(crate) mod audit;
pub(crate) mod cancel;
pub(crate) mod claim;
pub(crate) mod delete;
pub(crate) mod discard;
pub(crate) mod enqueue;
pub(crate) mod extend;
pub(crate) mod finish;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod join;
pub(crate) mod leave;
pub(crate) mod list;
pub(crate) mod pause;
pub(crate) mod promote;
pub(crate) mod prune;
pub(crate) mod queues;
pub(crate) mod reap;
pub(crate) mod resume;
pub(crate) mod retry;
pub(crate) mod run_now;
pub(crate) mod stats;
pub(crate) mod transfer;
pub(crate) mod workers;
