//! What the fault tests share: the job that they run, and the processes that run it.
//!
//! A test is the nemesis and mostly the producer, too; workers are processes of their own
//! (`mq-chaos-worker`), because only a process can be killed with `kill -9` or frozen. Where the
//! producer shall die, it is one as well (`mq-chaos-producer`).

mod account;
mod deed;
mod deploy;
mod everything;
mod file;
mod fleet;
mod fsck;
mod job;
mod load;
mod power;
mod powered;
pub mod process;
mod producer;
mod raw;
mod scene;
mod shim;
mod store;
mod tier;
mod usage;
mod verdict;
mod workload;

pub use account::{Account, Life};
pub use deed::Deed;
pub use deploy::{Order1, Order2, Refund, VERSION};
pub use everything::{Programs, Size, on_a_file, on_redis};
pub use file::{File, Lock};
pub use fleet::{Fleet, Settings};
pub use fsck::fsck;
pub use job::{App, Chaos, Noop, QUEUE};
pub use load::{LEASE, apart, under_load};
pub use power::{CUT, DELAY, Disk, Left};
pub use powered::PoweredServer;
pub use producer::{LOAD, PACE, Producer, WORK, plain};
pub use raw::{Raw, Reply};
pub use scene::{Scene, chance, lasts, poll, times};
pub use shim::compile_shim;
pub use store::Store;
pub use tier::Tier;
pub use usage::Usage;
pub use verdict::REPORTS;
pub use workload::Workload;
