//! The operator's side: look at queues, jobs and workers, and act on them.

use std::time::Duration;

use serde::Serialize;

use crate::client::Client;
use crate::engine::{
    Act, AuditReport, BATCH_MAX, Cursor, Engine, EngineError, ListRequest, QueueStats, Stored,
    WorkerStats,
};
use crate::history::{AttemptError, Death, History};
use crate::id::{JobId, WorkerId};
use crate::lifecycle::State;
use crate::name::QueueName;
use crate::priority::Priority;
use crate::record::Record;

/// What [`Client::admin`] gives: everything a dashboard or an operator does.
///
/// Verbs answer per job with an [`Act`], never with one error for all.
#[derive(Debug, Clone)]
pub struct Admin {
    client: Client,
}

/// A queue with its sizes and counters.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct QueueInfo {
    /// Its name.
    pub name: QueueName,
    /// Its sizes and counters.
    #[serde(flatten)]
    pub stats: QueueStats,
}

impl QueueInfo {
    /// How long the job at the head has waited, by its producer's and the store's clocks.
    pub fn oldest_age(&self) -> Option<Duration> {
        let since_ms = self.stats.oldest_ready_ms?;
        Some(Duration::from_millis(self.stats.now_ms.saturating_sub(since_ms)))
    }
}

/// Everything known about a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct JobInfo {
    /// The job.
    pub id: JobId,
    /// Its queue.
    pub queue: QueueName,
    /// Where it is.
    pub state: State,
    /// Its kind; empty if the record cannot be read.
    pub kind: String,
    /// Its priority.
    pub priority: Priority,
    /// Its labels.
    pub tags: Vec<String>,
    /// Its idempotency key.
    pub idempotency_key: Option<String>,
    /// When it was enqueued, ms since 1970, by its producer's clock.
    pub enqueued_ms: u64,
    /// When it is due, died, or may be removed, as its state says; ms since 1970.
    pub at_ms: Option<u64>,
    /// Attempts that ended since it was enqueued or last revived.
    pub attempts: u32,
    /// Attempts over its whole life.
    pub lifetime_attempts: u32,
    /// Its own number of attempts, if it differs from its kind's.
    pub max_attempts: Option<u32>,
    /// How often its worker died while running it.
    pub interruptions: usize,
    /// Its errors, oldest first; long histories keep the first and the latest.
    pub errors: Vec<AttemptError>,
    /// Why and when it died.
    pub death: Option<Death>,
    /// Who runs it.
    pub worker: Option<WorkerId>,
    /// Whether somebody asked to cancel it while it runs.
    pub cancel_requested: bool,
    /// The payload's bytes, as enqueued.
    #[serde(serialize_with = "payload_as_text")]
    pub payload: Vec<u8>,
    /// Why the record cannot be read, if it cannot.
    pub damage: Option<String>,
}

fn payload_as_text<S: serde::Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    // As text and not as a value: a detour through a JSON number type would round big integers.
    to.serialize_str(&String::from_utf8_lossy(bytes))
}

impl JobInfo {
    fn new(stored: Stored) -> Self {
        let history = stored.history.as_deref().map(History::decode).unwrap_or_default();
        let (record, damage) = match Record::decode(&stored.record) {
            Ok(record) => (record, None),
            Err(error) => {
                let raw = Record { payload: (&stored.record[..]).into(), ..Record::default() };
                (raw, Some(error.to_string()))
            }
        };
        Self {
            id: stored.id,
            queue: stored.queue,
            state: stored.state,
            priority: record.priority,
            tags: record.tags.iter().map(ToString::to_string).collect(),
            idempotency_key: record.idempotency_key.map(Into::into),
            enqueued_ms: u64::try_from(stored.id.created_at().timestamp_millis()).unwrap_or(0),
            at_ms: stored.at_ms,
            attempts: history.attempts,
            lifetime_attempts: history.lifetime_attempts(),
            max_attempts: record.max_attempts,
            interruptions: history.interruptions.len(),
            errors: history.errors,
            death: history.death,
            worker: stored.worker,
            cancel_requested: stored.cancel_requested,
            kind: record.kind.into_owned(),
            payload: record.payload.into_owned(),
            damage,
        }
    }

