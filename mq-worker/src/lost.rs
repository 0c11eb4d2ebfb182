//! Threads that handlers keep although they were aborted. A future can only be dropped where it
//! waits, so one that never does is left to itself: its job has ended for the store, its slot is
//! free, and its thread is lost until it returns. When there are too many of them, the worker gives
//! up, because a process that is made anew helps and nothing else does.

use std::time::{Duration, Instant};

use mq_core::telemetry::{TARGET_JOB, TARGET_WORKER};
use tokio::task::AbortHandle;

use crate::running::Held;
use crate::shared::Shared;

/// When an aborted task that has not ended must be keeping its thread.
const ABORT_MAX: Duration = Duration::from_secs(1);
/// How much longer it keeps its thread when that counts as lost: one that returns sooner was slow.
const RETURN_MAX: Duration = Duration::from_secs(2);

/// Tasks that were aborted and may not have noticed.
pub(crate) struct Lost {
    /// Threads of the runtime that runs jobs.
    threads: usize,
    watched: Vec<Aborted>,
    kept: Vec<Aborted>,
}

struct Aborted {
    handle: AbortHandle,
    id: String,
    kind: String,
    /// Whether it has a thread of its own.
    is_blocking: bool,
    deadline: Instant,
}

impl Lost {
    pub(crate) fn new(threads: usize) -> Self {
        Self { threads, watched: Vec::new(), kept: Vec::new() }
    }

    /// Aborts the task of an attempt that did not obey, and watches whether that helps.
    pub(crate) fn abort(&mut self, shared: &Shared, held: &Held, at: Instant) {
        let Some(handle) = held.abort.clone() else { return };
        handle.abort();
        let (id, kind) = (held.attempt.id.to_string(), held.attempt.kind.to_string());
        let entry = shared.registry.find(&kind);
        let is_blocking = entry.is_some_and(|entry| entry.options().blocking);
        let deadline = at + ABORT_MAX;
        self.watched.push(Aborted { handle, id, kind, is_blocking, deadline });
    }

    /// When to look again, given when that was last done.
    pub(crate) fn next(&self, at: Instant) -> Option<Instant> {
        let watched = self.watched.iter().map(|task| task.deadline);
        let kept = self.kept.iter().map(|task| task.deadline + RETURN_MAX);
        watched.chain(kept.filter(|next| *next > at)).min()
    }

    /// Finds out who keeps a thread, and gives up when that leaves too few.
    pub(crate) fn look(&mut self, shared: &Shared, at: Instant) {
        self.watched.retain(|task| !task.handle.is_finished());
        self.kept.retain(|task| !task.handle.is_finished());
        for task in self.watched.extract_if(.., |task| task.deadline <= at) {
            shared.tally.abandoned();
            tracing::error!(
                target: TARGET_JOB, id = task.id, kind = task.kind,
                "a handler blocks its thread and cannot be stopped; its slot was freed, its \
                 result will not count, the thread is lost until it returns; mark the job as \
                 blocking and let it look at `is_cancelled`"
            );
            self.kept.push(task);
        }
        let for_good = || self.kept.iter().filter(|task| task.deadline + RETURN_MAX <= at);
        let of_runtime = for_good().filter(|task| !task.is_blocking).count();
        let is_too_much =
            of_runtime >= self.threads || for_good().count() >= shared.config.lost_threads_max;
        if is_too_much && !shared.blocked.is_fired() {
            tracing::error!(
                target: TARGET_WORKER, threads = self.kept.len(),
                "handlers keep too many threads and cannot be stopped: the worker stops and gives \
                 its jobs back; end this process and start another one"
            );
            shared.blocked.fire();
            shared.stop.now();
        }
    }
}
