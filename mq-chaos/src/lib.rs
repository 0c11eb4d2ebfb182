//! What the fault tests share: the job that they run, and the processes that run it.
//!
//! A test is the producer and the nemesis; workers are processes of their own
//! (`mq-chaos-worker`), because only a process can be killed with `kill -9` or frozen.

mod fleet;
mod job;
mod scene;

pub use fleet::{Fleet, Settings, WorkerProcess};
pub use job::{App, Chaos, QUEUE};
pub use scene::{Scene, lasts};
