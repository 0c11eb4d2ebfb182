//! Clients that wait for a list.

use redis::cmd;

use super::redis::{READY, connect};
use crate::child::{Role, Wire};
use crate::fail::Fail;
use crate::runtime::{self, Threads};
use crate::scenario::idle::Order;
use crate::store::Place;

/// The counterpart of mq's workers: same order.
pub(crate) const CLIENTS: Role = Role { name: "idle-floor-clients", run: wait };

fn wait(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    let Place::Redis { url } = order.place else {
        return Err(Fail::new("there is no floor of this kind in a file"));
    };
    runtime::run(Threads::Usual, async {
        for _ in 0..order.workers {
            let mut connection = connect(&url).await?;
            tokio::spawn(async move {
                let mut blocking = cmd("BLPOP");
                blocking.arg(READY).arg(0);
                let _ = blocking.query_async::<Option<Vec<String>>>(&mut connection).await;
            });
        }
        wire.ready().await
    })
}
