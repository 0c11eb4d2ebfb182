//! What holds when somebody means harm: the lines of docs/security.md that no other test shows.
#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

mod bounds;
mod files;
mod input;
mod keys;
mod kit;
#[path = "../support/log.rs"]
mod log;
mod panics;
mod privacy;
mod sources;
