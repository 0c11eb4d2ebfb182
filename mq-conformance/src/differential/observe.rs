//! All that can be seen of a store through its engine.

use std::sync::Arc;

use mq_core::engine::{
    AuditReport, Engine, EngineError, FindingKind, ListRequest, QueueStats, Stored, WorkerStats,
};
use mq_core::{QueueName, State};

/// A store as it is seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Observation {
    pub(super) queues: Vec<QueueName>,
    pub(super) of: Vec<QueueSeen>,
}

/// One queue as it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueueSeen {
    pub(super) name: QueueName,
    pub(super) stats: QueueStats,
    /// In the order of [`State::ALL`].
    pub(super) jobs: [Vec<Stored>; 6],
    pub(super) workers: Vec<WorkerStats>,
    pub(super) audit: AuditReport,
}

/// How closely one looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// At everything that says that it is there.
    Usual,
    /// Also into places that say that they are empty, and with an audit; five times as dear.
    Thorough,
}

/// Looks at these queues, and at which others there are.
pub(super) async fn observe(
    engine: &Arc<dyn Engine>,
    names: &[QueueName],
    look: Look,
) -> Result<Observation, EngineError> {
    let mut seen = Observation { queues: engine.queues().await?, of: Vec::new() };
    for name in names {
        seen.of.push(look_at(engine, name, look).await?);
    }
    Ok(seen)
}

async fn look_at(
    engine: &Arc<dyn Engine>,
    name: &QueueName,
    look: Look,
) -> Result<QueueSeen, EngineError> {
    let stats = engine.stats(name).await?;
    let sizes = [
        stats.ready,
        stats.scheduled + stats.retrying,
        stats.running,
        stats.done,
        stats.dead,
        stats.cancelled,
    ];
    let mut sizes = sizes.into_iter();
    let [ready, scheduled, running, done, dead, cancelled] = State::ALL.map(|state| {
        let is_wanted = look == Look::Thorough || sizes.next() != Some(0);
        list(engine, name, state, is_wanted)
    });
    // At once, so that the round trips of an engine overlap.
    let (workers, audit, ready, scheduled, running, done, dead, cancelled) = tokio::try_join!(
        engine.workers(name),
        audit(engine, name, look),
        ready,
        scheduled,
        running,
        done,
        dead,
        cancelled
    )?;
    let mut seen = QueueSeen {
        name: name.clone(),
        stats,
        jobs: [ready, scheduled, running, done, dead, cancelled],
        workers,
        audit,
    };
    // Running jobs are listed in no order that is promised, and so are those of a worker.
    seen.jobs[2].sort_by_key(|job| job.id);
    for worker in &mut seen.workers {
        worker.running.sort();
    }
    Ok(seen)
}

async fn audit(
    engine: &Arc<dyn Engine>,
    name: &QueueName,
    look: Look,
) -> Result<AuditReport, EngineError> {
    match look {
        Look::Usual => Ok(AuditReport::default()),
        Look::Thorough => {
            let mut report = engine.audit(name, false).await?;
            // Sequences wait for a marker and do not claim then, as no worker does.
            report.findings.retain(|finding| finding.kind != FindingKind::Asleep);
            Ok(report)
        }
    }
}

async fn list(
    engine: &Arc<dyn Engine>,
    name: &QueueName,
    state: State,
    is_wanted: bool,
) -> Result<Vec<Stored>, EngineError> {
    let (mut jobs, mut cursor) = (Vec::new(), None);
    if !is_wanted {
        return Ok(jobs);
    }
    loop {
        let request = ListRequest { queue: name.clone(), state, cursor, limit: 1_000 };
        let page = engine.list(request).await?;
        jobs.extend(page.jobs);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(jobs);
        }
    }
}

impl Observation {
    /// The jobs of a queue that are in a state.
    pub(super) fn jobs(&self, name: &QueueName, state: State) -> &[Stored] {
        let seen = self.of.iter().find(|seen| seen.name == *name);
        let at = State::ALL.iter().position(|other| *other == state);
        seen.zip(at).map_or(&[], |(seen, at)| &seen.jobs[at])
    }

    /// In words, a line for each thing, so that what differs is found.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("queues {:?}", self.queues)];
        for queue in &self.of {
            let name = &queue.name;
            let mut add = |line: String| lines.push(format!("{name}: {line}"));
            let stats = serde_json::to_value(&queue.stats).unwrap_or_default();
            for (field, value) in stats.as_object().into_iter().flatten() {
                add(format!("{field} {value}"));
            }
            for worker in &queue.workers {
                add(format!("{worker:?}"));
            }
            for job in queue.jobs.iter().flatten() {
                add(job_line(job));
            }
            add(format!("{:?}", queue.audit));
        }
        lines
    }
}

/// Everything about a job in one line.
pub(super) fn job_line(job: &Stored) -> String {
    let Stored { id, queue, state, record, history, at_ms, worker, cancel_requested } = job;
    let history = history.as_deref().map(String::from_utf8_lossy);
    let record = record.escape_ascii();
    format!(
        "{id} {state} in {queue} at {at_ms:?} worker {worker:?} cancel {cancel_requested} \
         record {record} history {history:?}"
    )
}
