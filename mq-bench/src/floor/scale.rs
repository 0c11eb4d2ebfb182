//! Work in bare threads: what the cores can do when nothing else is to be done.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::child::{Role, Wire};
use crate::fail::Fail;
use crate::runtime::{self, Threads};
use crate::scenario::scale::burn;
use crate::usage::Stopwatch;

/// Says what it spent.
pub(crate) const BURN: Role = Role { name: "scale-floor-burn", run: work };

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) jobs: u64,
    pub(crate) rounds: u64,
    pub(crate) threads: usize,
}

fn work(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::One, async {
        wire.ready().await?;
        let stopwatch = Stopwatch::start()?;
        let next = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..order.threads {
                scope.spawn(|| {
                    while next.fetch_add(1, Ordering::Relaxed) < order.jobs {
                        burn(order.rounds);
                    }
                });
            }
        });
        wire.say(&stopwatch.stop()?)
    })
}
