//! What the fault tests share: the job that they run, and the processes that run it.
//!
//! A test is the nemesis and mostly the producer, too; workers are processes of their own
//! (`mq-chaos-worker`), because only a process can be killed with `kill -9` or frozen. Where the
//! producer shall die, it is one as well (`mq-chaos-producer`).

mod deed;
mod deploy;
mod file;
mod fleet;
mod job;
mod power;
pub mod process;
mod producer;
mod scene;
mod shim;
mod store;
mod tier;
mod usage;

pub use deed::Deed;
pub use deploy::{Order1, Order2, Refund, VERSION};
pub use file::{File, Lock};
pub use fleet::{Fleet, Settings, WorkerProcess};
pub use job::{App, Chaos, Noop, QUEUE};
pub use power::{CUT, DELAY, Disk, Left};
pub use producer::{PACE, Producer, WORK, plain};
pub use scene::{Scene, chance, lasts, times};
pub use shim::compile_shim;
pub use store::Store;
pub use tier::Tier;
pub use usage::Usage;