    /// The latest error, if any attempt failed.
    pub fn last_error(&self) -> Option<&str> {
        self.errors.last().map(|error| error.error.as_str())
    }

    /// The payload as text, with bytes that are not UTF-8 replaced.
    pub fn payload_text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.payload)
    }
}

/// Which jobs. Everything that is set must hold.
///
/// ```
/// use mq_core::State;
/// use mq_core::admin::Filter;
/// let filter = Filter::state(State::Dead).queue("mail").kind("welcome").error("timed out");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Filter {
    state: State,
    queue: Option<String>,
    kind: Option<String>,
    tag: Option<String>,
    error: Option<String>,
}

impl Filter {
    /// Jobs in a state, in all queues.
    pub fn state(state: State) -> Self {
        Self { state, queue: None, kind: None, tag: None, error: None }
    }

    /// Only of this queue.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Only of this kind.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Only with this tag.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// Only those whose latest error contains this text.
    pub fn error(mut self, text: impl Into<String>) -> Self {
        self.error = Some(text.into());
        self
    }

    fn holds(&self, job: &JobInfo) -> bool {
        self.kind.as_ref().is_none_or(|kind| job.kind == *kind)
            && self.tag.as_ref().is_none_or(|tag| job.tags.contains(tag))
            && self.error.as_ref().is_none_or(|text| {
                job.last_error().is_some_and(|error| error.contains(text.as_str()))
            })
    }
}

/// A page of jobs.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct JobPage {
    /// Those that match.
    pub jobs: Vec<JobInfo>,
    /// How many were looked at for it; a filter can make this many more than match.
    pub scanned: usize,
    /// For [`Admin::jobs`] to go on with; none if this was the last page.
    pub next: Option<PageCursor>,
}

/// A place between two pages. Print it, pass it through a URL, hand it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct PageCursor {
    queue: QueueName,
    within: Option<Cursor>,
}

/// How many jobs a verb was done to, by answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Tally {
    /// It was done.
    pub applied: usize,
    /// They were so already.
    pub already: usize,
    /// Their worker was asked.
    pub requested: usize,
    /// They were in a state that the verb does not apply to.
    pub refused: usize,
    /// They were gone.
    pub not_found: usize,
}

impl Tally {
    fn count(&mut self, act: Act) {
        match act {
            Act::Applied => self.applied += 1,
            Act::Already => self.already += 1,
            Act::Requested => self.requested += 1,
            Act::Refused(_) => self.refused += 1,
            Act::NotFound => self.not_found += 1,
        }
    }

    /// How many jobs there were in all.
    pub fn total(&self) -> usize {
        self.applied + self.already + self.requested + self.refused + self.not_found
    }
}

/// A verb for many jobs at once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verb {
    /// Run again, with all attempts.
    Retry {
        /// At most so many a second; none: all at once.
        per_second: Option<u32>,
    },
    /// Make due now.
    RunNow,
    /// Remove.
    Delete,
    /// Cancel.
    Cancel,
    /// Move to another queue.
    Transfer(QueueName),
}

impl Admin {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    fn engine(&self) -> &dyn Engine {
        &**self.client.engine()
    }

    /// All queues that ever had a job or a worker, with their sizes.
    ///
    /// # Errors
    /// See [`EngineError`]; the same for all methods here.
    pub async fn queues(&self) -> Result<Vec<QueueInfo>, EngineError> {
        let mut infos = Vec::new();
        for name in self.engine().queues().await? {
            let stats = self.engine().stats(&name).await?;
            infos.push(QueueInfo { name, stats });
        }
        Ok(infos)
    }

    /// One queue. A queue that nobody used yet is empty, not an error.
    pub async fn queue(&self, name: &str) -> Result<QueueInfo, EngineError> {
        let name = queue_name(name)?;
        let stats = self.engine().stats(&name).await?;
        Ok(QueueInfo { name, stats })
    }

