//! From a user's words to a worker, or to the list of everything that is wrong with them.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use mq_core::clock::ServerClock;
use mq_core::engine::PruneLimits;
use mq_core::lifecycle::Policy;
use mq_core::registry::{Place, RegistryProblem, States};
use mq_core::{
    Client, Context, ErasedMiddleware, Handler, Job, JobError, Middleware, QueueName, Registry,
};

use crate::config::{self, Config, QueueConfig};
use crate::error::{BuildError, BuildProblem};
use crate::handlers::Handlers;
use crate::members::Members;
use crate::shared::Shared;
use crate::worker::Worker;

/// Collects what a [`Worker`] needs; made by [`Worker::builder`].
#[derive(Clone)]
#[must_use = "a worker does nothing until it is built and run"]
pub struct WorkerBuilder {
    client: Client,
    queues: Vec<(String, u32)>,
    limits: Vec<(String, usize)>,
    strict: bool,
    concurrency: usize,
    grace: Duration,
    lease: Duration,
    timeout_grace: Duration,
    lost_threads_max: usize,
    poison_limit: u32,
    prune: PruneLimits,
    registry: Registry,
    states: States,
    states_when_needed: bool,
    layers: Vec<Arc<dyn ErasedMiddleware>>,
}

impl WorkerBuilder {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            queues: Vec::new(),
            limits: Vec::new(),
            strict: false,
            concurrency: config::default_concurrency(),
            grace: config::GRACE,
            lease: config::LEASE,
            timeout_grace: config::TIMEOUT_GRACE,
            lost_threads_max: config::LOST_THREADS_MAX,
            poison_limit: Policy::DEFAULT.poison_limit,
            prune: PruneLimits::default(),
            registry: Registry::new(),
            states: States::new(),
            states_when_needed: false,
            layers: Vec::new(),
        }
    }

    /// Serves a queue. Of two queues that both have jobs, one with weight 3 is asked first three
    /// times as often as one with weight 1; no queue with a weight starves.
    ///
    /// When no queue is named, the worker serves `default` and the queues of all its jobs' types,
    /// each with weight 1.
    pub fn queue(mut self, name: impl Into<String>, weight: u32) -> Self {
        self.queues.push((name.into(), weight));
        self
    }

    /// Empties the queues in the order they were named instead of by weight: the second one is
    /// asked only for slots that the first one left free.
    pub fn strict_order(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Most jobs of one queue that run at a time in this process. Default: no limit but
    /// [`concurrency`](Self::concurrency).
    pub fn queue_concurrency(mut self, queue: impl Into<String>, limit: usize) -> Self {
        self.limits.push((queue.into(), limit));
        self
    }

    /// Most jobs that run at a time in this process. Default: four times the CPUs.
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.concurrency = jobs;
        self
    }

    /// Shares a value with all handlers that name its type: `Handler<App>`. One value per type; a
    /// second one of the same type replaces the first.
    pub fn state<S: Send + Sync + 'static>(mut self, state: S) -> Self {
        self.states.set(state);
        self
    }

    /// Puts another client in the place of the one that it was made from, because a test says later
    /// how its jobs are sealed.
    #[doc(hidden)]
    pub fn client(mut self, client: Client) -> Self {
        self.client = client;
        self
    }

    /// Lets a worker be built although states are missing, because a test brings only those of the
    /// jobs that it is about; see [`Worker::run_due`] for when one turns out to be needed.
    #[doc(hidden)]
    pub fn states_when_needed(mut self) -> Self {
        self.states_when_needed = true;
        self
    }

    /// Runs code around every attempt. The layer that is added first is outermost.
    pub fn layer(mut self, layer: impl Middleware) -> Self {
        self.layers.push(Arc::new(layer));
        self
    }

    /// Runs jobs of a type by its [`Handler`] impl.
    #[track_caller]
    pub fn job<J: Handler<S>, S: Send + Sync + 'static>(mut self) -> Self {
        self.registry.job::<J, S>(place());
        self
    }

    /// Runs jobs of a type by a closure.
    #[track_caller]
    pub fn job_fn<J, S, F, Fut, E>(mut self, function: F) -> Self
    where
        J: Job,
        S: Send + Sync + 'static,
        F: Fn(J, Context<S>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<J::Output, E>> + Send + 'static,
        E: JobError,
    {
        self.registry.job_fn::<J, S, F, Fut, E>(place(), function);
        self
    }

    /// Runs all jobs that `#[derive(Job)]` has registered in the crates linked into this program.
    ///
    /// A dependency that is never named in code is not linked: write `use my_jobs as _;`.
    pub fn discover(mut self) -> Self {
        self.registry.discover();
        self
    }

    /// How long jobs may run on after the order to stop, before they are handed back.
    /// Default: 25 s, within the 30 s that most supervisors give a process.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long the store waits for a sign of life before others take over this worker's jobs.
    /// It is given every third of this time. 1 s to 1 h, the same for all workers of a queue.
    /// Default: 15 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How long a handler may go on after it was told to stop (time limit, cancellation, lost
    /// lease), before it is aborted and its slot is given to another job. Default: 5 s.
    pub fn timeout_grace(mut self, grace: Duration) -> Self {
        self.timeout_grace = grace;
        self
    }

    /// How many threads handlers may keep that ignored their abort, before the worker gives its
    /// jobs back and ends with [`RunError::Blocked`](crate::RunError::Blocked). In any case it does
    /// so when they keep all threads of its runtime. Default: 64.
    pub fn lost_threads_max(mut self, threads: usize) -> Self {
        self.lost_threads_max = threads;
        self
    }

    /// How many workers a job may take down within 72 h before it is a dead letter. Default: 3.
    pub fn poison_limit(mut self, limit: u32) -> Self {
        self.poison_limit = limit;
        self
    }

    /// How many dead letters are kept, and for how long. Default: 10,000 per queue, 90 days.
    pub fn prune_limits(mut self, limits: PruneLimits) -> Self {
        self.prune = limits;
        self
    }

    /// Checks everything.
    ///
    /// # Errors
    /// Names all that is wrong at once.
    pub fn build(self) -> Result<Worker, BuildError> {
        let mut problems = Vec::new();
        if self.registry.is_empty() {
            problems.push(BuildProblem::NoJobs);
        }
        let mut unfit = self.registry.problems(&self.states);
        if self.states_when_needed {
            unfit.retain(|problem| !matches!(problem, RegistryProblem::MissingState { .. }));
        }
        problems.extend(unfit.into_iter().map(BuildProblem::from));
        let mut queues = self.named_queues(&mut problems);
        self.apply_limits(&mut queues, &mut problems);
        self.check_numbers(&mut problems);
        if !problems.is_empty() {
            return Err(BuildError::new(problems));
        }
        let config = Config {
            queues,
            strict: self.strict,
            concurrency: self.concurrency,
            grace: self.grace,
            lease: self.lease,
            timeout_grace: self.timeout_grace,
            lost_threads_max: self.lost_threads_max,
            poison_limit: self.poison_limit,
            prune: self.prune,
        };
        Ok(Worker::new(Shared {
            members: Members::new(&config),
            handlers: Handlers::new(&self.registry, &self.states),
            config,
            client: self.client,
            registry: self.registry,
            states: self.states,
            layers: self.layers,
            clock: ServerClock::new(),
            running: Default::default(),
            backlog: Default::default(),
            outcomes: Default::default(),
            named: Default::default(),
            stop: Default::default(),
            blocked: Default::default(),
            relieved: Default::default(),
            tally: Default::default(),
            lacking: Default::default(),
            damage: Default::default(),
            started_ms: Default::default(),
        }))
    }

    fn named_queues(&self, problems: &mut Vec<BuildProblem>) -> Vec<QueueConfig> {
        let mut queues: Vec<QueueConfig> = Vec::new();
        let implied = self.registry.entries().iter().map(|entry| entry.options().queue);
        let implied: Vec<_> = implied.chain([QueueName::DEFAULT]).map(|name| (name, 1)).collect();
        let named: Vec<_> = self.queues.iter().map(|(name, weight)| (&**name, *weight)).collect();
        for &(name, weight) in if named.is_empty() { &implied } else { &named } {
            let name = match QueueName::new(name) {
                Ok(name) => name,
                Err(error) => {
                    problems.push(error.into());
                    continue;
                }
            };
            if queues.iter().any(|queue| queue.name == name) {
                if !named.is_empty() {
                    problems.push(BuildProblem::QueueTwice(name));
                }
                continue;
            }
            if weight == 0 {
                problems.push(BuildProblem::Weight(name.clone()));
            }
            queues.push(QueueConfig { name, weight, limit: None });
        }
        queues
    }

    fn apply_limits(&self, queues: &mut [QueueConfig], problems: &mut Vec<BuildProblem>) {
        for (name, limit) in &self.limits {
            let name = match QueueName::new(name) {
                Ok(name) => name,
                Err(error) => {
                    problems.push(error.into());
                    continue;
                }
            };
            if *limit == 0 {
                problems.push(BuildProblem::LimitZero(name.clone()));
            }
            match queues.iter_mut().find(|queue| queue.name == name) {
                Some(queue) => queue.limit = Some(*limit),
                None => problems.push(BuildProblem::LimitWithoutQueue(name)),
            }
        }
    }

    fn check_numbers(&self, problems: &mut Vec<BuildProblem>) {
        if self.concurrency == 0 {
            problems.push(BuildProblem::Concurrency);
        }
        if !(config::LEASE_MIN..=config::LEASE_MAX).contains(&self.lease) {
            problems.push(BuildProblem::Lease(self.lease));
        }
        if self.lost_threads_max == 0 {
            problems.push(BuildProblem::LostThreads);
        }
        if self.poison_limit == 0 {
            problems.push(BuildProblem::PoisonLimit);
        }
    }
}

impl fmt::Debug for WorkerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBuilder")
            .field("queues", &self.queues)
            .field("concurrency", &self.concurrency)
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}

#[track_caller]
fn place() -> Place {
    let caller = Location::caller();
    Place { file: caller.file(), line: caller.line() }
}
