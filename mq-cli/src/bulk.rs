//! Verbs on jobs: show the plan, ask, act batch by batch, sum up.

use std::collections::BTreeSet;

use mq::engine::{Act, BATCH_MAX, Pace};
use mq::{JobId, QueueName};
use serde::Serialize;

use crate::app::App;
use crate::fail::{Exit, Fail};
use crate::out::{self, Progress};
use crate::plan::Plan;
use crate::table::Table;
use crate::text;

/// What is to be done.
#[derive(Debug, Clone)]
pub(crate) enum Verb {
    Retry { per_second: Option<u32> },
    RunNow,
    Delete,
    Cancel,
    Discard,
    Transfer { to: QueueName },
}

impl Verb {
    fn word(&self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::RunNow => "run-now",
            Self::Delete => "delete",
            Self::Cancel => "cancel",
            Self::Discard => "discard",
            Self::Transfer { .. } => "transfer",
        }
    }

    /// Whether it ends jobs. What the others do can be done back, to a job that was named.
    fn destroys(&self) -> bool {
        matches!(self, Self::Delete | Self::Cancel)
    }

    /// `before` jobs of the same command came earlier, which matters for a rate.
    async fn act(
        &self,
        app: &App,
        queue: &QueueName,
        ids: &[JobId],
        before: usize,
    ) -> Result<Vec<Act>, Fail> {
        let engine = app.engine();
        let acts = match self {
            Self::Retry { per_second: None } => engine.retry(queue, ids, None).await?,
            Self::Retry { per_second: Some(rate) } => {
                engine.retry(queue, ids, Some(Pace::per_second(*rate, before))).await?
            }
            Self::RunNow => engine.run_now(queue, ids).await?,
            Self::Delete => engine.delete(queue, ids).await?,
            Self::Cancel => engine.cancel(queue, ids).await?,
            Self::Discard => engine.discard(queue, ids).await?,
            Self::Transfer { to } if to == queue => vec![Act::Already; ids.len()],
            Self::Transfer { to } => engine.transfer(queue, to, ids).await?,
        };
        Ok(acts)
    }
}

/// The answer for scripts.
#[derive(Debug, Serialize)]
struct Done {
    verb: &'static str,
    /// Jobs that were meant: found by the filter, or named.
    matched: usize,
    applied: usize,
    already: usize,
    requested: usize,
    refused: usize,
    not_found: usize,
    /// Jobs that had left the state by the time it was their turn.
    left_alone: usize,
    /// One by one, if they were named one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<Vec<JobDone>>,
}

#[derive(Debug, Serialize)]
struct JobDone {
    id: JobId,
    queue: Option<QueueName>,
    #[serde(flatten)]
    act: Act,
}

impl Done {
    fn count(&mut self, id: JobId, queue: Option<&QueueName>, act: Act) {
        match act {
            Act::Applied => self.applied += 1,
            Act::Already => self.already += 1,
            Act::Requested => self.requested += 1,
            Act::Refused(_) => self.refused += 1,
            // An answer that this version does not know is certainly not a success.
            _ => self.not_found += 1,
        }
        if let Some(jobs) = &mut self.jobs {
            jobs.push(JobDone { id, queue: queue.cloned(), act });
        }
    }

    /// Jobs that were named must be there; one that matched may have gone meanwhile.
    fn exit(&self) -> Exit {
        Exit::condition(self.refused > 0 || (self.jobs.is_some() && self.not_found > 0))
    }

    fn summary(&self) -> String {
        let parts = [
            (self.applied, "done"),
            (self.already, "already so"),
            (self.requested, "asked of their workers"),
            (self.refused, "refused in their state"),
            (self.not_found, "not found"),
            (self.left_alone, "left alone, their state has changed"),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let parts = if parts.is_empty() { "nothing was changed".into() } else { parts.join(", ") };
        format!("{}: {parts}", self.verb)
    }

    fn text(&self) -> String {
        if self.matched == 0 {
            return format!("{}: no job matches, nothing was changed", self.verb);
        }
        let Some(jobs) = &self.jobs else { return self.summary() };
        let mut table = Table::new(&["id", "queue", "result"]);
        for job in jobs {
            let queue = job.queue.as_ref().map_or("-", QueueName::as_str);
            table.row([job.id.to_string(), queue.to_owned(), act_text(job.act)]);
        }
        format!("{}{}", table.or(""), self.summary())
    }
}

fn act_text(act: Act) -> String {
    match act {
        Act::Applied => "done".to_owned(),
        Act::Already => "already so".to_owned(),
        Act::Requested => "its worker was asked".to_owned(),
        Act::Refused(state) => format!("refused: it is {state}"),
        _ => "not found".to_owned(),
    }
}

/// Does a verb to the jobs of a plan, after asking where that is due.
pub(crate) async fn run(app: &App, plan: Plan, verb: Verb, yes: bool) -> Result<Exit, Fail> {
    let by_name = plan.state.is_none();
    if plan.count() > 0 && (verb.destroys() || !by_name) {
        confirm(&plan, &verb, yes)?;
    }
    let mut done = Done {
        verb: verb.word(),
        matched: plan.count() + plan.missing.len(),
        applied: 0,
        already: 0,
        requested: 0,
        refused: 0,
        not_found: 0,
        left_alone: 0,
        jobs: by_name.then(Vec::new),
    };
    if let Err(fail) = apply(app, &plan, &verb, &mut done).await {
        // Of the batch that failed nobody knows; to do it again does no harm.
        let (known, all) = (done.applied + done.already + done.requested, plan.count());
        let so_far = format!("stopped after {known} of {all} jobs, run it again to go on");
        return Err(fail.after(&so_far));
    }
    plan.missing.iter().for_each(|id| done.count(*id, None, Act::NotFound));
    app.show(&done, || done.text())?;
    Ok(done.exit())
}

/// Shows the plan, and goes on only if somebody wants that.
fn confirm(plan: &Plan, verb: &Verb, yes: bool) -> Result<(), Fail> {
    out::note(&plan.text(verb.word()));
    out::agree(&format!("{} {}?", verb.word(), text::jobs(plan.count())), yes)
}

async fn apply(app: &App, plan: &Plan, verb: &Verb, done: &mut Done) -> Result<(), Fail> {
    let mut progress = Progress::new();
    let (mut seen, mut before) = (0, 0);
    for (queue, ids) in &plan.groups {
        for batch in ids.chunks(BATCH_MAX) {
            let still = still_meant(app, plan, queue, batch).await?;
            done.left_alone += batch.len() - still.len();
            let acts = verb.act(app, queue, &still, before).await?;
            still.iter().zip(acts).for_each(|(id, act)| done.count(*id, Some(queue), act));
            before += still.len();
            seen += batch.len();
            if plan.count() > BATCH_MAX {
                progress.say(&format!("{}: {seen} of {} jobs", verb.word(), plan.count()));
            }
        }
    }
    Ok(())
}

/// Those of a batch that are still in the state that was asked for. Between the plan and somebody's
/// `y` a dead job may have come back to life, and must not be deleted then.
async fn still_meant(
    app: &App,
    plan: &Plan,
    queue: &QueueName,
    batch: &[JobId],
) -> Result<Vec<JobId>, Fail> {
    let Some(state) = plan.state else { return Ok(batch.to_vec()) };
    let jobs = app.engine().get(queue, batch).await?;
    let still: BTreeSet<JobId> =
        jobs.into_iter().flatten().filter(|job| job.state == state).map(|job| job.id).collect();
    Ok(batch.iter().copied().filter(|id| still.contains(id)).collect())
}
