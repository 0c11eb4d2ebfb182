//! What a job costs its store: commands, bytes and round trips of each operation on Redis, commits
//! and pages in an SQLite file, and what a worker asks for. A change that makes a job dearer fails
//! here, and one that makes it cheaper asks to be written down. Allocations are counted by a test
//! beside this one, `allocations.rs`, which has a process of its own.
//!
//! Nothing is measured in time, so a slow or busy machine cannot make it fail. What is counted is
//! the same in every run, except where a request happens to be read in pieces: that can only add,
//! so such things are counted in several rounds and the least of them holds.
//!
//! The costs stand in the tables beside this file. To write them anew, and see by `git diff` what
//! has changed: `MQ_BLESS=1 cargo test --test costs --test allocations`.
#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

mod meter;
mod operations;
mod passing;
mod redis;
mod scene;
mod sqlite;
#[path = "../support/passing.rs"]
mod support;
mod table;
mod worker;
