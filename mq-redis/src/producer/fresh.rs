//! Which jobs are surely new to the store.
//!
//! A transaction of plain commands cannot look whether an id is there already, so it is only for
//! ids that nobody can have sent before. Ids are minted in this process in ascending order: one
//! that is above everything sent so far is new, and so is one that was only overtaken by others.
//! All else takes the way that looks first: the repeat of an unanswered request, or a job that
//! has lain about for a while and may have been sent by somebody else.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, PoisonError};

use mq_core::engine::NewJob;
use mq_core::{JobId, clock};

/// So many ids are remembered one by one, at least.
const REMEMBERED: usize = 8_192;
/// Jobs older than this take the careful way.
const AGE_MAX_MS: u64 = 60_000;

/// What this process has sent, to any store: ids are unique across all of them.
static SENT: Mutex<Option<Sent>> = Mutex::new(None);

#[derive(Debug, Default)]
struct Sent {
    /// Everything up to here counts as sent.
    floor: Option<JobId>,
    older: Ids,
    newer: Ids,
}

type Ids = HashSet<JobId, BuildHasherDefault<LowBits>>;

/// Makes a hash of an id's lower half, which is random at its end; the multiplication (Knuth's, by
/// 2^64 divided by the golden ratio) carries that to the top. With the hash of the standard library
/// these sets were a sixth of what the producer does per job.
#[derive(Debug, Default)]
struct LowBits(u64);

impl Hasher for LowBits {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u128(&mut self, id: u128) {
        self.0 = (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// Whether all of these are surely new.
pub(super) fn are(jobs: &[NewJob]) -> bool {
    let mut sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
    sent.get_or_insert_default().lacks(jobs, clock::wall_ms())
}

/// Notes that these are about to be sent.
pub(super) fn note(jobs: &[NewJob]) {
    let mut sent = SENT.lock().unwrap_or_else(PoisonError::into_inner);
    sent.get_or_insert_default().add(jobs);
}

impl Sent {
    fn lacks(&self, jobs: &[NewJob], now_ms: u64) -> bool {
        let ascend = jobs.windows(2).all(|pair| pair[0].id < pair[1].id);
        let is_new = |job: &NewJob| {
            let created_ms = job.id.created_at().timestamp_millis() as u64;
            now_ms.saturating_sub(created_ms) <= AGE_MAX_MS
                && self.floor.is_none_or(|floor| job.id > floor)
                && !self.newer.contains(&job.id)
                && !self.older.contains(&job.id)
        };
        // Not in order may mean twice the same, which is not worth finding out.
        ascend && jobs.iter().all(is_new)
    }

    fn add(&mut self, jobs: &[NewJob]) {
        if self.newer.len() >= REMEMBERED {
            let forgotten = std::mem::replace(&mut self.older, std::mem::take(&mut self.newer));
            self.floor = forgotten.into_iter().max().max(self.floor);
        }
        self.newer.extend(jobs.iter().map(|job| job.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mq_core::engine::Schedule;
    use mq_core::{Priority, QueueName};

    fn job(id: JobId) -> NewJob {
        NewJob {
            queue: QueueName::new("q").unwrap(),
            id,
            record: Vec::new(),
            schedule: Schedule::Now,
            priority: Priority::Normal,
            idempotency_key: None,
        }
    }

    #[test]
    fn an_id_is_new_once_however_late_it_comes_again() {
        let mut sent = Sent::default();
        let ids: Vec<_> = (0..5 * REMEMBERED).map(|_| JobId::new()).collect();
        let now_ms = clock::wall_ms();
        for pair in ids.chunks_exact(2) {
            // Overtaken by its neighbour, and still new.
            for id in [pair[1], pair[0]] {
                assert!(sent.lacks(&[job(id)], now_ms));
                sent.add(&[job(id)]);
            }
        }
        assert!(ids.iter().all(|id| !sent.lacks(&[job(*id)], now_ms)));
        assert!(sent.newer.len() + sent.older.len() <= 2 * REMEMBERED + 2);
    }

    #[test]
    fn old_jobs_and_jobs_given_twice_take_the_careful_way() {
        let sent = Sent::default();
        let new = job(JobId::new());
        let now_ms = clock::wall_ms();
        assert!(sent.lacks(std::slice::from_ref(&new), now_ms));
        assert!(!sent.lacks(&[new.clone(), new.clone()], now_ms));
        assert!(!sent.lacks(&[new], now_ms + 2 * AGE_MAX_MS));
    }
}
