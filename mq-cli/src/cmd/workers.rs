//! `mq workers`

use mq::engine::WorkerStats;

use crate::app::App;
use crate::fail::{Exit, Fail};
use crate::table::Table;
use crate::{text, when};

/// What of a worker's kinds fits into a table.
const KINDS_MAX: usize = 40;

pub(crate) async fn run(app: &App) -> Result<Exit, Fail> {
    let workers = app.admin.workers().await?;
    let now_ms = app.engine().ping().await?;
    app.show(&workers, || as_text(&workers, now_ms))?;
    Ok(Exit::Fine)
}

fn as_text(workers: &[WorkerStats], now_ms: u64) -> String {
    let mut table = Table::new(&[
        "worker", "queue", "host", ">pid", ">running", ">of", "up", "lease", "version", "kinds", "",
    ]);
    for worker in workers {
        let about = &worker.about;
        let lease = if worker.lease_until_ms > now_ms { "holds" } else { "ended" };
        table.row([
            worker.worker.to_string(),
            worker.queue.to_string(),
            about.host.clone(),
            about.pid.to_string(),
            worker.running_count.to_string(),
            about.concurrency.to_string(),
            when::span(now_ms.saturating_sub(about.started_ms)),
            lease.to_owned(),
            about.version.clone(),
            text::shorten(&about.kinds.join(", "), KINDS_MAX),
            if about.stopping { "stopping" } else { "" }.to_owned(),
        ]);
    }
    table.or("no worker is registered on any queue")
}
