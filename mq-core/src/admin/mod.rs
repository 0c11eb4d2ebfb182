//! The operator's side: look at queues, jobs and workers, and act on them.

mod info;
mod mover;
mod moving;
mod reclaim;
mod select;

use serde::Serialize;

pub use self::info::{JobInfo, QueueInfo, SealInfo};
pub use self::moving::{Move, MoveError, MoveProgress, MoveReport, MoveSide, MovedQueue};
pub use self::select::{Filter, JobPage, PageCursor};
use crate::client::Client;
use crate::engine::{
    Act, AuditReport, BATCH_MAX, Engine, EngineError, ListRequest, Pace, Stored, WorkerStats,
};
use crate::id::JobId;
use crate::name::QueueName;

/// What [`Client::admin`] gives: everything a dashboard or an operator does.
///
/// Verbs answer per job with an [`Act`], never with one error for all.
#[derive(Debug, Clone)]
pub struct Admin {
    client: Client,
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
    /// Send to the dead letters.
    Discard,
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

    fn info(&self, stored: Stored) -> JobInfo {
        JobInfo::opened(stored, self.client.sealer())
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
            let jobs = listed.jobs.into_iter().map(|stored| self.info(stored));
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
                return Ok(Some(self.info(stored)));
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

    /// Sends a job that waits to the dead letters: it will not run by itself, but can be looked at
    /// and retried.
    pub async fn discard(&self, id: JobId) -> Result<Act, EngineError> {
        self.one(id, &Verb::Discard).await
    }

    /// Moves a job that waits or is dead to another queue.
    pub async fn transfer(&self, id: JobId, to: &str) -> Result<Act, EngineError> {
        self.one(id, &Verb::Transfer(queue_name(to)?)).await
    }

    /// Does a verb to jobs by id, wherever they are; answers in order.
    pub async fn act(&self, ids: &[JobId], verb: &Verb) -> Result<Vec<Act>, EngineError> {
        let mut acts = vec![Act::NotFound; ids.len()];
        let mut before = 0;
        for queue in self.engine().queues().await? {
            let open: Vec<usize> = (0..ids.len()).filter(|at| acts[*at] == Act::NotFound).collect();
            for chunk in open.chunks(BATCH_MAX) {
                let batch: Vec<JobId> = chunk.iter().map(|at| ids[*at]).collect();
                let answers = self.in_queue(&queue, &batch, verb, before).await?;
                before += answers.iter().filter(|act| **act == Act::Applied).count();
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
                engine.retry(queue, ids, Some(Pace::per_second(*rate, before))).await
            }
            Verb::RunNow => engine.run_now(queue, ids).await,
            Verb::Delete => engine.delete(queue, ids).await,
            Verb::Cancel => engine.cancel(queue, ids).await,
            Verb::Discard => engine.discard(queue, ids).await,
            Verb::Transfer(to) if to == queue => {
                let there = engine.get(queue, ids).await?;
                let act = |job: &Option<_>| job.as_ref().map_or(Act::NotFound, |_| Act::Already);
                Ok(there.iter().map(act).collect())
            }
            Verb::Transfer(to) => engine.transfer(queue, to, ids).await,
        }
    }

    /// Moves all jobs to another store, whatever their state: with their ids, histories, times and
    /// keys, byte for byte. Await the result; options go in between:
    /// `from.admin().move_to(&to).queues(["mail"]).await?`.
    ///
    /// Loses and doubles nothing, also if it stops in the middle; the same move goes on where it
    /// stopped. Stop producers and workers first: jobs that run are waited for, and jobs that
    /// arrive meanwhile are moved as well, but what arrives later stays. At the source the queues
    /// are paused from then on. At the destination they are paused meanwhile, and stay so if they
    /// were paused before, there or, for queues not in use there, at the source.
    ///
    /// Not moved: counters, and the memory of idempotency keys whose jobs have ended.
    pub fn move_to<'a>(&self, to: &Client) -> Move<'a> {
        Move::new(self.client.engine(), to.engine())
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

fn queue_name(name: &str) -> Result<QueueName, EngineError> {
    QueueName::new(name).map_err(|error| {
        EngineError::new(crate::engine::EngineErrorKind::Invalid, error.to_string())
    })
}
