//! The engine of mq on SQLite: one file, no server.
//!
//! What an operation means is said in [`mq_core::engine`]; here is how. Every operation has a file
//! of its name in `ops`; statements that are longer than a line are in `sql`.
//!
//! * The way to the file: `url`, `driver`, `open`.
//! * One thread writes, and commits what is queued at once: `writer`. What an operation sees of the
//!   transaction: `tx`, `jobs`.
//! * Idle workers: `hub`. The disk, for those who do not wait for it: `syncer`.

mod driver;
mod engine;
mod error;
mod hub;
mod jobs;
mod open;
mod ops;
mod syncer;
mod time;
mod tx;
mod url;
mod writer;

pub use engine::SqliteEngine;

/// The text of a statement in `sql`.
macro_rules! sql {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql/", $name, ".sql"))
    };
}
pub(crate) use sql;
