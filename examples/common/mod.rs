//! What the examples share: a place for their jobs, and a way to know that they are done.
#![allow(dead_code, reason = "each example compiles this file and uses what it needs")]

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use mq::Client;
use mq_testkit::RedisServer;

/// Where an example keeps its jobs.
pub(crate) struct Store {
    url: String,
    /// Ends with the example.
    _server: Option<RedisServer>,
}

impl Store {
    /// The server named by `--url redis://…`, or without it one that is started for this run on a
    /// free port of 127.0.0.1 and thrown away after.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let mut args = std::env::args().skip_while(|arg| arg != "--url").skip(1);
        if std::env::args().any(|arg| arg == "--url") {
            let url = args.next().context("write `--url redis://127.0.0.1:6379`")?;
            return Ok(Self::at(&url));
        }
        Self::throw_away()
    }

    /// A server that is there.
    pub(crate) fn at(url: &str) -> Self {
        Self { url: url.to_owned(), _server: None }
    }

    /// A server of one's own.
    pub(crate) fn throw_away() -> anyhow::Result<Self> {
        let version = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
        if !version.is_ok_and(|status| status.success()) {
            bail!(
                "the examples start a redis-server of their own and there is none in the path: \
                 type `./ci setup` to install it, or name a server with `--url redis://…`"
            );
        }
        let server = RedisServer::start();
        Ok(Self { url: server.url(), _server: Some(server) })
    }

    /// What to hand to [`Client::connect`].
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// Waits until nothing waits or runs in a queue: every job in it is done, dead or cancelled.
///
/// Only an example ends because its work is done; a service runs until it is told to stop.
pub(crate) async fn all_done(mq: &Client, queue: &str) {
    loop {
        // A server that is away for a moment is no reason to stop waiting.
        if mq.admin().queue(queue).await.is_ok_and(|info| info.stats.open() == 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
