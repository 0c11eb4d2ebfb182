//! For `mq-fuzz`, behind the feature `fuzzing`: how replies are read, without a server that gives
//! them. Replies come as the bytes that a server would send, so nothing of `redis` is public here
//! either.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use mq_core::QueueName;
use mq_core::engine::{EngineError, EnqueueReply, NewJob};
use redis::Value;

use crate::checks::{self, Health, Report};
use crate::engine::RedisEngine;
use crate::keys::Keys;
use crate::link::{Link, Patience};
use crate::producer;
use crate::time::Time;
use crate::url::Settings;

/// What a server would say, one reply per command, and nothing more when it is used up.
#[derive(Debug, Default)]
pub(crate) struct Replies(Mutex<VecDeque<Value>>);

impl Replies {
    /// The replies to so many commands.
    pub(crate) fn take(&self, count: usize) -> Vec<Value> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (0..count).map(|_| left.pop_front().unwrap_or_default()).collect()
    }
}

/// Replies, read from what would come over the wire up to the first byte that makes no sense.
#[derive(Debug, Clone)]
pub struct Wire(Vec<Value>);

impl Wire {
    /// One after the other.
    pub fn parse(replies: &[&[u8]]) -> Self {
        let parsed = replies.iter().map_while(|reply| redis::parse_redis_value(reply).ok());
        Self(parsed.collect())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    fn link(self) -> Result<Link, EngineError> {
        let settings = Settings::parse("redis://fuzz")?;
        Ok(Link::canned(Arc::new(settings), Replies(Mutex::new(self.0.into()))))
    }
}

/// An engine that hears these replies. `enqueue` and `wait` have connections of their own; for the
/// first see [`enqueued`].
///
/// # Errors
/// Never.
pub fn engine(replies: Wire) -> Result<RedisEngine, EngineError> {
    let link = replies.link()?;
    let health = Arc::new(Health::new(&Report::default(), link.settings()));
    Ok(RedisEngine::new(link, health, Time::default()))
}

/// What callers of `enqueue` hear when the store answers so, to a transaction or to the script.
///
/// # Errors
/// As `enqueue`; nothing if the producer would ask again.
pub fn enqueued(
    jobs: Vec<NewJob>,
    replies: &Wire,
    is_plain: bool,
) -> Option<Result<Vec<EnqueueReply>, EngineError>> {
    producer::heard(jobs, &replies.0, is_plain)
}

/// What is said about a server that answers so: why it is not fit, and the warnings.
///
/// # Errors
/// When it does not let us look.
pub async fn looked_at(replies: Wire) -> Result<Vec<String>, EngineError> {
    let link = replies.link()?;
    let report = checks::look(&link, Patience::Forever).await?;
    let settings = link.settings();
    let mut said = report.warnings(settings);
    said.extend(report.unfit(settings));
    said.push(report.durability().to_string());
    Ok(said)
}

/// All keys of a queue, in a fixed order: first those whose last part is fixed, then those of a
/// worker and of a producer.
pub fn keys(prefix: &str, queue: &QueueName, worker: &[u8], producer: &str) -> Vec<String> {
    let all = Keys::new(prefix);
    let keys = all.queue(queue);
    let mut names = vec![all.queues(), all.transfers(), all.store()];
    names.extend(keys.all_fixed());
    names.extend([0, 1, 2].map(|level| keys.ready(level)));
    names.extend([keys.claims(worker), keys.producer(producer)]);
    names
}

/// How a URL is shown to people.
///
/// # Errors
/// As when connecting with it.
pub fn url(text: &str) -> Result<String, EngineError> {
    Settings::parse(text).map(|settings| format!("{settings} {settings:?}"))
}
