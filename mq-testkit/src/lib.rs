//! What the tests of mq stand on: throw-away servers ([`RedisServer`]), a network that misbehaves
//! on command ([`Proxy`]), and a record of what happened that outlives the processes in it
//! ([`Ledger`], [`Account`]).

mod ledger;
mod proxy;
mod redis_server;

pub use ledger::{Account, Entry, Event, Ledger, Life};
pub use proxy::{Direction, Flow, Proxy};
pub use redis_server::{RedisServer, shared_url, unique_prefix};
