//! The table of running jobs: who runs, until when, and who may say how it ended.
//!
//! A job's end is decided by whoever takes its entry out of the table: its own task when the
//! handler returns, or the supervisor when the handler does not obey a cancellation. The other one
//! comes late and finds nothing, so an attempt has one end and its slot is freed once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mq_core::clock::now;
use mq_core::context::Attempt;
use mq_core::lifecycle::Policy;
use mq_core::{History, JobId, Priority, WorkerId};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::pull::reconcile::Came;

/// A running job: everything that is needed to end it without its handler.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) attempt: Arc<Attempt>,
    pub(crate) card: Card,
    /// When somebody must look at it again: its time limit, or the end of the grace after a
    /// cancellation. None: never.
    pub(crate) alarm: Option<Instant>,
    /// Why it was told to stop, if it was.
    pub(crate) cause: Option<Cause>,
    pub(crate) abort: Option<AbortHandle>,
}

/// What the worker remembers of a job while it runs.
#[derive(Debug)]
pub(crate) struct Card {
    /// The place of its queue.
    pub(crate) queue: usize,
    pub(crate) policy: Policy,
    pub(crate) timeout: Duration,
    /// Boxed, because few jobs have one and every job is moved in and out of the table.
    pub(crate) history: Option<Box<History>>,
    pub(crate) priority: Priority,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) started: Instant,
}

/// Why an attempt was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    TimedOut,
    /// By an operator.
    Cancelled,
    /// Its lease is lost: it belongs to somebody else.
    Lost,
    /// The worker's grace is over.
    Stopping,
}

/// An entry of the table; never used for a second job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    index: usize,
    generation: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Running {
    table: Mutex<Table>,
    /// Rings when an alarm is set that is earlier than all others.
    rearm: Notify,
}

#[derive(Debug, Default)]
struct Table {
    entries: Vec<Entry>,
    vacant: Vec<usize>,
    /// The earliest alarm that the supervisor has been told of.
    alarm: Option<Instant>,
}

#[derive(Debug, Default)]
struct Entry {
    generation: u64,
    held: Option<Held>,
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters jobs that are about to start, all under one lock.
    pub(crate) fn enter(&self, jobs: impl Iterator<Item = Held>, keys: &mut Vec<Key>) {
        let mut table = self.lock();
        let before = table.alarm;
        for held in jobs {
            table.note_alarm(held.alarm);
            keys.push(table.insert(held));
        }
        let earlier = table.alarm != before;
        drop(table);
        if earlier {
            self.rearm.notify_one();
        }
    }

    /// Notes how to abort a job that has been started. It may have ended already; or it was ended
    /// before it began, and need not go on.
    pub(crate) fn started(&self, key: Key, handle: AbortHandle) {
        match self.lock().find(key) {
            Some(held) => held.abort = Some(handle),
            None => handle.abort(),
        }
    }

    /// Takes a job out; none if somebody else was faster.
    pub(crate) fn take(&self, key: Key) -> Option<Held> {
        self.lock().remove(key)
    }

    /// Cancels attempts of the jobs named, on one queue. Their grace begins `at`.
    pub(crate) fn cancel(&self, queue: usize, ids: &HashSet<JobId>, at: Instant, grace: Duration) {
        self.tell(Cause::Cancelled, at, grace, |held| {
            held.card.queue == queue && ids.contains(&held.attempt.id)
        });
    }

    /// Cancels everything that runs under the lease of an incarnation that was lost.
    pub(crate) fn lose(&self, worker: WorkerId, grace: Duration) {
        self.tell(Cause::Lost, now(), grace, |held| held.attempt.claim.worker == worker);
    }

    /// Cancels everything: the grace of the worker is over.
    pub(crate) fn stop(&self, grace: Duration) {
        self.tell(Cause::Stopping, now(), grace, |_| true);
    }

    fn tell(&self, cause: Cause, at: Instant, grace: Duration, concerned: impl Fn(&Held) -> bool) {
        let mut table = self.lock();
        let alarm = at.checked_add(grace);
        for held in table.entries.iter_mut().filter_map(|entry| entry.held.as_mut()) {
            if concerned(held) && held.cause.is_none() {
                held.cause = Some(cause);
                held.alarm = alarm;
                held.attempt.cancelled.fire();
            }
        }
        table.note_alarm(alarm);
        drop(table);
        self.rearm.notify_one();
    }

    /// Looks at all alarms that are due: cancels attempts whose time is up, and takes out those
    /// that have not obeyed a cancellation within `grace`. Returns them, and when to come again.
    pub(crate) fn expire(&self, at: Instant, grace: Duration) -> (Vec<Held>, Option<Instant>) {
        let mut table = self.lock();
        let mut disobedient = Vec::new();
        let mut next: Option<Instant> = None;
        for index in 0..table.entries.len() {
            let entry = &mut table.entries[index];
            let generation = entry.generation;
            let Some(held) = entry.held.as_mut() else { continue };
            if held.alarm.is_some_and(|alarm| alarm <= at) {
                if held.cause.is_some() {
                    disobedient.extend(table.remove(Key { index, generation }));
                    continue;
                }
                held.cause = Some(Cause::TimedOut);
                held.alarm = at.checked_add(grace);
                held.attempt.cancelled.fire();
            }
            next = earliest(next, held.alarm);
        }
        table.alarm = next;
        (disobedient, next)
    }

    /// The jobs in the table.
    pub(crate) fn all(&self) -> HashSet<Came> {
        let table = self.lock();
        let held = table.entries.iter().filter_map(|entry| entry.held.as_ref());
        held.map(|Held { attempt, .. }| (attempt.id, attempt.claim.worker, attempt.claim.number))
            .collect()
    }

    /// Takes everything out.
    pub(crate) fn take_all(&self) -> Vec<Held> {
        let mut table = self.lock();
        let keys: Vec<Key> = table
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.held.is_some())
            .map(|(index, entry)| Key { index, generation: entry.generation })
            .collect();
        keys.into_iter().filter_map(|key| table.remove(key)).collect()
    }

    /// Waits until an alarm is set that is earlier than the supervisor knows. Cancel safe.
    pub(crate) async fn rearmed(&self) {
        self.rearm.notified().await;
    }
}

impl Table {
    fn insert(&mut self, held: Held) -> Key {
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.entries.push(Entry::default());
            self.entries.len() - 1
        });
        let entry = &mut self.entries[index];
        entry.held = Some(held);
        Key { index, generation: entry.generation }
    }

    fn find(&mut self, key: Key) -> Option<&mut Held> {
        let entry = self.entries.get_mut(key.index)?;
        if entry.generation == key.generation { entry.held.as_mut() } else { None }
    }

    fn remove(&mut self, key: Key) -> Option<Held> {
        let entry = self.entries.get_mut(key.index)?;
        if entry.generation != key.generation {
            return None;
        }
        let held = entry.held.take()?;
        entry.generation += 1;
        self.vacant.push(key.index);
        Some(held)
    }

    fn note_alarm(&mut self, alarm: Option<Instant>) {
        self.alarm = earliest(self.alarm, alarm);
    }
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
