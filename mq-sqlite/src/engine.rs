//! The engine: each method hands its operation to the writer's thread.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mq_core::connect::ConnectError;
use mq_core::engine::{
    About, Act, AuditReport, Beat, BeatReply, ClaimReply, ClaimRequest, Durability, Engine,
    EngineError, EngineErrorKind, EnqueueReply, Finish, Finished, ListRequest, NewJob, Pace, Page,
    Progress, PruneLimits, QueueStats, ReapReply, ReapRequest, Stored, WaitReply, WorkerStats,
};
use mq_core::{JobId, QueueName, WorkerId};

use crate::disk::Disk;
use crate::error::{Result, check_len};
use crate::hub::Hub;
use crate::open::{self, Opened};
use crate::ops;
use crate::readers::Readers;
use crate::session::Session;
use crate::syncer::Syncer;
use crate::time::Time;
use crate::tx::Tx;
use crate::url::Settings;
use crate::work::Mode;
use crate::writer::Writer;

/// The engine on an SQLite file, or in memory.
///
/// Made by `Client::connect` from a URL such as `sqlite:jobs.db` or `sqlite::memory:`. Several
/// processes may use one file; a store in memory ends with its last handle.
#[derive(Debug, Clone)]
pub struct SqliteEngine {
    writer: Writer,
    /// None in memory, where another connection would have another store.
    readers: Option<Readers>,
    hub: Arc<Hub>,
    #[cfg_attr(not(feature = "testclock"), expect(dead_code, reason = "only tests set it"))]
    time: Time,
    durability: Durability,
    disk: Disk,
    /// What tells this store from all others.
    store: String,
    /// What an operator should mend.
    warnings: Vec<String>,
}

impl SqliteEngine {
    /// Opens the file that a URL names, making it if it is not there, and checks that it is ours.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(url: &str) -> std::result::Result<Self, ConnectError> {
        let settings = Settings::parse(url)?;
        let durability = settings.durability();
        let opening = tokio::task::spawn_blocking(move || open::open(&settings));
        let opened = opening.await.map_err(|error| broken("opening the file failed", error))??;
        let started = Self::start(opened, durability);
        started.map_err(|error| broken("the engine cannot be started", error))
    }

    fn start(opened: Opened, durability: Durability) -> std::io::Result<Self> {
        let (time, hub) = (Time::new(), Arc::new(Hub::default()));
        let Opened { writer, readers, watch, space, store, warnings } = opened;
        let session = |conn| Session::new(conn, time.clone(), watch.clone());
        let readers: Vec<_> = readers.into_iter().map(session).collect();
        let disk = Disk::new(watch.as_ref().map_or_else(PathBuf::new, |w| w.path().to_owned()));
        let syncer = watch.as_ref().filter(|_| durability == Durability::Disk1s);
        let syncer = syncer.map(|watch| Syncer::start(watch.wal(), disk.clone())).transpose()?;
        let hub_of = Arc::clone(&hub);
        let writer = Writer::start(session(writer), space, syncer, disk.clone(), hub_of)?;
        let readers = (!readers.is_empty()).then(|| Readers::start(readers)).transpose()?;
        Ok(Self { writer, readers, hub, time, durability, disk, store, warnings })
    }

    async fn read<T, F>(&self, question: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        match &self.readers {
            Some(readers) => readers.run(question).await,
            None => self.writer.run(Mode::Read, question).await,
        }
    }

    /// For tests: from now on the store's time is this, in ms since 1970, for this handle and
    /// those detached from it; it stands still until it is set again. 0 brings the clock back.
    #[cfg(feature = "testclock")]
    pub fn set_test_clock(&self, now_ms: u64) {
        self.time.set(now_ms);
    }

    /// For tests: sets the machine's wall clock forward or back, as this handle and those detached
    /// from it see it.
    #[cfg(feature = "testclock")]
    pub fn shift_test_wall(&self, by_ms: i64) {
        self.time.shift_wall(by_ms);
    }
}

