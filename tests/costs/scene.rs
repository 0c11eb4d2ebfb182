//! A real worker on one thread, whose every step can be repeated.
#![allow(dead_code, reason = "each of the two tests uses a part")]

use std::sync::Arc;
use std::time::Duration;

use mq::engine::Engine;
use mq::prelude::*;
use mq::{Client, WorkerHandle};
use tokio::runtime::{Builder, Runtime};

use crate::passing::{Passing, Seen};

/// Everything is counted so often, and the least of it holds.
pub(crate) const ROUNDS: usize = 3;

/// 100 bytes as JSON.
#[derive(Debug, Clone, Serialize, Deserialize, Job)]
#[job(name = "noop", queue = "q")]
pub(crate) struct Noop {
    padding: String,
}

impl Noop {
    pub(crate) fn new() -> Self {
        Self { padding: "x".repeat(86) }
    }
}

impl Handler for Noop {
    type Error = String;

    async fn run(self, _: Context) -> Result<(), String> {
        Ok(())
    }
}

/// A worker that has worked before, and waits.
pub(crate) struct Scene {
    pub(crate) seen: Arc<Seen>,
    store: Arc<dyn Engine>,
    /// Before the runtime, which ends its tasks.
    _worker: WorkerHandle,
    pub(crate) runtime: Runtime,
}

/// Tasks of one thread run in the order in which they were woken, so that a batch of jobs that do
/// nothing has ended before the worker's loop has its next turn: its requests are the same each
/// time, however slow the machine.
pub(crate) fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

impl Scene {
    /// Starts a worker with so many slots. The runtime is that of the engine's connections.
    pub(crate) fn start(runtime: Runtime, store: Arc<dyn Engine>, slots: usize) -> Self {
        let seen = Arc::new(Seen::default());
        let client = Client::with_engine(Arc::new(Passing::new(Arc::clone(&store), &seen)));
        let worker = Worker::builder(&client).queue("q", 1).concurrency(slots).job::<Noop, ()>();
        // As long as may be: nobody extends it.
        let worker = worker.lease(Duration::from_secs(60 * 60)).build().unwrap();
        let _worker = {
            let _guard = runtime.enter();
            worker.spawn()
        };
        let scene = Self { seen, store, _worker, runtime };
        scene.runtime.block_on(scene.seen.idle());
        // Buffers grow to the size that they keep.
        for _ in 0..2 {
            scene.fill(2 * slots as u64);
            scene.drain(2 * slots as u64);
            scene.settle();
        }
        scene
    }

    /// Enqueues jobs that the worker does not see yet.
    pub(crate) fn fill(&self, jobs: u64) {
        let client = Client::with_engine(Arc::clone(&self.store));
        let jobs = (0..jobs).map(|_| Noop::new());
        self.runtime.block_on(client.enqueue_all(jobs).into_future()).unwrap();
    }

    /// Has the worker run so many jobs, until the store knows the end of the last one.
    pub(crate) fn drain(&self, jobs: u64) {
        self.runtime.block_on(self.seen.drained(jobs));
    }

    /// Waits until the worker waits again.
    pub(crate) fn settle(&self) {
        self.runtime.block_on(self.seen.idle());
    }
}
