//! What the loop, the keeper and the tasks of running jobs have in common.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use mq_core::clock::ServerClock;
use mq_core::engine::{About, Holding};
use mq_core::registry::States;
use mq_core::signal::Signal;
use mq_core::telemetry::TARGET_WORKER;
use mq_core::{Client, ErasedMiddleware, JobId, Registry, WorkerId, mutant};

use crate::backlog::Backlog;
use crate::config::Config;
use crate::damage::Damage;
use crate::handlers::Handlers;
use crate::lacking::Lacking;
use crate::members::Members;
use crate::outcomes::Outcomes;
use crate::pull::reconcile::{Mailbox, Named};
use crate::report::Tally;
use crate::running::Running;
use crate::shutdown::Stop;

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) client: Client,
    pub(crate) registry: Registry,
    pub(crate) states: States,
    pub(crate) handlers: Handlers,
    /// Outermost first.
    pub(crate) layers: Vec<Arc<dyn ErasedMiddleware>>,
    pub(crate) clock: ServerClock,
    pub(crate) members: Members,
    pub(crate) running: Running,
    pub(crate) backlog: Backlog,
    pub(crate) outcomes: Outcomes,
    pub(crate) named: Mailbox,
    pub(crate) stop: Stop,
    /// Fires when the worker gives up because handlers keep too many threads.
    pub(crate) blocked: Signal,
    /// Fires when the keeper has given the jobs back in the place of a loop that cannot.
    pub(crate) relieved: Signal,
    pub(crate) tally: Tally,
    pub(crate) lacking: Lacking,
    pub(crate) damage: Damage,
    pub(crate) started_ms: OnceLock<u64>,
}

impl Shared {
    /// What this worker says about itself in the store.
    pub(crate) fn about(&self) -> About {
        let mut about = About::default();
        about.host = host();
        about.pid = std::process::id();
        about.started_ms = *self.started_ms.get_or_init(|| self.clock.now_ms());
        about.concurrency = self.config.concurrency;
        about.version = env!("CARGO_PKG_VERSION").to_owned();
        about.kinds = self.registry.entries().iter().map(|entry| entry.kind().into()).collect();
        about
    }

    /// Cancels the attempts of jobs that operators want stopped, as a beat on their queue told.
    pub(crate) fn cancel(&self, queue: usize, ids: Vec<JobId>, at: Instant) {
        if !ids.is_empty() {
            let ids: HashSet<_> = ids.into_iter().collect();
            self.running.cancel(queue, &ids, at, self.config.timeout_grace);
        }
    }

    /// Tells the loop which claims of an incarnation hold jobs.
    pub(crate) fn name(&self, queue: usize, worker: WorkerId, claims: Vec<Holding>) {
        if !claims.is_empty() && self.members.worker(queue) == Some(worker) {
            self.named.put(Named { queue, worker, claims });
            self.outcomes.ring();
        }
    }

    /// Gives up an incarnation that the store has given up: cancels what runs under it, and makes
    /// the loop join again.
    pub(crate) fn lose(&self, queue: usize, worker: WorkerId) {
        if mutant::is(11) || !self.members.lost(queue, worker) {
            return;
        }
        let name = &self.config.queues[queue].name;
        tracing::error!(
            target: TARGET_WORKER, queue = %name, %worker,
            "the lease was lost, what ran under it is cancelled; the worker joins again"
        );
        self.running.lose(worker, self.config.timeout_grace);
        self.outcomes.ring();
    }
}

/// For people only, so a guess will do.
fn host() -> String {
    let file = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = std::env::var("HOSTNAME").ok().or_else(file).unwrap_or_default();
    name.trim().to_owned()
}
