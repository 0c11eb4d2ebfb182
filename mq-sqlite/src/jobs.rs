//! A job's row: where a job is, and every way from one place to another.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use mq_core::engine::{BATCH_MAX, Claimed};
use mq_core::{Claim, JobId, State, WorkerId};
use rusqlite::Row;

use crate::column;
use crate::error::Result;
use crate::sql;
use crate::tx::{Queue, Tx, ms};

/// How long a key is kept after its job has ended.
const KEY_MS: i64 = 24 * 60 * 60 * 1000;

/// The level of jobs whose own cannot be read.
pub(crate) const NORMAL: i64 = 1;

pub(crate) const READY: i64 = 0;
pub(crate) const SCHEDULED: i64 = 1;
pub(crate) const RUNNING: i64 = 2;
pub(crate) const DONE: i64 = 3;
pub(crate) const DEAD: i64 = 4;
pub(crate) const CANCELLED: i64 = 5;

/// What decides about a job, without its contents.
#[derive(Debug, Clone)]
pub(crate) struct Row0 {
    pub(crate) pk: i64,
    pub(crate) state: i64,
    pub(crate) level: i64,
    pub(crate) worker: Option<String>,
    pub(crate) number: Option<i64>,
    pub(crate) key: Option<String>,
    pub(crate) is_cancel: bool,
}

/// A place that a job is put into. Running is not among them: only claims lead there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Ready { is_front: bool },
    Scheduled { at_ms: i64, is_retry: bool },
    Kept { state: i64, at_ms: i64 },
}

/// The stored number as a state.
pub(crate) fn state(number: i64) -> State {
    match number {
        READY => State::Ready,
        SCHEDULED => State::Scheduled,
        RUNNING => State::Running,
        DONE => State::Done,
        DEAD => State::Dead,
        _ => State::Cancelled,
    }
}

