//! Fills a store with jobs that do nothing: as users of mq do, or by hand for the floors.

use mq::Client;
use serde::{Deserialize, Serialize};

use crate::child::{Child, Role, Wire};
use crate::fail::Fail;
use crate::floor;
use crate::job::Noop;
use crate::runtime::{self, Threads};
use crate::store::{Place, Store};
use crate::usage::Usage;

/// What children can be for all scenarios.
pub(crate) const ROLES: &[Role] = &[FILL];

const FILL: Role = Role { name: "fill", run: play };

/// Whose jobs they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum By {
    Mq,
    Floor,
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    place: Place,
    jobs: u64,
    by: By,
}

/// Puts so many jobs into a store, from a process of its own, in bulk. Returns the server's CPU
/// seconds for it; 0 where there is no server.
pub(crate) fn fill(store: &Store, jobs: u64, by: By) -> Result<f64, Fail> {
    let child = Child::ready(&FILL, &Order { place: store.place().clone(), jobs, by })?;
    let before = store.usage()?;
    child.finish::<Usage>()?;
    Ok(store.cpu_since(before)?.unwrap_or(0.0))
}

fn play(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        match order.by {
            By::Mq => {
                let mq = Client::connect(&order.place.url()).await?;
                wire.ready().await?;
                with_mq(&mq, order.jobs).await?;
            }
            By::Floor => {
                let mut floor = floor::Fill::open(&order.place).await?;
                wire.ready().await?;
                floor.fill(order.jobs).await?;
            }
        }
        wire.say(&Usage::own()?)
    })
}

/// Puts so many jobs into a store, from this process.
pub(crate) async fn with_mq(mq: &Client, jobs: u64) -> Result<(), Fail> {
    mq.enqueue_all((0..jobs).map(|_| Noop::new())).await?;
    Ok(())
}
