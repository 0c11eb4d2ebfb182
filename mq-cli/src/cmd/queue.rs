//! `mq queue`

use mq::admin::QueueInfo;

use crate::app::App;
use crate::fail::{Exit, Fail};
use crate::table::Sheet;
use crate::when;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The queue.
    name: String,
    /// What to do with it; nothing shows it.
    action: Option<Action>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Action {
    /// Workers take no more jobs from it; running ones go on, and so does enqueueing.
    Pause,
    /// Workers take jobs from it again.
    Resume,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Fail> {
    match args.action {
        Some(Action::Pause) => app.admin.pause(&args.name).await?,
        Some(Action::Resume) => app.admin.resume(&args.name).await?,
        None => {}
    }
    let queue = app.admin.queue(&args.name).await?;
    app.show(&queue, || as_text(&queue))?;
    Ok(Exit::Fine)
}

fn as_text(queue: &QueueInfo) -> String {
    let stats = &queue.stats;
    let from_now = |at_ms: u64| when::stamp_from(stats.now_ms, at_ms);
    let [high, normal, low] = stats.ready_by_priority;
    let mut sheet = Sheet::default();
    sheet.line("queue", &queue.name);
    sheet.line("paused", stats.paused_since_ms.map_or_else(|| "no".to_owned(), from_now));
    sheet.line("workers", stats.workers);
    sheet.line("ready", format!("{} ({high} high, {normal} normal, {low} low)", stats.ready));
    sheet.maybe("oldest", stats.oldest_ready_ms.map(from_now));
    sheet.line("scheduled", stats.scheduled);
    sheet.line("retrying", stats.retrying);
    sheet.maybe("next due", stats.next_due_ms.map(from_now));
    sheet.line("running", stats.running);
    sheet.line("dead", stats.dead);
    sheet.line("kept", format!("{} done, {} cancelled", stats.done, stats.cancelled));
    let (enqueued, done, failed) =
        (stats.enqueued_last_minute, stats.done_last_minute, stats.failed_last_minute);
    sheet.line("last minute", format!("{enqueued} enqueued, {done} done, {failed} failed"));
    let (enqueued, done, failed) = (stats.enqueued_total, stats.done_total, stats.failed_total);
    let (dead, interrupted) = (stats.dead_total, stats.interrupted_total);
    sheet.line(
        "ever",
        format!(
            "{enqueued} enqueued, {done} done, {failed} failed, {dead} died, \
             {interrupted} interrupted"
        ),
    );
    sheet.text()
}
