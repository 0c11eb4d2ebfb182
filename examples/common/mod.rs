//! What the examples share: where they keep their jobs, and a way to know that they are done.
#![allow(dead_code, reason = "each example compiles this file and uses what it needs")]

use std::time::Duration;

use anyhow::Context as _;
use mq::Client;

/// What to hand to [`Client::connect`]: the store named by `--url URL`, or without it one in
/// memory, which needs nothing and ends with the example. A program that keeps its jobs says
/// `sqlite:jobs.db`, and with several machines `redis://…`; nothing else changes.
pub(crate) fn url() -> anyhow::Result<String> {
    let mut args = std::env::args().skip_while(|arg| arg != "--url");
    match args.next() {
        Some(_) => args.next().context("write `--url sqlite:jobs.db` or `--url redis://…`"),
        None => Ok("sqlite::memory:".to_owned()),
    }
}

/// Waits until nothing waits or runs in a queue: every job in it is done, dead or cancelled.
///
/// Only an example ends because its work is done; a service runs until it is told to stop.
pub(crate) async fn all_done(mq: &Client, queue: &str) {
    loop {
        // A store that is away for a moment is no reason to stop waiting.
        if mq.admin().queue(queue).await.is_ok_and(|info| info.stats.open() == 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
