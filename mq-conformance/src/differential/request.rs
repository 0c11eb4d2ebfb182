//! One request as an engine gets it, and its reply in a form that can be compared.

use std::sync::Arc;
use std::time::Duration;

use mq_core::engine::{
    About, Beat, BeatReply, ClaimRequest, Claimed, Engine, EngineError, Finish, ListRequest,
    NewJob, Pace, PruneLimits, ReapReply, ReapRequest,
};
use mq_core::{JobId, QueueName, State, WorkerId};

use super::observe::{Look, job_line, observe};
use crate::kit::DEADLINE;

/// No prune needs more calls than this in a sequence.
const PRUNES_MAX: usize = 200;

/// What an engine is asked.
#[derive(Debug, Clone)]
pub enum Request {
    Enqueue(Vec<NewJob>),
    Join { queue: QueueName, worker: WorkerId, lease: Duration, about: About },
    Leave { queue: QueueName, worker: WorkerId },
    Claim(ClaimRequest),
    Finish(Vec<Finish>),
    Extend(Vec<Beat>),
    Promote { queue: QueueName, limit: usize },
    Reap(ReapRequest),
    Prune { queue: QueueName, limits: PruneLimits },
    PruneAll { queue: QueueName, limits: PruneLimits },
    Retry { queue: QueueName, ids: Vec<JobId>, pace: Option<Pace> },
    RunNow { queue: QueueName, ids: Vec<JobId> },
    Delete { queue: QueueName, ids: Vec<JobId> },
    Cancel { queue: QueueName, ids: Vec<JobId> },
    Transfer { queue: QueueName, to: QueueName, ids: Vec<JobId> },
    Pause(QueueName),
    Resume(QueueName),
    List { queue: QueueName, state: State, limit: usize },
    Get { queue: QueueName, ids: Vec<JobId> },
    Audit { queue: QueueName, repair: bool },
    Look(Vec<QueueName>),
}

/// What an engine said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// What is compared.
    pub lines: Vec<String>,
    /// Jobs that somebody holds now.
    pub claimed: Vec<Claimed>,
}

impl Request {
    /// Whether it may change something.
    pub fn is_change(&self) -> bool {
        !matches!(self, Self::List { .. } | Self::Get { .. } | Self::Look(_))
    }

    /// Asks an engine.
    pub async fn ask(&self, engine: &Arc<dyn Engine>) -> Reply {
        match self.try_ask(engine).await {
            Ok(reply) => reply,
            // The class is the contract's, the words are the engine's own.
            Err(error) => Reply::of([format!("error: {:?}", error.kind())]),
        }
    }

    async fn try_ask(&self, engine: &Arc<dyn Engine>) -> Result<Reply, EngineError> {
        Ok(match self {
            Self::Enqueue(jobs) => lines(engine.enqueue(jobs.clone(), DEADLINE).await?),
            Self::Join { queue, worker, lease, about } => {
                lines([engine.join(queue, *worker, *lease, about).await?])
            }
            Self::Leave { queue, worker } => lines([engine.leave(queue, *worker).await?]),
            Self::Claim(request) => {
                let reply = engine.claim(request.clone()).await?;
                let mut all = lines(reply.finished).lines;
                all.extend(lines(reply.queues).lines);
                all.push(format!("now {}", reply.now_ms));
                with_jobs(all, reply.jobs)
            }
            Self::Finish(ends) => lines(engine.finish(ends.clone()).await?),
            Self::Extend(beats) => lines(engine.extend(beats.clone()).await?.into_iter().map(news)),
            Self::Promote { queue, limit } => lines([engine.promote(queue, *limit).await?]),
            Self::Reap(request) => reaped(engine.reap(request.clone()).await?),
            Self::Prune { queue, limits } => {
                engine.prune(queue, *limits).await?;
                // How many entries an engine keeps beside jobs is its own affair, so neither the
                // count nor whether more of them are left says anything about another engine. What
                // must be the same is seen: the jobs, and that nothing is left in the end.
                Reply::default()
            }
            Self::PruneAll { queue, limits } => prune_all(engine, queue, *limits).await?,
            Self::Retry { queue, ids, pace } => lines(engine.retry(queue, ids, *pace).await?),
            Self::RunNow { queue, ids } => lines(engine.run_now(queue, ids).await?),
            Self::Delete { queue, ids } => lines(engine.delete(queue, ids).await?),
            Self::Cancel { queue, ids } => lines(engine.cancel(queue, ids).await?),
            Self::Transfer { queue, to, ids } => lines(engine.transfer(queue, to, ids).await?),
            Self::Pause(queue) => lines([engine.pause(queue).await?]),
            Self::Resume(queue) => lines([engine.resume(queue).await?]),
            Self::List { queue, state, limit } => pages(engine, queue, *state, *limit).await?,
            Self::Get { queue, ids } => {
                let jobs = engine.get(queue, ids).await?;
                Reply::of(jobs.iter().map(|job| job.as_ref().map_or("none".into(), job_line)))
            }
            Self::Audit { queue, repair } => lines([engine.audit(queue, *repair).await?]),
            Self::Look(queues) => Reply::of(observe(engine, queues, Look::Thorough).await?.lines()),
        })
    }
}

