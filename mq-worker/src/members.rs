//! This worker's names on its queues: one incarnation per queue, replaced when its lease was lost.

use std::sync::{Mutex, PoisonError};

use mq_core::{QueueName, WorkerId};

use crate::config::Config;

/// The incarnations, by the place of the queue in the configuration. The loop joins and replaces
/// them, the keeper extends them and says when one is lost.
#[derive(Debug)]
pub(crate) struct Members(Vec<Member>);

#[derive(Debug)]
struct Member {
    queue: QueueName,
    /// None: not joined yet, lost, or left. The keeper extends nothing then.
    worker: Mutex<Option<WorkerId>>,
}

impl Members {
    pub(crate) fn new(config: &Config) -> Self {
        let member = |name: &QueueName| Member { queue: name.clone(), worker: Mutex::new(None) };
        Self(config.queues.iter().map(|queue| member(&queue.name)).collect())
    }

    pub(crate) fn queues(&self) -> impl Iterator<Item = &QueueName> {
        self.0.iter().map(|member| &member.queue)
    }

    /// The place of a queue.
    pub(crate) fn place(&self, queue: &QueueName) -> Option<usize> {
        self.0.iter().position(|member| member.queue == *queue)
    }

    pub(crate) fn worker(&self, queue: usize) -> Option<WorkerId> {
        *self.lock(queue)
    }

    pub(crate) fn joined(&self, queue: usize, worker: WorkerId) {
        *self.lock(queue) = Some(worker);
    }

    /// Forgets an incarnation; false if it has been replaced already.
    pub(crate) fn lost(&self, queue: usize, worker: WorkerId) -> bool {
        self.lock(queue).take_if(|current| *current == worker).is_some()
    }

    fn lock(&self, queue: usize) -> std::sync::MutexGuard<'_, Option<WorkerId>> {
        self.0[queue].worker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
