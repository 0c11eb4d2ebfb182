//! What the verbs on jobs have in common.

use mq_core::engine::Act;
use mq_core::{JobId, QueueName};

use crate::error::Result;
use crate::jobs::{self, Row0};
use crate::tx::{Queue, Tx};

/// A job that a verb is put to.
pub(super) struct Target<'a> {
    pub(super) queue: &'a Queue,
    pub(super) id: JobId,
    pub(super) job: &'a Row0,
    /// Its place among the ids that the verb was given, from 0.
    pub(super) index: usize,
}

/// Puts a verb to jobs, in order; a verb that says nothing does not apply to that state.
pub(super) fn each(
    tx: &mut Tx<'_>,
    name: &QueueName,
    ids: &[JobId],
    mut verb: impl FnMut(&mut Tx<'_>, &Target<'_>) -> Result<Option<Act>>,
) -> Result<Vec<Act>> {
    let Some(queue) = tx.queue(name)? else { return Ok(vec![Act::NotFound; ids.len()]) };
    let mut acts = Vec::with_capacity(ids.len());
    for (index, id) in ids.iter().enumerate() {
        let Some(job) = tx.job(&queue, *id)? else {
            acts.push(Act::NotFound);
            continue;
        };
        let act = verb(tx, &Target { queue: &queue, id: *id, job: &job, index })?;
        acts.push(act.unwrap_or(Act::Refused(jobs::state(job.state))));
    }
    Ok(acts)
}
