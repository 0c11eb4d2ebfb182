//! Moving all jobs to another store, as when one machine is outgrown: from a file to Redis.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::mover::Mover;
use crate::engine::{Engine, EngineError};
use crate::name::{NameError, QueueName};

/// How long a move waits for running jobs, unless it is told otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// A move about to be made; await it. See [`Admin::move_to`](super::Admin::move_to).
#[must_use = "nothing is moved until this is awaited"]
pub struct Move<'a> {
    from: Arc<dyn Engine>,
    to: Arc<dyn Engine>,
    queues: Option<Vec<String>>,
    patience: Duration,
    tell: Box<dyn FnMut(&MoveProgress) + Send + 'a>,
}

impl<'a> Move<'a> {
    pub(super) fn new(from: &Arc<dyn Engine>, to: &Arc<dyn Engine>) -> Self {
        let (from, to) = (Arc::clone(from), Arc::clone(to));
        Self { from, to, queues: None, patience: PATIENCE, tell: Box::new(|_| {}) }
    }

    /// Only these queues. Default: all that the source has.
    pub fn queues(mut self, queues: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.queues = Some(queues.into_iter().map(Into::into).collect());
        self
    }

    /// How long to go on, queue by queue, for jobs that run or keep arriving. Default: 60 s, in
    /// which the jobs of workers that have died are taken back as well.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Calls this after every step.
    pub fn progress(mut self, tell: impl FnMut(&MoveProgress) + Send + 'a) -> Self {
        self.tell = Box::new(tell);
        self
    }
}

impl<'a> IntoFuture for Move<'a> {
    type Output = Result<MoveReport, MoveError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { from, to, queues, patience, tell } = self;
        Box::pin(async move {
            let names = queues.map(|queues| queues.into_iter().map(QueueName::new).collect());
            let names: Option<Vec<QueueName>> = names.transpose()?;
            Mover::new(&*from, &*to, patience, tell).run(names).await
        })
    }
}

impl fmt::Debug for Move<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Move").field("queues", &self.queues).finish_non_exhaustive()
    }
}

/// How far a move is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MoveProgress {
    /// The queue that is being moved.
    pub queue: QueueName,
    /// Jobs of it that were moved so far.
    pub moved: u64,
    /// Jobs of it that are still to be moved, as counted when it was last looked at.
    pub left: u64,
}

/// What a move did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MoveReport {
    /// By queue, in the order in which they were moved.
    pub queues: Vec<MovedQueue>,
}

/// What a move did to one queue. At the source it is paused from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MovedQueue {
    /// Its name.
    pub name: QueueName,
    /// Jobs that this move has brought to the destination.
    pub moved: u64,
    /// Jobs that are still at the source because they run.
    pub running: u64,
    /// Jobs that are still at the source for another reason: they arrived since, or were resumed.
    pub left: u64,
    /// Whether the queue is paused at the destination.
    pub is_paused: bool,
}

impl MoveReport {
    /// How many jobs were moved.
    pub fn moved(&self) -> u64 {
        self.queues.iter().map(|queue| queue.moved).sum()
    }

    /// Whether nothing was left behind.
    pub fn is_complete(&self) -> bool {
        self.queues.iter().all(|queue| queue.running + queue.left == 0)
    }

    /// The queues that are paused at the destination, to be resumed by whoever knows why they are.
    pub fn paused(&self) -> impl Iterator<Item = &QueueName> {
        self.queues.iter().filter(|queue| queue.is_paused).map(|queue| &queue.name)
    }
}

/// Which store failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveSide {
    /// The one that jobs are moved from.
    Source,
    /// The one that they are moved to.
    Destination,
}

impl fmt::Display for MoveSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Source => "source",
            Self::Destination => "destination",
        })
    }
}

/// Jobs were not moved, or not all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// Both clients lead to one store, where moving would end in deleting. Nothing was changed.
    #[error(
        "source and destination are one store, or one is a copy of the other: name another \
         destination"
    )]
    SameStore,
    /// A queue name that mq does not accept. Nothing was changed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A store failed. No job is lost or doubled, and the same move goes on where this one stopped.
    #[error(
        "the {side} failed after {} jobs were moved: repeat the move, which goes on there; until \
         then leave the queues paused",
        report.moved()
    )]
    Store {
        /// Which one.
        side: MoveSide,
        /// How far it came.
        report: MoveReport,
        /// What happened.
        source: EngineError,
    },
}

impl MoveError {
    /// Whether the same move may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Store { source, .. } if source.is_retryable())
    }
}