    /// One page of the jobs that a filter names, queue after queue. Looks at no more than `limit`
    /// jobs per call (at most 1,000), so a page can be short or empty while `next` is set.
    pub async fn jobs(
        &self,
        filter: &Filter,
        cursor: Option<PageCursor>,
        limit: usize,
    ) -> Result<JobPage, EngineError> {
        let queues = match &filter.queue {
            Some(queue) => vec![queue_name(queue)?],
            None => self.engine().queues().await?,
        };
        let from = cursor.as_ref().map(|cursor| cursor.queue.clone());
        let mut within = cursor.and_then(|cursor| cursor.within);
        let mut page = JobPage::default();
        let queues = queues.into_iter().skip_while(|q| from.as_ref().is_some_and(|from| q < from));
        for queue in queues {
            let left = limit.clamp(1, BATCH_MAX) - page.scanned;
            if left == 0 {
                page.next = Some(PageCursor { queue, within: None });
                break;
            }
            if from.as_ref().is_some_and(|from| *from != queue) {
                within = None;
            }
            let request = ListRequest {
                queue: queue.clone(),
                state: filter.state,
                cursor: within.take(),
                limit: left,
            };
            let listed = self.engine().list(request).await?;
            page.scanned += listed.jobs.len();
            let jobs = listed.jobs.into_iter().map(JobInfo::new);
            page.jobs.extend(jobs.filter(|job| filter.holds(job)));
            if let Some(next) = listed.next {
                page.next = Some(PageCursor { queue, within: Some(next) });
                break;
            }
        }
        Ok(page)
    }

    /// Everything known about a job, whichever queue it is in; none if it is gone.
    pub async fn job(&self, id: JobId) -> Result<Option<JobInfo>, EngineError> {
        for queue in self.engine().queues().await? {
            let found = self.engine().get(&queue, &[id]).await?.into_iter().flatten().next();
            if let Some(stored) = found {
                return Ok(Some(JobInfo::new(stored)));
            }
        }
        Ok(None)
    }

    /// Runs a dead, cancelled or scheduled job again, with all its attempts.
    pub async fn retry(&self, id: JobId) -> Result<Act, EngineError> {
        self.one(id, &Verb::Retry { per_second: None }).await
    }

    /// Makes a scheduled job or a retry due now.
    pub async fn run_now(&self, id: JobId) -> Result<Act, EngineError> {
        self.one(id, &Verb::RunNow).await
    }

    /// Removes a job that is not running.
    pub async fn delete(&self, id: JobId) -> Result<Act, EngineError> {
        self.one(id, &Verb::Delete).await
    }

    /// Cancels a job: at once if it waits; if it runs, its worker is told within its next beat
    /// (5 s at defaults) and its handler by [`Context::cancelled`](crate::Context::cancelled).
    pub async fn cancel(&self, id: JobId) -> Result<Act, EngineError> {
        self.one(id, &Verb::Cancel).await
    }

    /// Moves a job that waits or is dead to another queue.
    pub async fn transfer(&self, id: JobId, to: &str) -> Result<Act, EngineError> {
        self.one(id, &Verb::Transfer(queue_name(to)?)).await
    }

    /// Does a verb to jobs by id, wherever they are; answers in order.
    pub async fn act(&self, ids: &[JobId], verb: &Verb) -> Result<Vec<Act>, EngineError> {
        let mut acts = vec![Act::NotFound; ids.len()];
        for queue in self.engine().queues().await? {
            let open: Vec<usize> = (0..ids.len()).filter(|at| acts[*at] == Act::NotFound).collect();
            for chunk in open.chunks(BATCH_MAX) {
                let batch: Vec<JobId> = chunk.iter().map(|at| ids[*at]).collect();
                let answers = self.in_queue(&queue, &batch, verb, 0).await?;
                for (at, act) in chunk.iter().zip(answers) {
                    acts[*at] = act;
                }
            }
        }
        Ok(acts)
    }

    async fn one(&self, id: JobId, verb: &Verb) -> Result<Act, EngineError> {
        Ok(self.act(&[id], verb).await?.pop().unwrap_or(Act::NotFound))
    }

