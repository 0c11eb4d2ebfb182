//! `mq queues`

use mq::admin::QueueInfo;

use crate::app::App;
use crate::fail::{Exit, Fail};
use crate::table::Table;
use crate::when;

pub(crate) async fn run(app: &App) -> Result<Exit, Fail> {
    let queues = app.admin.queues().await?;
    app.show(&queues, || as_text(&queues))?;
    Ok(Exit::Fine)
}

/// Also for `mq status`.
pub(super) fn as_text(queues: &[QueueInfo]) -> String {
    let mut table = Table::new(&[
        "queue",
        ">ready",
        ">scheduled",
        ">retrying",
        ">running",
        ">dead",
        ">workers",
        ">oldest",
        "",
    ]);
    for queue in queues {
        let stats = &queue.stats;
        let sizes = [
            stats.ready,
            stats.scheduled,
            stats.retrying,
            stats.running,
            stats.dead,
            stats.workers,
        ];
        let oldest_ms = queue.oldest_age().map(|age| age.as_millis() as u64);
        let oldest = oldest_ms.map_or_else(|| "-".to_owned(), when::span);
        let paused = if stats.paused_since_ms.is_some() { "paused" } else { "" };
        let sizes = sizes.map(|size| size.to_string());
        let cells = [queue.name.to_string()].into_iter().chain(sizes);
        table.row(cells.chain([oldest, paused.to_owned()]));
    }
    table.or("there are no queues yet: a queue begins with its first job or worker\n")
}
