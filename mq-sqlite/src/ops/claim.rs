//! Gives ready jobs to a worker, the first queue's first.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use mq_core::engine::{BATCH_MAX, ClaimReply, ClaimRequest, Claimed, QueueReply};
use mq_core::failpoint::point;
use mq_core::{Claim, mutant};

use super::{finish, promote};
use crate::error::Result;
use crate::jobs;
use crate::sql;
use crate::tx::{Queue, Tx, time};

/// Due jobs that a claim makes ready on its way; the rest is left to the next one.
const PROMOTE_MAX: usize = 200;

/// See [`Engine::claim`](mq_core::engine::Engine::claim).
pub(crate) fn claim(tx: &mut Tx<'_>, request: &ClaimRequest) -> Result<ClaimReply> {
    let finished = finish::finish(tx, &request.finishes)?;
    let mut reply = ClaimReply { finished, now_ms: tx.now(), ..ClaimReply::default() };
    let mut members = Vec::with_capacity(request.queues.len());
    let mut is_repeat = false;
    for asked in &request.queues {
        let member = member(tx, &asked.claim)?;
        // A request that was made before takes nothing new from any queue.
        is_repeat |= member.as_ref().is_some_and(|(_, last)| jobs::number(&asked.claim) <= *last);
        members.push(member.map(|(queue, _)| queue));
    }
    for (asked, queue) in request.queues.iter().zip(members) {
        let Some(queue) = queue else {
            reply.queues.push(QueueReply::Lost);
            continue;
        };
        let left = request.limit.min(BATCH_MAX).saturating_sub(reply.jobs.len());
        let limit = asked.limit.min(left);
        let (jobs, state) = claim_one(tx, &queue, &asked.claim, limit, is_repeat)?;
        reply.jobs.extend(jobs);
        reply.queues.push(state);
    }
    Ok(reply)
}

/// The queue of a claim and the highest number that its worker has used there, if it may act there.
fn member(tx: &mut Tx<'_>, claim: &Claim) -> Result<Option<(Queue, i64)>> {
    let Some(queue) = tx.queue(&claim.queue)? else { return Ok(None) };
    Ok(tx.member(&queue, claim.worker)?.map(|last| (queue, last)))
}

fn claim_one(
    tx: &mut Tx<'_>,
    queue: &Queue,
    claim: &Claim,
    limit: usize,
    is_repeat: bool,
) -> Result<(Vec<Claimed>, QueueReply)> {
    let paused = "SELECT 1 FROM mq_queues WHERE pk = ?1 AND paused_ms IS NOT NULL";
    let is_paused = tx.is_there(paused, [queue.pk])?;
    let jobs = if is_repeat {
        tx.held(queue, claim)?
    } else {
        // Also if nothing is taken: a copy of this request that comes late must find nothing.
        tx.use_number(queue, claim)?;
        if is_paused || limit == 0 { Vec::new() } else { take(tx, queue, claim, limit)? }
    };
    if is_paused {
        return Ok((jobs, QueueReply::Paused));
    }
    if tx.has_ready(queue)? {
        // One worker wakes the next: as many come as there is work for, and no herd.
        tx.wake(queue);
        return Ok((jobs, QueueReply::More));
    }
    let next_due_ms = tx.next_due_ms(queue)?.map(time);
    let is_due = next_due_ms.is_some_and(|due_ms| due_ms <= tx.now());
    Ok((jobs, if is_due { QueueReply::More } else { QueueReply::Empty { next_due_ms } }))
}

fn take(tx: &mut Tx<'_>, queue: &Queue, claim: &Claim, limit: usize) -> Result<Vec<Claimed>> {
    promote::move_due(tx, queue, PROMOTE_MAX)?;
    let asked = (queue.pk, limit as i64);
    let taken = tx.rows(sql!("claim"), asked, |row| jobs::claimed(row, claim))?;
    let (pks, jobs): (Vec<i64>, Vec<Claimed>) = tx.addressable(taken)?.into_iter().unzip();
    tx.hold(claim, &pks)?;
    for pk in pks.iter().filter(|_| mutant::is(1)) {
        tx.execute("DELETE FROM mq_jobs WHERE pk = ?1", [pk])?;
    }
    if !pks.is_empty() {
        point("sqlite.claimed");
    }
    Ok(jobs)
}
