//! `mq status`

use std::collections::BTreeSet;

use mq::Durability;
use mq::admin::QueueInfo;
use mq::engine::total;
use serde::Serialize;

use super::queues;
use crate::app::App;
use crate::fail::{Exit, Fail};
use crate::table::Sheet;
use crate::when;

#[derive(Debug, Serialize)]
struct Status {
    now_ms: u64,
    durability: Durability,
    warnings: Vec<String>,
    /// Worker processes; one that serves several queues counts once.
    processes: usize,
    ready: u64,
    scheduled: u64,
    retrying: u64,
    running: u64,
    dead: u64,
    done_last_minute: u64,
    failed_last_minute: u64,
    queues: Vec<QueueInfo>,
}

pub(crate) async fn run(app: &App) -> Result<Exit, Fail> {
    let queues = app.admin.queues().await?;
    let workers = app.admin.workers().await?;
    let processes: BTreeSet<_> =
        workers.iter().map(|worker| (&worker.about.host, worker.about.pid)).collect();
    let sum = |of: fn(&QueueInfo) -> u64| total(&queues.iter().map(of).collect::<Vec<_>>());
    let status = Status {
        now_ms: app.engine().ping().await?,
        durability: app.client.durability(),
        warnings: app.client.warnings(),
        processes: processes.len(),
        ready: sum(|queue| queue.stats.ready),
        scheduled: sum(|queue| queue.stats.scheduled),
        retrying: sum(|queue| queue.stats.retrying),
        running: sum(|queue| queue.stats.running),
        dead: sum(|queue| queue.stats.dead),
        done_last_minute: sum(|queue| queue.stats.done_last_minute),
        failed_last_minute: sum(|queue| queue.stats.failed_last_minute),
        queues,
    };
    app.show(&status, || as_text(&status))?;
    Ok(Exit::Fine)
}

fn as_text(status: &Status) -> String {
    let Status { ready, scheduled, retrying, running, dead, .. } = status;
    let mut sheet = Sheet::default();
    sheet.line("time", when::stamp(status.now_ms));
    sheet.line("a job survives in", status.durability);
    sheet.line("worker processes", status.processes);
    sheet.line(
        "jobs",
        format!(
            "{ready} ready, {scheduled} scheduled, {retrying} retrying, {running} running, \
             {dead} dead"
        ),
    );
    let (done, failed) = (status.done_last_minute, status.failed_last_minute);
    sheet.line("last minute", format!("{done} done, {failed} failed"));
    status.warnings.iter().for_each(|warning| sheet.line("warning", warning));
    format!("{}\n{}", sheet.text(), queues::as_text(&status.queues))
}
