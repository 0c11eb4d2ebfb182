//! The engine of mq on SQLite: one file, no server.
//!
//! What an operation means is said in [`mq_core::engine`]; here is how. Every operation has a file
//! of its name in `ops`; statements that are longer than a line are in `sql`.
//!
//! * The way to the file: `url`, `driver`, `open`, `place`, `tables`, `version`.
//! * One thread writes, and commits what is queued at once: `writer`; some answer questions:
//!   `readers`. How operations become a transaction: `work`, `session`. What an operation sees of
//!   it: `tx`, `jobs`, `column`.
//! * Transactions of the application's own: `transaction`.
//! * What can go wrong with a file: `watch`, `space`, `syncer`, `disk`; with a clock: `time`.
//! * Idle workers: `hub`.

mod column;
mod disk;
mod driver;
mod engine;
mod error;
mod hub;
mod jobs;
mod open;
mod ops;
mod place;
mod readers;
mod renew;
mod session;
mod space;
mod syncer;
mod tables;
mod time;
mod transaction;
mod tx;
mod url;
mod version;
mod watch;
mod work;
mod writer;

pub use engine::SqliteEngine;
pub use transaction::Rusqlite;

/// The text of a statement in `sql`.
macro_rules! sql {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql/", $name, ".sql"))
    };
}
pub(crate) use sql;
