//! One connection, from its set-up to its end.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mq_core::{clock, mutant};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisError, RedisResult, Value};
use tokio::time::timeout;

use crate::script;
use crate::url::Settings;

/// Requests that may wait inside the multiplexer; its own default of 50 makes callers queue twice.
const REQUESTS_QUEUED_MAX: usize = 1024;

/// A connection that has answered at least once.
#[derive(Debug)]
pub(crate) struct Connection {
    multiplexer: MultiplexedConnection,
    identity: Identity,
    opened: Instant,
    /// Since when something is unanswered, as far as is known; none after each reply.
    silent_since: Mutex<Option<Instant>>,
}

/// Who a connection is to the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The server's number for it, if the user may ask.
    pub(crate) id: Option<u64>,
    /// Which run of which server; numbers of another run mean somebody else.
    pub(crate) run_id: Option<String>,
    /// Whether the user may end connections.
    pub(crate) may_kill: bool,
}

/// Why a try brought no reply.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The connection is gone.
    Lost(RedisError),
    /// There was no answer, for long enough to give the connection up.
    Deaf,
    /// There was no answer in the time that the caller had; the connection may be well.
    OutOfTime,
}

impl Connection {
    /// Connects, logs in, gives the connection its name and loads all scripts.
    pub(super) async fn open(settings: &Settings, role: &str) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.connect_timeout))
            // Its own default of 500 ms would cut off a server that is merely busy.
            .set_response_timeout(None)
            .set_pipeline_buffer_size(REQUESTS_QUEUED_MAX);
        let client = Client::open(settings.connection_info()?)?;
        let opening = async {
            let mut multiplexer =
                client.get_multiplexed_async_connection_with_config(&config).await?;
            let identity = set_up(&mut multiplexer, role).await?;
            RedisResult::Ok((multiplexer, identity))
        };
        // The library's own limit does not cover our part of the set-up.
        let limit = settings.connect_timeout + settings.response_timeout;
        let (multiplexer, identity) = timeout(limit, opening).await.map_err(|_| timed_out())??;
        let silent_since = Mutex::new(None);
        Ok(Self { multiplexer, identity, opened: clock::now(), silent_since })
    }

    /// Who this connection is to the server.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Sends commands and waits for their replies, at most `limit` long.
    ///
    /// Not `Pipeline::query_async`: that turns one error reply into an error for all.
    pub(crate) async fn send(
        &self,
        pipeline: &Pipeline,
        limit: Duration,
        deaf_after: Duration,
    ) -> Result<Vec<Value>, Broken> {
        let asked = clock::now();
        self.note_asked(asked);
        let mut multiplexer = self.multiplexer.clone();
        let replies = multiplexer.send_packed_commands(pipeline, 0, pipeline.len());
        let limit = if mutant::is(10) { Duration::MAX } else { limit.min(deaf_after) };
        let outcome = timeout(limit, replies).await;
        match outcome {
            Ok(Ok(values)) => {
                *self.silent_since() = None;
                Ok(values)
            }
            Ok(Err(error)) => Err(Broken::Lost(error)),
            Err(_) if asked.elapsed() >= deaf_after => Err(Broken::Deaf),
            Err(_) => match *self.silent_since() {
                // Callers with little time each find out together that a connection is deaf.
                Some(since) if since.elapsed() >= deaf_after => Err(Broken::Deaf),
                _ => Err(Broken::OutOfTime),
            },
        }
    }

    fn note_asked(&self, now: Instant) {
        self.silent_since().get_or_insert(now);
    }

    fn silent_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.silent_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn set_up(multiplexer: &mut MultiplexedConnection, role: &str) -> RedisResult<Identity> {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("CLIENT").arg("ID");
    pipeline.cmd("INFO").arg("server");
    // Nobody has this number: the answer tells whether the command is permitted.
    pipeline.cmd("CLIENT").arg("KILL").arg("ID").arg(i64::MAX);
    pipeline.cmd("CLIENT").arg("SETNAME").arg(connection_name(role));
    let about_us = pipeline.len();
    for script in script::ALL {
        pipeline.cmd("SCRIPT").arg("LOAD").arg(script.source());
    }
    let count = pipeline.len();
    let mut values = multiplexer.send_packed_commands(&pipeline, 0, count).await?;
    for value in values.drain(about_us..) {
        if let Value::ServerError(error) = value {
            return Err(error.into());
        }
    }
    // A user who may not do these things can still work, if less elegantly.
    let [id, info, kill, ..] = &values[..] else { return Ok(Identity::default()) };
    let id = match id {
        Value::Int(id) => u64::try_from(*id).ok(),
        _ => None,
    };
    let run_id = info_text(info).and_then(|text| info_field(text, "run_id")).map(str::to_owned);
    Ok(Identity { id, run_id, may_kill: matches!(kill, Value::Int(_)) })
}

/// The text of an `INFO` reply.
pub(crate) fn info_text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}

/// The value of one line of an `INFO` reply.
pub(crate) fn info_field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim_end)
}

/// `mq-<role>-<pid>-<n>`, so that `CLIENT LIST` tells what belongs to what.
fn connection_name(role: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("mq-{role}-{}-{number}", std::process::id())
}

fn timed_out() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}
