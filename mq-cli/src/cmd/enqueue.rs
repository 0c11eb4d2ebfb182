//! `mq enqueue`

use std::time::Duration;

use mq::engine::{NewJob, Schedule};
use mq::{Durability, JobId, Priority, QueueName, Record, name};
use serde::Serialize;
use serde::de::IgnoredAny;

use crate::app::App;
use crate::fail::{Exit, Fail};
use crate::{out, pick, when};

/// As the library has them.
const TAGS_MAX: usize = 32;
const DEADLINE: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The kind, as the job's type has it in `name`.
    kind: String,
    /// The payload. It is stored as it is typed here.
    #[arg(value_name = "JSON", allow_negative_numbers = true)]
    payload: String,
    /// The queue; the one that the job's type names is known to programs only.
    #[arg(long, default_value = QueueName::DEFAULT)]
    queue: QueueName,
    /// Not before this time has passed: 500ms, 30s, 5m, 2h, 7d.
    #[arg(long, value_parser = when::parse_delay, conflicts_with = "at")]
    delay: Option<Duration>,
    /// Not before this time, such as 2030-01-31T08:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = when::parse_at)]
    at: Option<u64>,
    /// Enqueue it only if no job was enqueued under this key.
    #[arg(long)]
    key: Option<String>,
    /// Its urgency within the queue.
    #[arg(long, value_parser = pick::priority(), default_value = "normal")]
    priority: Priority,
    /// A label; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Receipt {
    id: JobId,
    queue: QueueName,
    duplicate: bool,
    durability: Durability,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Fail> {
    let kind = args.kind.clone();
    let mut job = new_job(args)?;
    app.client.seal(&mut job).map_err(|error| Fail::condition(mq::chain_text(&error)))?;
    let queue = job.queue.clone();
    let reply = app.engine().enqueue(vec![job], DEADLINE).await?.into_iter().next();
    let reply = reply.ok_or_else(|| Fail::condition("the engine did not answer for the job"))?;
    let durability = app.client.durability();
    let receipt = Receipt { id: reply.id, queue, duplicate: reply.duplicate, durability };
    app.show(&receipt, || {
        let what = if receipt.duplicate { "is there already under this key" } else { "enqueued" };
        format!("{} {what} in `{}`, safe in: {durability}", receipt.id, receipt.queue)
    })?;
    warn_if_nobody_runs(app, &receipt.queue, &kind).await;
    Ok(Exit::Fine)
}

fn new_job(args: Args) -> Result<NewJob, Fail> {
    name::check("kind", &args.kind)?;
    args.tags.iter().try_for_each(|tag| name::check("tag", tag))?;
    if let Some(key) = &args.key {
        name::check("idempotency key", key)?;
    }
    if args.tags.len() > TAGS_MAX {
        let count = args.tags.len();
        return Err(Fail::usage(format!("{count} tags are too many: give at most {TAGS_MAX}")));
    }
    serde_json::from_str::<IgnoredAny>(&args.payload).map_err(|error| {
        Fail::usage(format!("the payload is not JSON: {error}; a text needs quotes: '\"text\"'"))
    })?;
    let schedule = match (args.delay, args.at) {
        (Some(delay), _) => Schedule::After(delay),
        (None, Some(at_ms)) => Schedule::At(at_ms),
        (None, None) => Schedule::Now,
    };
    let mut record = Record::new(args.kind, args.payload.into_bytes());
    record.priority = args.priority;
    record.idempotency_key = args.key.clone().map(Into::into);
    record.tags = args.tags.into_iter().map(Into::into).collect();
    Ok(NewJob {
        queue: args.queue,
        id: JobId::new(),
        record: record.encode(),
        schedule,
        priority: args.priority,
        idempotency_key: args.key,
    })
}

/// A mistyped kind or queue is no error, the worker may come later; but it is worth a word.
async fn warn_if_nobody_runs(app: &App, queue: &QueueName, kind: &str) {
    let Ok(workers) = app.engine().workers(queue).await else { return };
    let mut workers = workers.iter().filter(|worker| !worker.about.housekeeper);
    if !workers.any(|worker| worker.about.kinds.iter().any(|known| known == kind)) {
        out::note(&format!("note: no worker on `{queue}` runs jobs of the kind `{kind}` now"));
    }
}
