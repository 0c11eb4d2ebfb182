//! One file per operation of the engine; what the server does for it is in `lua/`.

mod answer;
mod order;
mod verb;

pub(crate) mod audit;
pub(crate) mod cancel;
pub(crate) mod claim;
pub(crate) mod delete;
pub(crate) mod discard;
pub(crate) mod extend;
pub(crate) mod finish;
pub(crate) mod identity;
pub(crate) mod import;
pub(crate) mod join;
pub(crate) mod list;
pub(crate) mod locate;
pub(crate) mod pause;
pub(crate) mod promote;
pub(crate) mod prune;
pub(crate) mod queues;
pub(crate) mod reap;
pub(crate) mod retry;
pub(crate) mod run_now;
pub(crate) mod stats;
pub(crate) mod transfer;
pub(crate) mod workers;

#[cfg(test)]
mod tests;
