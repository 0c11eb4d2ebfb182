//! What a verb is going to touch, looked up before it touches anything.

use std::collections::{BTreeMap, BTreeSet};

use mq::admin::Filter;
use mq::engine::{BATCH_MAX, Stored};
use mq::{JobId, QueueName, Record, State};

use crate::app::App;
use crate::fail::Fail;
use crate::out::Progress;
use crate::pick::Which;
use crate::text;

/// How many jobs are shown, and how many kinds and queues are told apart.
const SAMPLES_MAX: usize = 3;
const NAMES_MAX: usize = 8;

/// The jobs that are meant, by queue.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) groups: Vec<(QueueName, Vec<JobId>)>,
    /// Ids that no queue knows.
    pub(crate) missing: Vec<JobId>,
    /// The state that they all must still have; none when they were named one by one.
    pub(crate) state: Option<State>,
    states: BTreeMap<State, usize>,
    kinds: BTreeMap<String, usize>,
    samples: Vec<String>,
}

impl Plan {
    pub(crate) async fn make(app: &App, which: &Which) -> Result<Self, Fail> {
        match which.matching() {
            Some((state, filter)) => Self::of_matching(app, state, &filter).await,
            None => Self::of_ids(app, &which.ids).await,
        }
    }

    async fn of_matching(app: &App, state: State, filter: &Filter) -> Result<Self, Fail> {
        let mut plan = Self { state: Some(state), ..Self::default() };
        let mut progress = Progress::new();
        let mut looked_at = 0;
        let mut cursor = None;
        loop {
            let page = app.admin.jobs(filter, cursor, BATCH_MAX).await?;
            looked_at += page.scanned;
            for job in page.jobs {
                plan.add(&job.queue, job.id, job.state, &job.kind);
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
            progress.say(&format!("looked at {looked_at} jobs, {} match", plan.count()));
        }
        Ok(plan)
    }

    /// Jobs by id, whichever queues they are in. An id that is given twice counts once.
    pub(crate) async fn of_ids(app: &App, ids: &[JobId]) -> Result<Self, Fail> {
        let mut plan = Self::default();
        let mut open: BTreeSet<JobId> = ids.iter().copied().collect();
        for queue in app.engine().queues().await? {
            let wanted: Vec<JobId> = open.iter().copied().collect();
            for chunk in wanted.chunks(BATCH_MAX) {
                for job in app.engine().get(&queue, chunk).await?.into_iter().flatten() {
                    open.remove(&job.id);
                    plan.add(&job.queue, job.id, job.state, &kind(&job));
                }
            }
        }
        plan.missing = open.into_iter().collect();
        Ok(plan)
    }

    fn add(&mut self, queue: &QueueName, id: JobId, state: State, kind: &str) {
        match self.groups.last_mut() {
            Some((of, ids)) if of == queue => ids.push(id),
            _ => self.groups.push((queue.clone(), vec![id])),
        }
        *self.states.entry(state).or_default() += 1;
        // Kinds are free text in the store; how many there are is not for us to bound.
        if self.kinds.len() < 1_000 || self.kinds.contains_key(kind) {
            *self.kinds.entry(kind.to_owned()).or_default() += 1;
        }
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(format!("{id}  {state}  {queue}  {kind}"));
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.states.values().sum()
    }

    /// What will be touched, for people.
    pub(crate) fn text(&self, verb: &str) -> String {
        let states = self.states.iter().map(|(state, count)| (state.to_string(), *count));
        let kinds = self.kinds.iter().map(|(kind, count)| (kind.clone(), *count));
        let queues = self.groups.iter().map(|(queue, ids)| (queue.to_string(), ids.len()));
        let mut lines = vec![format!("{verb} {}", text::jobs(self.count()))];
        lines.push(format!("  state  {}", counted(states.collect())));
        lines.push(format!("  kind   {}", counted(kinds.collect())));
        lines.push(format!("  queue  {}", counted(queues.collect())));
        for (at, sample) in self.samples.iter().enumerate() {
            let name = if at == 0 { "sample" } else { "" };
            lines.push(format!("  {name:6} {}", text::escape(sample)));
        }
        lines.join("\n")
    }
}

/// The most frequent first, cut to a line.
fn counted(mut counts: Vec<(String, usize)>) -> String {
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let more = counts.len().saturating_sub(NAMES_MAX);
    let shown = counts.iter().take(NAMES_MAX);
    let mut shown: Vec<String> =
        shown.map(|(name, count)| format!("{} {count}", text::escape(name))).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}

fn kind(job: &Stored) -> String {
    Record::decode(&job.record).map_or_else(|_| String::new(), |record| record.kind.into_owned())
}
