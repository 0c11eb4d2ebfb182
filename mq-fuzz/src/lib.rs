//! Hostile input: what mq reads from stores, servers, files, people and other programs, and what
//! must hold for every byte of it.
//!
//! * `target`: one file per sort of input, each a function of bytes that panics when a promise is
//!   broken. Nothing in it knows who drives it.
//! * `input`: bytes read as choices, so that mutated bytes become valid things with odd parts.
//! * `mutate`, `pool`: from inputs that are known to new ones.
//! * `run`: one input with its panics; `driver`: many of them; `watch`: one that does not end.
//! * `coverage`: which edges an input reached, if the compiler was asked to count them.

pub mod coverage;
pub mod driver;
pub mod input;
pub mod mutate;
pub mod pool;
pub mod promise;
pub mod run;
pub mod target;
pub mod watch;
