//! A worker process.

use std::io::Read as _;
use std::sync::Mutex;
use std::time::Duration;

use mq::{Client, Worker};

use crate::args::WorkerArgs;
use crate::http::Site;
use crate::jobs::{App, LINKS, PAGES};
use crate::results::Results;

/// Short, so that people who watch a worker being killed see its jobs taken over. A service is
/// better off with the default, 15 s.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

pub(crate) async fn run(args: &WorkerArgs) -> anyhow::Result<()> {
    if args.log {
        let level = tracing::Level::WARN;
        tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
    }
    let app = App {
        run: args.run.clone(),
        site: Site::new(args.site.clone()),
        results: Results::open(&args.results)?,
        enqueued: Mutex::default(),
        anchors: Mutex::default(),
    };
    let mq = Client::connect(&args.url).await?;
    Worker::builder(&mq)
        // Pages bring about links: first of all, find work.
        .queue(PAGES, 3)
        .queue(LINKS, 1)
        .concurrency(args.concurrency)
        .lease(LEASE)
        // By default a job whose workers died three times is held to be their killer. Here the
        // killer is known.
        .poison_limit(100)
        .state(app)
        .discover()
        .build()?
        .run_until(parent_is_done())
        .await?;
    Ok(())
}

/// The parent closes the pipe when there is nothing left to do, and so does its death.
async fn parent_is_done() {
    let (done, is_done) = tokio::sync::oneshot::channel();
    // A thread of its own, because a process does not wait for it at its end.
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        let _ = done.send(());
    });
    let _ = is_done.await;
}