fn broken(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> ConnectError {
    EngineError::new(EngineErrorKind::Unavailable, format!("{what}: try again"))
        .with_source(error)
        .into()
}

#[async_trait]
impl Engine for SqliteEngine {
    async fn enqueue(&self, jobs: Vec<NewJob>, deadline: Duration) -> Result<Vec<EnqueueReply>> {
        check_len(jobs.len())?;
        let enqueue = move |tx: &mut Tx<'_>| ops::enqueue::enqueue(tx, &jobs);
        self.writer.run_within(deadline, Mode::Grow, enqueue).await
    }

    async fn join(
        &self,
        queue: &QueueName,
        worker: WorkerId,
        lease: Duration,
        about: &About,
    ) -> Result<()> {
        let (queue, about) = (queue.clone(), about.clone());
        let join = move |tx: &mut Tx<'_>| ops::join::join(tx, &queue, worker, lease, &about);
        self.writer.run(Mode::Write, join).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<ClaimReply> {
        request.check_queues()?;
        check_len(request.finishes.len())?;
        self.writer.run(Mode::Write, move |tx| ops::claim::claim(tx, &request)).await
    }

    async fn finish(&self, finishes: Vec<Finish>) -> Result<Vec<Finished>> {
        check_len(finishes.len())?;
        self.writer.run(Mode::Write, move |tx| ops::finish::finish(tx, &finishes)).await
    }

    async fn extend(&self, beats: Vec<Beat>) -> Result<Vec<BeatReply>> {
        self.writer.run(Mode::Write, move |tx| ops::extend::extend(tx, &beats)).await
    }

    async fn leave(&self, queue: &QueueName, worker: WorkerId) -> Result<()> {
        let queue = queue.clone();
        self.writer.run(Mode::Write, move |tx| ops::leave::leave(tx, &queue, worker)).await
    }

    async fn wait(&self, queues: &[QueueName], timeout: Duration) -> Result<WaitReply> {
        self.hub.wait(&self.writer, queues, timeout).await
    }

    async fn promote(&self, queue: &QueueName, limit: usize) -> Result<Progress> {
        let queue = queue.clone();
        self.writer.run(Mode::Write, move |tx| ops::promote::promote(tx, &queue, limit)).await
    }

    async fn reap(&self, request: ReapRequest) -> Result<ReapReply> {
        self.writer.run(Mode::Write, move |tx| ops::reap::reap(tx, &request)).await
    }

    async fn prune(&self, queue: &QueueName, limits: PruneLimits) -> Result<Progress> {
        let queue = queue.clone();
        self.writer.run(Mode::Write, move |tx| ops::prune::prune(tx, &queue, limits)).await
    }

    async fn queues(&self) -> Result<Vec<QueueName>> {
        self.read(|tx| ops::queues::queues(tx)).await
    }

    async fn stats(&self, queue: &QueueName) -> Result<QueueStats> {
        let queue = queue.clone();
        self.read(move |tx| ops::stats::stats(tx, &queue)).await
    }

    async fn workers(&self, queue: &QueueName) -> Result<Vec<WorkerStats>> {
        let queue = queue.clone();
        self.read(move |tx| ops::workers::workers(tx, &queue)).await
    }

    async fn list(&self, request: ListRequest) -> Result<Page> {
        self.read(move |tx| ops::list::list(tx, &request)).await
    }

    async fn get(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Option<Stored>>> {
        check_len(ids.len())?;
        let (queue, ids) = (queue.clone(), ids.to_vec());
        self.read(move |tx| ops::get::get(tx, &queue, &ids)).await
    }

    async fn retry(
        &self,
        queue: &QueueName,
        ids: &[JobId],
        pace: Option<Pace>,
    ) -> Result<Vec<Act>> {
        check_len(ids.len())?;
        let (queue, ids) = (queue.clone(), ids.to_vec());
        self.writer.run(Mode::Write, move |tx| ops::retry::retry(tx, &queue, &ids, pace)).await
    }

    async fn run_now(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>> {
        check_len(ids.len())?;
        let (queue, ids) = (queue.clone(), ids.to_vec());
        self.writer.run(Mode::Write, move |tx| ops::run_now::run_now(tx, &queue, &ids)).await
    }

    async fn delete(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>> {
        check_len(ids.len())?;
        let (queue, ids) = (queue.clone(), ids.to_vec());
        self.writer.run(Mode::Write, move |tx| ops::delete::delete(tx, &queue, &ids)).await
    }

    async fn cancel(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>> {
        check_len(ids.len())?;
        let (queue, ids) = (queue.clone(), ids.to_vec());
        self.writer.run(Mode::Write, move |tx| ops::cancel::cancel(tx, &queue, &ids)).await
    }

    async fn discard(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>> {
        check_len(ids.len())?;
        let (queue, ids) = (queue.clone(), ids.to_vec());
        self.writer.run(Mode::Write, move |tx| ops::discard::discard(tx, &queue, &ids)).await
    }

    async fn transfer(&self, from: &QueueName, to: &QueueName, ids: &[JobId]) -> Result<Vec<Act>> {
        check_len(ids.len())?;
        let (from, to, ids) = (from.clone(), to.clone(), ids.to_vec());
        let transfer = move |tx: &mut Tx<'_>| ops::transfer::transfer(tx, &from, &to, &ids);
        self.writer.run(Mode::Write, transfer).await
    }

    async fn import(&self, jobs: Vec<Stored>) -> Result<Vec<Act>> {
        check_len(jobs.len())?;
        self.writer.run(Mode::Grow, move |tx| ops::import::import(tx, &jobs)).await
    }

    async fn pause(&self, queue: &QueueName) -> Result<()> {
        let queue = queue.clone();
        self.writer.run(Mode::Write, move |tx| ops::pause::pause(tx, &queue)).await
    }

    async fn resume(&self, queue: &QueueName) -> Result<()> {
        let queue = queue.clone();
        self.writer.run(Mode::Write, move |tx| ops::resume::resume(tx, &queue)).await
    }

    async fn audit(&self, queue: &QueueName, repair: bool) -> Result<AuditReport> {
        let queue = queue.clone();
        let name = queue.clone();
        let report = self.read(move |tx| ops::audit::audit(tx, &name, false)).await?;
        if !repair || report.findings.is_empty() {
            return Ok(report);
        }
        // Only now, since nobody else can write while it looks.
        let audit = move |tx: &mut Tx<'_>| ops::audit::audit(tx, &queue, true);
        self.writer.run(Mode::Write, audit).await
    }

    async fn identity(&self) -> Result<String> {
        self.read(|tx| tx.store()).await
    }

    fn database(&self) -> Option<String> {
        Some(self.store.clone())
    }

    fn durability(&self) -> Durability {
        if self.disk.has_failed() { Durability::Memory } else { self.durability }
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.iter().cloned().chain(self.disk.warning()).collect()
    }

    /// The threads are no tasks of any runtime, so a handle may go on while the runtime of
    /// another is blocked; a second connection would only contend for the file.
    fn detached(&self) -> Arc<dyn Engine> {
        Arc::new(self.clone())
    }

    async fn ping(&self) -> Result<u64> {
        self.read(|tx| Ok(tx.now())).await
    }
}
