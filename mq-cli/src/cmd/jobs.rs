//! `mq jobs`

use mq::State;
use mq::admin::{JobInfo, JobPage, PageCursor};
use serde::Serialize;
use serde_json::Value;

use crate::app::App;
use crate::fail::{Exit, Fail};
use crate::pick::{self, Narrow};
use crate::table::Table;
use crate::{text, when};

/// What of an error fits into a table.
const ERROR_MAX: usize = 60;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(value_parser = pick::state())]
    state: State,
    #[command(flatten)]
    narrow: Narrow,
    /// Look at no more than so many jobs; a filter may leave fewer of them.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Go on where `next` of an earlier answer says, as JSON.
    #[arg(long, value_parser = parse_cursor)]
    cursor: Option<PageCursor>,
}

fn parse_cursor(text: &str) -> Result<PageCursor, String> {
    serde_json::from_str(text).map_err(|_| "give it as `next` of --json has it".to_owned())
}

/// A page without payloads, which can be secret or long: `mq job ID` shows them.
#[derive(Debug, Serialize)]
struct Listed {
    jobs: Vec<Value>,
    scanned: usize,
    next: Option<PageCursor>,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Fail> {
    let filter = args.narrow.filter(args.state);
    let page = app.admin.jobs(&filter, args.cursor.clone(), args.limit.into()).await?;
    let now_ms = app.engine().ping().await?;
    app.show(&listed(&page), || as_text(&page, &args, now_ms))?;
    Ok(Exit::Fine)
}

fn listed(page: &JobPage) -> Listed {
    let without_payload = |job: &JobInfo| {
        let mut value = serde_json::to_value(job).unwrap_or_default();
        if let Value::Object(fields) = &mut value {
            fields.remove("payload");
        }
        value
    };
    let jobs = page.jobs.iter().map(without_payload).collect();
    Listed { jobs, scanned: page.scanned, next: page.next.clone() }
}

fn as_text(page: &JobPage, args: &Args, now_ms: u64) -> String {
    let time = match args.state {
        State::Scheduled => "due",
        State::Dead => "died",
        State::Done | State::Cancelled => "kept until",
        _ => "enqueued",
    };
    let mut table = Table::new(&["id", "queue", "kind", time, ">attempts", "last error"]);
    for job in &page.jobs {
        let at_ms = job.at_ms.filter(|_| time != "enqueued").unwrap_or(job.enqueued_ms);
        let error = job.last_error().map(|error| text::shorten(error, ERROR_MAX));
        table.row([
            job.id.to_string(),
            job.queue.to_string(),
            job.kind.clone(),
            when::relative(now_ms, at_ms),
            job.attempts.to_string(),
            error.unwrap_or_default(),
        ]);
    }
    let mut shown = table.or("no job here matches\n");
    if let Some(next) = &page.next {
        shown.push_str(&format!("\nthere is more: {}", next_command(args, next)));
    }
    shown
}

/// What to type for the next page.
fn next_command(args: &Args, next: &PageCursor) -> String {
    let mut command = format!("mq jobs {} --limit {}", args.state, args.limit);
    for (option, value) in args.narrow.options() {
        command.push_str(&format!(" {option} {}", text::quoted(value)));
    }
    let cursor = serde_json::to_string(next).unwrap_or_default();
    command.push_str(&format!(" --cursor {}", text::quoted(&cursor)));
    command
}
