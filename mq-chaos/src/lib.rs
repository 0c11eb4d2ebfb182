//! What the fault tests share: the job that they run, and the processes that run it.
//!
//! A test is the nemesis and mostly the producer, too; workers are processes of their own
//! (`mq-chaos-worker`), because only a process can be killed with `kill -9` or frozen. Where the
//! producer shall die, it is one as well (`mq-chaos-producer`).

mod account;
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
mod resp;
mod scene;
mod store;
mod tier;
mod verdict;
mod workload;

pub use account::{Account, Life};
pub use everything::{Programs, Size, on_a_file, on_redis};
pub use file::{File, Lock};
pub use fleet::{Fleet, Settings};
pub use fsck::fsck;
pub use job::{App, Chaos, QUEUE};
pub use load::{LEASE, apart, under_load};
pub use power::{CUT, DELAY, Disk, Left};
pub use powered::PoweredServer;
pub use producer::{LOAD, PACE, Producer, WORK};
pub use raw::{Raw, Reply};
pub use resp::{Wire, ask};
pub use scene::{Scene, chance, lasts, times};
pub use store::Store;
pub use tier::Tier;
pub use verdict::REPORTS;
pub use workload::Workload;
