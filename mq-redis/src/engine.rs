//! The engine: what it consists of, and which module does what.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mq_core::connect::ConnectError;
use mq_core::engine::{
    About, Act, AuditReport, Beat, BeatReply, ClaimReply, ClaimRequest, Durability, Engine,
    EngineError, EnqueueReply, Finish, Finished, ListRequest, NewJob, Pace, Page, Progress,
    PruneLimits, QueueStats, ReapReply, ReapRequest, Stored, WaitReply, WorkerStats,
};
use mq_core::{JobId, QueueName, WorkerId};

use crate::checks::Health;
use crate::keys::Keys;
use crate::link::{Link, Request, USUAL};
use crate::producer::Producer;
use crate::time::Time;
use crate::wait::Waiter;
use crate::{driver, ops, reply};

/// The engine on Redis or Valkey.
///
/// Made by `Client::connect` from a URL such as `redis://localhost`.
#[derive(Debug)]
pub struct RedisEngine {
    pub(crate) link: Link,
    pub(crate) keys: Keys,
    pub(crate) time: Time,
    producer: Producer,
    waiter: Waiter,
    health: Arc<Health>,
}

impl RedisEngine {
    /// Connects to the server that a URL names and checks that it is fit for jobs.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        driver::open(url).await
    }

    /// An engine on a server that has been looked at.
    pub(crate) fn new(link: Link, health: Arc<Health>, time: Time) -> Self {
        let keys = Keys::new(&link.settings().prefix);
        let producer = Producer::new(link.clone(), keys.clone(), time.clone());
        let waiter = Waiter::new(&link, keys.clone());
        Self { link, keys, time, producer, waiter, health }
    }

    /// The first argument of scripts that need the time.
    pub(crate) fn now_arg(&self) -> Vec<u8> {
        self.time.now().arg
    }

    /// For tests: from now on the store's time is this, in ms since 1970, for this handle and
    /// those detached from it; it stands still until it is set again. 0 brings the server's back.
    #[cfg(feature = "testclock")]
    pub fn set_test_clock(&self, now_ms: u64) {
        self.time.set(now_ms);
    }
}

#[async_trait]
impl Engine for RedisEngine {
    async fn enqueue(
        &self,
        jobs: Vec<NewJob>,
        deadline: Duration,
    ) -> Result<Vec<EnqueueReply>, EngineError> {
        self.health.keep_up(&self.link);
        self.producer.enqueue(jobs, deadline).await
    }

    async fn join(
        &self,
        queue: &QueueName,
        worker: WorkerId,
        lease: Duration,
        about: &About,
    ) -> Result<(), EngineError> {
        ops::join::join(self, queue, worker, lease, about).await
    }

    async fn claim(&self, request: ClaimRequest) -> Result<ClaimReply, EngineError> {
        request.check_queues()?;
        ops::claim::claim(self, request).await
    }

    async fn finish(&self, finishes: Vec<Finish>) -> Result<Vec<Finished>, EngineError> {
        ops::finish::finish(self, &finishes).await
    }

    async fn extend(&self, beats: Vec<Beat>) -> Result<Vec<BeatReply>, EngineError> {
        self.health.keep_up(&self.link);
        ops::extend::extend(self, &beats).await
    }

    async fn leave(&self, queue: &QueueName, worker: WorkerId) -> Result<(), EngineError> {
        ops::join::leave(self, queue, worker).await
    }

    async fn wait(
        &self,
        queues: &[QueueName],
        timeout: Duration,
    ) -> Result<WaitReply, EngineError> {
        self.waiter.wait(queues, timeout).await
    }

    async fn promote(&self, queue: &QueueName, limit: usize) -> Result<Progress, EngineError> {
        ops::promote::promote(self, queue, limit).await
    }

    async fn reap(&self, request: ReapRequest) -> Result<ReapReply, EngineError> {
        ops::reap::reap(self, &request).await
    }

    async fn prune(&self, queue: &QueueName, limits: PruneLimits) -> Result<Progress, EngineError> {
        ops::prune::prune(self, queue, limits).await
    }

    async fn queues(&self) -> Result<Vec<QueueName>, EngineError> {
        ops::queues::queues(self).await
    }

    async fn stats(&self, queue: &QueueName) -> Result<QueueStats, EngineError> {
        ops::stats::stats(self, queue).await
    }

    async fn workers(&self, queue: &QueueName) -> Result<Vec<WorkerStats>, EngineError> {
        ops::workers::workers(self, queue).await
    }

    async fn list(&self, request: ListRequest) -> Result<Page, EngineError> {
        ops::list::list(self, request).await
    }

    async fn get(
        &self,
        queue: &QueueName,
        ids: &[JobId],
    ) -> Result<Vec<Option<Stored>>, EngineError> {
        ops::locate::get(self, queue, ids).await
    }

    async fn retry(
        &self,
        queue: &QueueName,
        ids: &[JobId],
        pace: Option<Pace>,
    ) -> Result<Vec<Act>, EngineError> {
        ops::retry::retry(self, queue, ids, pace).await
    }

    async fn run_now(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>, EngineError> {
        ops::run_now::run_now(self, queue, ids).await
    }

    async fn delete(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>, EngineError> {
        ops::delete::delete(self, queue, ids).await
    }

    async fn cancel(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>, EngineError> {
        ops::cancel::cancel(self, queue, ids).await
    }

    async fn discard(&self, queue: &QueueName, ids: &[JobId]) -> Result<Vec<Act>, EngineError> {
        ops::discard::discard(self, queue, ids).await
    }

    async fn transfer(
        &self,
        from: &QueueName,
        to: &QueueName,
        ids: &[JobId],
    ) -> Result<Vec<Act>, EngineError> {
        ops::transfer::transfer(self, from, to, ids).await
    }

    async fn import(&self, jobs: Vec<Stored>) -> Result<Vec<Act>, EngineError> {
        ops::import::import(self, &jobs).await
    }

    async fn pause(&self, queue: &QueueName) -> Result<(), EngineError> {
        ops::pause::pause(self, queue).await
    }

    async fn resume(&self, queue: &QueueName) -> Result<(), EngineError> {
        ops::pause::resume(self, queue).await
    }

    async fn audit(&self, queue: &QueueName, repair: bool) -> Result<AuditReport, EngineError> {
        ops::audit::audit(self, queue, repair).await
    }

    async fn identity(&self) -> Result<String, EngineError> {
        ops::identity::identity(self).await
    }

    fn database(&self) -> Option<String> {
        None
    }

    fn durability(&self) -> Durability {
        self.health.durability()
    }

    fn warnings(&self) -> Vec<String> {
        self.health.warnings()
    }

    fn detached(&self) -> Arc<dyn Engine> {
        let (health, time) = (self.health.clone(), self.time.clone());
        Arc::new(Self::new(self.link.detached(), health, time))
    }

    async fn ping(&self) -> Result<u64, EngineError> {
        let mut request = Request::new();
        request.cmd(redis::cmd("TIME"));
        let reply = self.link.run(&request, USUAL).await?;
        let [seconds, micros] = reply::array(reply::only(reply)?)?;
        let server_ms = reply::time_ms(reply::number(seconds)?, reply::number(micros)?);
        self.time.learn(server_ms);
        Ok(self.time.set_ms().unwrap_or(server_ms))
    }
}
