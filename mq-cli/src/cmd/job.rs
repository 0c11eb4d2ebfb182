//! `mq job`

use mq::admin::{JobInfo, SealInfo};
use mq::seal::Scheme;
use mq::{JobId, State};

use crate::app::App;
use crate::fail::{Exit, Fail};
use crate::pick::{self, priority_word};
use crate::table::Sheet;
use crate::{out, when};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job.
    #[arg(value_name = "ID", value_parser = pick::id)]
    id: JobId,
}

pub(crate) async fn run(app: &App, args: Args) -> Result<Exit, Fail> {
    let job = app.admin.job(args.id).await?;
    let now_ms = app.engine().ping().await?;
    app.show(&job, || job.as_ref().map_or_else(String::new, |job| as_text(job, now_ms)))?;
    if job.is_none() {
        let id = args.id;
        out::note(&format!("mq: there is no job {id}: it ended and was not kept, or never was"));
    }
    Ok(Exit::condition(job.is_none()))
}

fn as_text(job: &JobInfo, now_ms: u64) -> String {
    let mut sheet = Sheet::default();
    sheet.line("id", job.id);
    sheet.line("kind", &job.kind);
    sheet.line("queue", &job.queue);
    sheet.line("state", job.state);
    sheet.maybe(time_name(job.state), job.at_ms.map(|at_ms| when::stamp_from(now_ms, at_ms)));
    sheet.maybe("died of", job.death_reason());
    sheet.maybe("worker", job.worker);
    sheet.maybe("cancel", job.cancel_requested.then_some("requested"));
    sheet.line("enqueued", when::stamp_from(now_ms, job.enqueued_ms));
    sheet.line("priority", priority_word(job.priority));
    let of = job.max_attempts.map_or_else(String::new, |max| format!(" of {max}"));
    let (attempts, lifetime) = (job.attempts, job.lifetime_attempts);
    sheet.line("attempts", format!("{attempts}{of}, {lifetime} in its life"));
    sheet.maybe("interrupted", (job.interruptions > 0).then_some(job.interruptions));
    sheet.maybe("tags", (!job.tags.is_empty()).then(|| job.tags.join(", ")));
    sheet.maybe("key", job.idempotency_key.as_ref());
    sheet.maybe("damage", job.damage.as_ref());
    for error in &job.errors {
        let at = when::stamp_from(now_ms, error.at_ms);
        sheet.line("error", format!("attempt {}, {at}: {}", error.attempt, error.error));
    }
    sheet.maybe("seal", job.seal.as_ref().map(seal_text));
    match &job.seal {
        Some(SealInfo { scheme: Scheme::Encrypted, problem: Some(_), .. }) => {
            sheet.line("payload", "cannot be shown, see `seal`");
        }
        _ => sheet.line("payload", job.payload_text()),
    }
    sheet.text()
}

fn seal_text(seal: &SealInfo) -> String {
    let text = format!("{} with the key `{}`", seal.scheme, seal.key);
    seal.problem.as_ref().map_or_else(|| text.clone(), |problem| format!("{text}: {problem}"))
}

fn time_name(state: State) -> &'static str {
    match state {
        State::Scheduled => "due",
        State::Dead => "died",
        _ => "kept until",
    }
}
