//! `mq move`

use std::time::Duration;

use mq::admin::{MoveProgress, MoveReport, QueueInfo};
use mq::engine::total;
use mq::{Client, QueueName};
use serde::Serialize;

use crate::app::App;
use crate::fail::{Exit, Fail};
use crate::out::{self, Progress};
use crate::table::Table;
use crate::{text, when};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The engine to move to, for example redis://127.0.0.1:6379. The variable is the better place
    /// for a password.
    #[arg(long, value_name = "URL", env = "MQ_TO", hide_env_values = true)]
    to: String,
    /// Only this queue; may be given several times.
    #[arg(long = "queue", value_name = "QUEUE")]
    queues: Vec<QueueName>,
    /// How long to wait, queue by queue, for jobs that run.
    #[arg(long, value_name = "TIME", value_parser = when::parse_delay, default_value = "60s")]
    wait: Duration,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// The answer for scripts.
#[derive(Debug, Serialize)]
struct Moved {
    moved: u64,
    complete: bool,
    #[serde(flatten)]
    report: MoveReport,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Fail> {
    let to = Client::connect(&args.to).await?;
    let planned = plan(app, &args.queues).await?;
    if !planned.is_empty() {
        confirm(&planned, args.yes)?;
    }
    let mut progress = Progress::new();
    let tell = |step: &MoveProgress| {
        progress.say(&format!("move: {}, {} moved, {} to go", step.queue, step.moved, step.left));
    };
    let mut moving = app.admin.move_to(&to).patience(args.wait).progress(tell);
    if !args.queues.is_empty() {
        moving = moving.queues(args.queues.iter().map(QueueName::as_str));
    }
    let report = moving.await?;
    drop(progress);
    let moved = Moved { moved: report.moved(), complete: report.is_complete(), report };
    app.show(&moved, || moved.text())?;
    Ok(Exit::condition(!moved.complete))
}

/// The queues that have jobs to be moved.
async fn plan(app: &App, wanted: &[QueueName]) -> Result<Vec<QueueInfo>, Fail> {
    let mut queues = app.admin.queues().await?;
    if let Some(unknown) = wanted.iter().find(|name| queues.iter().all(|q| q.name != **name)) {
        return Err(Fail::condition(format!("there is no queue `{unknown}`, nothing was changed")));
    }
    queues.retain(|queue| wanted.is_empty() || wanted.contains(&queue.name));
    queues.retain(|queue| queue.stats.all() > 0);
    Ok(queues)
}

/// Shows the plan, and goes on only if somebody wants that.
fn confirm(queues: &[QueueInfo], yes: bool) -> Result<(), Fail> {
    let mut table =
        Table::new(&["queue", ">ready", ">scheduled", ">retrying", ">running", ">dead", ">kept"]);
    let mut count = 0;
    for QueueInfo { name, stats, .. } in queues {
        count = total(&[count, stats.all()]);
        let sizes = [stats.ready, stats.scheduled, stats.retrying, stats.running, stats.dead];
        let sizes = sizes.into_iter().chain([total(&[stats.done, stats.cancelled])]);
        table.row([name.to_string()].into_iter().chain(sizes.map(|size| size.to_string())));
    }
    let jobs = text::jobs(usize::try_from(count).unwrap_or(usize::MAX));
    out::note(&format!("move {jobs} to the other engine\n{}", table.or("").trim_end()));
    out::note("the queues are paused here from then on; stop producers and workers first");
    out::agree(&format!("move {jobs}?"), yes)
}

impl Moved {
    fn text(&self) -> String {
        let mut table = Table::new(&["queue", ">moved", ">running", ">left", "there"]);
        for queue in &self.report.queues {
            let numbers = [queue.moved, queue.running, queue.left].map(|number| number.to_string());
            let there = if queue.is_paused { "paused" } else { "" };
            let cells = [queue.name.to_string()].into_iter().chain(numbers);
            table.row(cells.chain([there.to_owned()]));
        }
        let mut text = table.or("there are no queues, nothing was moved\n");
        if !self.complete {
            text.push_str(
                "some jobs are still here: run this again when those that run have ended and \
                 nothing enqueues here any more\n",
            );
        }
        if self.report.paused().next().is_some() {
            text.push_str(
                "queues that are paused there were paused before, or an earlier move stopped in \
                 the middle: start each, at the other engine, by `mq queue QUEUE resume`\n",
            );
        }
        text
    }
}
