//! Takes the jobs of workers whose lease has ended over to another one.

use mq_core::engine::{BATCH_MAX, ReapReply, ReapRequest};
use mq_core::{WorkerId, mutant};

use crate::column;
use crate::error::Result;
use crate::jobs;
use crate::sql;
use crate::tx::{Queue, Tx, clocked, span};

/// See [`Engine::reap`](mq_core::engine::Engine::reap).
pub(crate) fn reap(tx: &mut Tx<'_>, request: &ReapRequest) -> Result<ReapReply> {
    let claim = &request.claim;
    let lost = ReapReply { lost: true, now_ms: tx.now(), ..ReapReply::default() };
    let Some(queue) = tx.queue(&claim.queue)? else { return Ok(lost) };
    let Some(last) = tx.member(&queue, claim.worker)? else { return Ok(lost) };
    // A wake-up that got lost is made up for here.
    let paused = "SELECT 1 FROM mq_queues WHERE pk = ?1 AND paused_ms IS NOT NULL";
    if !tx.is_there(paused, [queue.pk])? && tx.has_ready(&queue)? {
        tx.wake(&queue);
    }
    let mut reply = ReapReply { now_ms: tx.now(), ..ReapReply::default() };
    if jobs::number(claim) > last {
        tx.use_number(&queue, claim)?;
        reply.workers = revoke(tx, &queue, request)?;
        take_over(tx, &queue, request)?;
    }
    let left = "SELECT 1 FROM mq_workers WHERE queue = ?1 AND is_revoked = 1";
    reply.more = tx.is_there(left, [queue.pk])?;
    reply.jobs = tx.held(&queue, claim)?;
    Ok(reply)
}

/// Fences workers out whose lease has ended, unless the store itself was away.
fn revoke(tx: &Tx<'_>, queue: &Queue, request: &ReapRequest) -> Result<Vec<WorkerId>> {
    let now_ms = tx.lease_ms;
    let lease_ms = span(request.lease);
    let sql = "SELECT coalesce(swept_ms, ?2), grace_ms FROM mq_queues WHERE pk = ?1";
    let read = |row: &rusqlite::Row<'_>| {
        let swept_ms = column::integer(row, 0)?.unwrap_or(now_ms);
        Ok((swept_ms, column::integer(row, 1)?.unwrap_or(0)))
    };
    let swept = tx.row(sql, (queue.pk, now_ms), read)?;
    let (swept_ms, mut grace_ms): (i64, i64) = swept.unwrap_or((now_ms, 0));
    // A worker beats every third of a lease: in a gap of half a one a lease may have run out
    // although its worker lives.
    if now_ms.saturating_sub(clocked(swept_ms)) > lease_ms / 2 {
        grace_ms = now_ms.saturating_add(lease_ms / 2);
    }
    let swept = (queue.pk, now_ms, grace_ms);
    tx.execute("UPDATE mq_queues SET swept_ms = ?2, grace_ms = ?3 WHERE pk = ?1", swept)?;
    if now_ms < grace_ms {
        return Ok(Vec::new());
    }
    let reaper = request.claim.worker.to_string();
    let ended_ms = if mutant::is(4) { i64::MAX } else { now_ms };
    let revoked = (queue.pk, reaper, ended_ms);
    let revoked = tx.rows(sql!("reap_revoke"), revoked, |row| column::worker(row, 0))?;
    Ok(revoked.into_iter().flatten().collect())
}

/// Gives the jobs of fenced workers to the reaper.
fn take_over(tx: &mut Tx<'_>, queue: &Queue, request: &ReapRequest) -> Result<()> {
    let asked = (queue.pk, request.limit.min(BATCH_MAX) as i64);
    let pks: Vec<i64> = tx.rows(sql!("reap_take"), asked, |row| row.get(0))?;
    tx.hold(&request.claim, &pks)?;
    if !pks.is_empty() {
        tx.tally(queue).interrupted += pks.len() as i64;
    }
    tx.bury_workers(queue)
}
