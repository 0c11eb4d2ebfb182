//! The engine of mq on Redis 7.0 and Valkey 7.2 or newer.
//!
//! What an operation means is said in [`mq_core::engine`]; here is how. Its file in `lua/` does the
//! work inside the server, atomically; the file of the same name in `ops` asks for it.
//!
//! * Where is what: `keys`. How is it asked for: `script`, `reply`.
//! * The way to the server: `url`, `link`; enqueueing `producer`, idle workers `wait`.
//! * Whether the server is fit for jobs: `checks`.

mod checks;
mod driver;
mod engine;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod keys;
mod link;
#[cfg(feature = "mutants")]
mod mutants;
mod ops;
mod producer;
mod reply;
mod script;
mod time;
mod url;
mod wait;

pub use engine::RedisEngine;