impl Reply {
    fn of(lines: impl IntoIterator<Item = String>) -> Self {
        Self { lines: lines.into_iter().collect(), claimed: Vec::new() }
    }
}

fn lines<T: std::fmt::Debug>(items: impl IntoIterator<Item = T>) -> Reply {
    Reply::of(items.into_iter().map(|item| format!("{item:?}")))
}

fn with_jobs(mut lines: Vec<String>, jobs: Vec<Claimed>) -> Reply {
    lines.extend(jobs.iter().map(|job| {
        let history = job.history.as_deref().map(String::from_utf8_lossy);
        let record = job.record.escape_ascii();
        format!("holds {} by {} record {record} history {history:?}", job.id, job.claim)
    }));
    Reply { lines, claimed: jobs }
}

/// Lists of what is to be cancelled and of claims have no order: they are sets of news.
fn news(reply: BeatReply) -> BeatReply {
    match reply {
        BeatReply::Extended { mut cancels, mut claims, now_ms } => {
            cancels.sort();
            claims.sort();
            BeatReply::Extended { cancels, claims, now_ms }
        }
        other => other,
    }
}

/// Neither have the workers that were found gone an order.
fn reaped(mut reply: ReapReply) -> Reply {
    reply.workers.sort();
    let mut all = lines(&reply.workers).lines;
    all.push(format!("more {} lost {} now {}", reply.more, reply.lost, reply.now_ms));
    with_jobs(all, reply.jobs)
}

async fn prune_all(
    engine: &Arc<dyn Engine>,
    queue: &QueueName,
    limits: PruneLimits,
) -> Result<Reply, EngineError> {
    for _ in 0..PRUNES_MAX {
        if !engine.prune(queue, limits).await?.more {
            return Ok(Reply::default());
        }
    }
    Ok(Reply::of([format!("not finished after {PRUNES_MAX} calls")]))
}

/// Page by page; what a cursor looks like is the engine's own affair.
async fn pages(
    engine: &Arc<dyn Engine>,
    queue: &QueueName,
    state: State,
    limit: usize,
) -> Result<Reply, EngineError> {
    let (mut cursor, mut all) = (None, Vec::new());
    loop {
        let request = ListRequest { queue: queue.clone(), state, cursor, limit };
        let page = engine.list(request).await?;
        // Running jobs come in no order that is promised, so only the sizes of pages are compared.
        if state == State::Running {
            all.push(format!("{} jobs", page.jobs.len()));
        } else {
            all.extend(page.jobs.iter().map(job_line));
        }
        all.push("end of page".to_owned());
        cursor = page.next;
        if cursor.is_none() || page.jobs.is_empty() {
            all.push(format!("more {}", cursor.is_some()));
            return Ok(Reply::of(all));
        }
    }
}