impl Tx<'_> {
    /// A job, if it is there.
    pub(crate) fn job(&self, queue: &Queue, id: JobId) -> Result<Option<Row0>> {
        self.row(sql!("job"), (queue.pk, id.to_string()), |row| {
            Ok(Row0 {
                pk: row.get(0)?,
                state: column::integer(row, 1)?.unwrap_or(CANCELLED),
                level: column::integer(row, 2)?.unwrap_or(NORMAL),
                worker: column::text(row, 3)?,
                number: column::integer(row, 4)?,
                key: column::text(row, 5)?,
                is_cancel: column::integer(row, 6)? == Some(1),
            })
        })
    }

    /// The number that puts a job at the end of its ready list, or at its front.
    pub(crate) fn seq(&self, queue: &Queue, level: i64, is_front: bool) -> Result<i64> {
        let (sql, end) =
            if is_front { (sql!("seq_front"), i64::MIN) } else { (sql!("seq_back"), i64::MAX) };
        // Beyond the last number there is only the last number.
        let seq = self.row(sql, (queue.pk, level), |row| column::integer(row, 0))?.flatten();
        Ok(seq.unwrap_or(end))
    }

    /// Puts a job somewhere else.
    pub(crate) fn put(&mut self, queue: &Queue, pk: i64, level: i64, place: Place) -> Result<()> {
        let (state, at_ms, is_retry, seq) = match place {
            Place::Ready { is_front } => {
                (READY, None, false, Some(self.seq(queue, level, is_front)?))
            }
            Place::Scheduled { at_ms, is_retry } => (SCHEDULED, Some(at_ms), is_retry, None),
            Place::Kept { state, at_ms } => (state, Some(at_ms), false, None),
        };
        self.execute(sql!("put"), (pk, state, at_ms, is_retry, seq))?;
        self.wake(queue);
        Ok(())
    }

    /// Notes that a job has ended, for its key; the first end counts.
    pub(crate) fn end_key(&self, queue: &Queue, key: Option<&str>, id: JobId) -> Result<()> {
        if let Some(key) = key {
            let free_ms = self.now_ms + KEY_MS;
            self.execute(sql!("end_key"), (queue.pk, key, id.to_string(), free_ms))?;
        }
        Ok(())
    }

    /// Gives a job that lives again, or in another queue, its key, unless another job has it.
    pub(crate) fn own_key(&self, queue: &Queue, key: Option<&str>, id: JobId) -> Result<()> {
        if let Some(key) = key {
            let owner = (queue.pk, key, id.to_string(), self.now_ms);
            self.execute(sql!("own_key"), owner)?;
        }
        Ok(())
    }

    /// The stored history of a job, if it has one.
    pub(crate) fn history(&self, job: &Row0) -> Result<Option<Vec<u8>>> {
        let sql = "SELECT history FROM mq_jobs WHERE pk = ?1";
        Ok(self.row(sql, [job.pk], |row| column::bytes(row, 0))?.flatten())
    }

    /// Stores a history in the place of the one that a job has.
    pub(crate) fn put_history(&self, job: &Row0, history: &[u8]) -> Result<()> {
        self.execute("UPDATE mq_jobs SET history = ?2 WHERE pk = ?1", (job.pk, history))?;
        Ok(())
    }

    /// Removes a job.
    pub(crate) fn remove(&self, queue: &Queue, id: JobId, job: &Row0) -> Result<()> {
        self.end_key(queue, job.key.as_deref(), id)?;
        self.execute("DELETE FROM mq_jobs WHERE pk = ?1", [job.pk])?;
        Ok(())
    }

    /// Whether a worker may act; one whose lease ended may, until somebody takes over. The answer
    /// is the highest claim number that it has used.
    pub(crate) fn member(&self, queue: &Queue, worker: WorkerId) -> Result<Option<i64>> {
        let member = (queue.pk, worker.to_string());
        self.row(sql!("member"), member, |row| Ok(column::integer(row, 0)?.unwrap_or(0)))
    }

    /// Notes that a claim number was used.
    pub(crate) fn use_number(&self, queue: &Queue, claim: &Claim) -> Result<()> {
        let used = (queue.pk, claim.worker.to_string(), number(claim));
        self.execute("UPDATE mq_workers SET last = ?3 WHERE queue = ?1 AND worker = ?2", used)?;
        Ok(())
    }

    /// Gives jobs to a claim, in this order.
    pub(crate) fn hold(&self, claim: &Claim, pks: &[i64]) -> Result<()> {
        let worker = claim.worker.to_string();
        for (seq, pk) in pks.iter().enumerate() {
            self.execute(sql!("hold"), (pk, &worker, number(claim), seq as i64))?;
        }
        Ok(())
    }

    /// The jobs that a claim holds.
    pub(crate) fn held(&self, queue: &Queue, claim: &Claim) -> Result<Vec<Claimed>> {
        let params = (queue.pk, claim.worker.to_string(), number(claim));
        let held = self.rows(sql!("held"), params, |row| claimed(row, claim))?;
        Ok(self.addressable(held)?.into_iter().map(|(_, job)| job).collect())
    }

    /// Leaves out the rows whose id is none, which nobody could ever finish, and puts them with the
    /// dead letters: at the front of a list or in a claim they would be in the way for ever. They
    /// keep what they have, and the audit reports them.
    pub(crate) fn addressable<T>(&self, rows: Vec<(i64, Option<T>)>) -> Result<Vec<(i64, T)>> {
        let mut good = Vec::with_capacity(rows.len());
        for (pk, job) in rows {
            match job {
                Some(job) => good.push((pk, job)),
                None => {
                    let place = (pk, DEAD, Some(self.now_ms), false, None::<i64>);
                    self.execute(sql!("put"), place)?;
                }
            }
        }
        Ok(good)
    }

    /// Whether a worker could take a job now.
    pub(crate) fn has_ready(&self, queue: &Queue) -> Result<bool> {
        self.is_there("SELECT 1 FROM mq_jobs WHERE queue = ?1 AND state = 0 LIMIT 1", [queue.pk])
    }

    /// When the next scheduled job or retry is due.
    pub(crate) fn next_due_ms(&self, queue: &Queue) -> Result<Option<i64>> {
        let due = self.row(sql!("next_due"), [queue.pk], |row| column::integer(row, 0))?;
        Ok(due.flatten())
    }

    /// Strikes workers off that are fenced out and hold nothing. They are remembered for a while,
    /// so that a late copy of their `join` does not let them in again.
    pub(crate) fn bury_workers(&self, queue: &Queue) -> Result<()> {
        if self.execute(sql!("bury_workers"), (queue.pk, self.lease_ms))? > 0 {
            self.execute(sql!("forget_workers"), (queue.pk, BATCH_MAX as i64))?;
        }
        Ok(())
    }
}

/// Reads the number of a row, and a job of a claim from the columns after it; none if the id is
/// none.
pub(crate) fn claimed(row: &Row<'_>, claim: &Claim) -> rusqlite::Result<(i64, Option<Claimed>)> {
    let (id, claim) = (column::id(row, 1)?, claim.clone());
    // A record that is no bytes is as malformed as one of the wrong bytes.
    let record = column::bytes(row, 2)?.unwrap_or_default();
    let history = column::bytes(row, 3)?;
    Ok((row.get(0)?, id.map(|id| Claimed { id, claim, record, history })))
}

/// A claim's number as it is stored.
pub(crate) fn number(claim: &Claim) -> i64 {
    i64::try_from(claim.number).unwrap_or(i64::MAX)
}

/// The end of a retention or the time of a retry, as it is stored.
pub(crate) fn at(at_ms: u64) -> i64 {
    ms(at_ms)
}
