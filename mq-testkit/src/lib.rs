//! What the tests of mq stand on: throw-away servers.

mod redis_server;

pub use redis_server::{RedisServer, shared_url, unique_prefix};
