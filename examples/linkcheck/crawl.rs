//! A whole run: site, workers, first job, progress, report.

use std::time::Duration;

use anyhow::ensure;
use mq::admin::{Filter, Verb};
use mq::engine::QueueStats;
use mq::{Client, JobId, State};
use tokio::time::Instant;

use crate::args::{Args, WorkerArgs};
use crate::fleet::Fleet;
use crate::jobs::{self, CheckPage, LINKS, PAGES};
use crate::progress::Progress;
use crate::report::Report;
use crate::results::Scratch;
use crate::{docs, server};

const TICK: Duration = Duration::from_millis(200);

/// Both queues at one time.
#[derive(Debug, Clone)]
pub(crate) struct Stats {
    pub(crate) pages: QueueStats,
    pub(crate) links: QueueStats,
}

impl Stats {
    async fn read(mq: &Client) -> anyhow::Result<Self> {
        let admin = mq.admin();
        // Pages first: when they are done nobody can enqueue links any more, so a count of links
        // that is taken later cannot miss one.
        let pages = admin.queue(PAGES).await?.stats;
        let links = admin.queue(LINKS).await?.stats;
        Ok(Self { pages, links })
    }

    pub(crate) fn sum(&self, count: impl Fn(&QueueStats) -> u64) -> u64 {
        count(&self.pages) + count(&self.links)
    }

    fn open(&self) -> u64 {
        self.sum(|queue| queue.ready + queue.scheduled + queue.retrying + queue.running)
    }
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<Report> {
    let root = docs::tree(args.root.as_deref(), args.limit)?;
    let scratch = Scratch::new()?;
    let file = || format!("sqlite:{}", scratch.file("jobs.db").display());
    let url = args.url.clone().unwrap_or_else(file);
    let mq = Client::connect(&url).await?;
    let limit = args.limit.unwrap_or(usize::MAX);
    let site = server::Site { root, flaky_percent: args.flaky_percent, limit };
    let run = JobId::new().to_string();
    let worker = WorkerArgs {
        url,
        run: run.clone(),
        results: scratch.file("results"),
        concurrency: args.concurrency,
        log: args.log,
        site: server::start(site).await?,
    };
    eprintln!("Site at http://{}, jobs at {}", worker.site, worker.url);
    be_alone(&mq).await?;
    remove_leftovers(&mq).await?;
    let before = Stats::read(&mq).await?;
    let start = Instant::now();
    let first = CheckPage { run: run.clone(), url: "/".into(), from: "the start".into() };
    mq.enqueue(first).idempotency_key(jobs::key(&run, "/")).await?;

    let mut fleet = Fleet::start(worker.clone(), args.workers, args.kill_workers)?;
    let mut progress = Progress::new(before.clone(), start);
    loop {
        tokio::time::sleep(TICK).await;
        fleet.tend().await?;
        let stats = Stats::read(&mq).await?;
        progress.show(&stats, fleet.kills);
        if stats.open() == 0 {
            break;
        }
    }
    progress.end();
    let seconds = start.elapsed().as_secs_f64();
    let kills = fleet.kills;
    fleet.stop().await?;
    let after = Stats::read(&mq).await?;
    let mut report = Report::new(&worker.results, &before, &after)?;
    report.workers = args.workers;
    report.kills = kills;
    report.seconds = seconds;
    report.ask(&mq, &run).await?;
    Ok(report)
}

/// Two runs would take each other's jobs.
async fn be_alone(mq: &Client) -> anyhow::Result<()> {
    let now_ms = mq.admin().queue(PAGES).await?.stats.now_ms;
    for worker in mq.admin().workers().await? {
        ensure!(
            worker.queue.as_str() != PAGES || worker.lease_until_ms < now_ms,
            "another linkcheck is at work on this store, with process {}: wait until it is done, \
             or name another one",
            worker.about.pid
        );
    }
    Ok(())
}

/// What a run that was broken off has left in a store that is kept. Its running jobs end by
/// themselves: the handlers see that they belong to another run.
async fn remove_leftovers(mq: &Client) -> anyhow::Result<()> {
    for queue in [PAGES, LINKS] {
        for state in [State::Ready, State::Scheduled, State::Dead] {
            let filter = Filter::state(state).queue(queue);
            mq.admin().act_on_all(&filter, &Verb::Delete).await?;
        }
    }
    Ok(())
}
