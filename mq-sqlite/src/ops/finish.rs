//! Ends claims on jobs; every way out of `running` that a worker has is here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use mq_core::engine::{Finish, Finished};
use mq_core::failpoint::point;
use mq_core::lifecycle::Transition;
use mq_core::{QueueName, WorkerId, mutant};

use crate::error::Result;
use crate::jobs::{self, CANCELLED, DEAD, DONE, Place, RUNNING, Row0};
use crate::tx::{Queue, Tx};

/// Who may act, as far as it was asked in this call.
type Members<'f> = HashMap<(&'f QueueName, WorkerId), Option<Queue>>;

/// See [`Engine::finish`](mq_core::engine::Engine::finish).
pub(crate) fn finish(tx: &mut Tx<'_>, ends: &[Finish]) -> Result<Vec<Finished>> {
    let (mut members, mut released) = (Members::new(), Vec::new());
    let mut answers = Vec::with_capacity(ends.len());
    for end in ends {
        let member = match members.entry((&end.claim.queue, end.claim.worker)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(member(tx, end)?),
        };
        let Some(queue) = member else {
            answers.push(Finished::Fenced);
            continue;
        };
        let held = tx.job(queue, end.id)?.filter(|job| is_held(job, end));
        let Some(job) = held else {
            answers.push(Finished::Already);
            continue;
        };
        apply(tx, queue, end, &job)?;
        point("sqlite.finished");
        if end.transition == Transition::Release {
            released.push((queue.clone(), job));
        }
        answers.push(Finished::Applied);
    }
    // Jobs that are given back together keep their order, so the last one goes first.
    if released.len() > 1 {
        for (queue, job) in released.iter().rev() {
            tx.put(queue, job.pk, job.level, Place::Ready { is_front: true })?;
        }
    }
    Ok(answers)
}

/// The queue of a claim, if its worker may act there.
fn member(tx: &mut Tx<'_>, end: &Finish) -> Result<Option<Queue>> {
    let Some(queue) = tx.queue(&end.claim.queue)? else { return Ok(None) };
    let is_member = tx.member(&queue, end.claim.worker)?.is_some() || mutant::is(2);
    Ok(is_member.then_some(queue))
}

fn is_held(job: &Row0, end: &Finish) -> bool {
    let worker = end.claim.worker.to_text();
    let is_holder = job.number == Some(jobs::number(&end.claim))
        && job.worker.as_ref().is_some_and(|holder| holder.as_bytes() == worker);
    job.state == RUNNING && (is_holder || mutant::is(2))
}

fn apply(tx: &mut Tx<'_>, queue: &Queue, end: &Finish, job: &Row0) -> Result<()> {
    if end.failed {
        tx.tally(queue).failed += 1;
    }
    let kept = |state, at_ms| Place::Kept { state, at_ms: jobs::at(at_ms) };
    let place = match end.transition {
        Transition::Done => {
            tx.tally(queue).done += 1;
            return tx.remove(queue, end.id, job);
        }
        Transition::Cancel { until_ms: None } => return tx.remove(queue, end.id, job),
        Transition::Cancel { until_ms: Some(until_ms) } => kept(CANCELLED, until_ms),
        Transition::Retain { until_ms } => {
            tx.tally(queue).done += 1;
            kept(DONE, until_ms)
        }
        Transition::Retry { at_ms } => Place::Scheduled { at_ms: jobs::at(at_ms), is_retry: true },
        Transition::Schedule { at_ms } => {
            Place::Scheduled { at_ms: jobs::at(at_ms), is_retry: false }
        }
        Transition::Bury => {
            tx.tally(queue).dead += 1;
            kept(DEAD, tx.now())
        }
        _ => Place::Ready { is_front: true },
    };
    if let Some(history) = &end.history {
        tx.put_history(job, history)?;
    }
    // A dead letter has not ended: it may be retried, under the key that it has.
    if matches!(place, Place::Kept { state: DONE | CANCELLED, .. }) {
        tx.end_key(queue, job.key.as_deref(), end.id)?;
    }
    tx.put(queue, job.pk, job.level, place)
}