    /// Does a verb to all jobs that match when it starts: those that arrive later are not touched.
    pub async fn act_on_all(&self, filter: &Filter, verb: &Verb) -> Result<Tally, EngineError> {
        let mut matching: Vec<(QueueName, Vec<JobId>)> = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.jobs(filter, cursor, BATCH_MAX).await?;
            for job in page.jobs {
                match matching.last_mut() {
                    Some((queue, ids)) if *queue == job.queue => ids.push(job.id),
                    _ => matching.push((job.queue, vec![job.id])),
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let mut tally = Tally::default();
        let mut before = 0;
        for (queue, ids) in matching {
            for batch in ids.chunks(BATCH_MAX) {
                let acts = self.in_queue(&queue, batch, verb, before).await?;
                before += batch.len();
                acts.into_iter().for_each(|act| tally.count(act));
            }
        }
        Ok(tally)
    }

    /// `before` jobs of the same operation came earlier, which matters for a rate.
    async fn in_queue(
        &self,
        queue: &QueueName,
        ids: &[JobId],
        verb: &Verb,
        before: usize,
    ) -> Result<Vec<Act>, EngineError> {
        let engine = self.engine();
        match verb {
            Verb::Retry { per_second: None } => engine.retry(queue, ids, None).await,
            Verb::Retry { per_second: Some(rate) } => {
                let spread = Duration::from_secs(1) / (*rate).max(1);
                retry_later(engine, queue, ids, spread, before).await
            }
            Verb::RunNow => engine.run_now(queue, ids).await,
            Verb::Delete => engine.delete(queue, ids).await,
            Verb::Cancel => engine.cancel(queue, ids).await,
            Verb::Transfer(to) => engine.transfer(queue, to, ids).await,
        }
    }

    /// Stops workers from taking jobs from a queue; running jobs go on, enqueueing goes on.
    pub async fn pause(&self, queue: &str) -> Result<(), EngineError> {
        self.engine().pause(&queue_name(queue)?).await
    }

    /// Ends a pause.
    pub async fn resume(&self, queue: &str) -> Result<(), EngineError> {
        self.engine().resume(&queue_name(queue)?).await
    }

    /// The workers of all queues, with the jobs that they run. A worker that serves several queues
    /// is listed once for each.
    pub async fn workers(&self) -> Result<Vec<WorkerStats>, EngineError> {
        let mut workers = Vec::new();
        for queue in self.engine().queues().await? {
            let listed = self.engine().workers(&queue).await?;
            workers.extend(listed.into_iter().filter(|worker| !worker.about.housekeeper));
        }
        Ok(workers)
    }

    /// Recomputes every queue from all its structures; with `repair`, mends what disagrees. Never
    /// drops a job.
    pub async fn audit(&self, repair: bool) -> Result<Vec<(QueueName, AuditReport)>, EngineError> {
        let mut reports = Vec::new();
        for queue in self.engine().queues().await? {
            let report = self.engine().audit(&queue, repair).await?;
            reports.push((queue, report));
        }
        Ok(reports)
    }
}

/// Retries at a rate without anybody having to stay and wait: the jobs are scheduled in a row.
async fn retry_later(
    engine: &dyn Engine,
    queue: &QueueName,
    ids: &[JobId],
    spread: Duration,
    before: usize,
) -> Result<Vec<Act>, EngineError> {
    if before == 0 {
        return engine.retry(queue, ids, Some(spread)).await;
    }
    // A later batch must queue up behind the earlier ones; one call takes only one step width, so
    // each job of it is placed alone. Batches hold up to 1,000 jobs, so this is the rare case.
    let mut acts = Vec::with_capacity(ids.len());
    for (at, id) in ids.iter().enumerate() {
        let steps = u32::try_from(before + at).unwrap_or(u32::MAX);
        let delay = spread.saturating_mul(steps);
        acts.extend(engine.retry(queue, &[*id], Some(delay)).await?);
    }
    Ok(acts)
}

fn queue_name(name: &str) -> Result<QueueName, EngineError> {
    QueueName::new(name).map_err(|error| {
        EngineError::new(crate::engine::EngineErrorKind::Invalid, error.to_string())
    })
}
