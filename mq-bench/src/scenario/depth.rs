//! Whether a job costs more when many others wait.

use std::sync::Arc;
use std::time::Duration;

use mq::{Client, Worker};
use serde::{Deserialize, Serialize};

use crate::child::{Child, Role, Wire};
use crate::engine::Engine;
use crate::fail::Fail;
use crate::floor;
use crate::job::{Count, Noop};
use crate::load;
use crate::row::{Figure, higher, lower};
use crate::runtime::{self, Threads};
use crate::scenario::memory::{self, Kind};
use crate::scenario::{Config, Measurement, Scenario};
use crate::store::{Place, Store};
use crate::usage::{Spent, Stopwatch};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "depth",
    about: "Enqueues and runs jobs on a short queue, then on one in which 1,000,000 ready jobs and \
        1,000,000 scheduled ones wait besides, in the same store: five times 20,000 jobs each, in \
        bulk, by one producer and one worker process. CPU is that of both and of the server.\n\
        floor: HSET and RPUSH or ZADD; LPOP n, HMGET, HDEL and a look for what is due per batch of \
        1,000. floor-sqlite: one table each, one transaction per batch.",
    plan,
    roles: &[WORKER, floor::depth::WORKER],
};

/// Told by an [`Order`], says what it spent and on how many jobs.
const WORKER: Role = Role { name: "depth-worker", run: work };

const SLOTS: usize = 1_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) place: Place,
    /// At least so many are run.
    pub(crate) jobs: u64,
}

/// Who does it.
#[derive(Debug, Clone, Copy)]
struct Cast {
    producer: &'static Role,
    worker: &'static Role,
}

const MQ: Cast = Cast { producer: &memory::PRODUCER, worker: &WORKER };
const FLOOR: Cast = Cast { producer: &floor::memory::PRODUCER, worker: &floor::depth::WORKER };

/// How many jobs lie there, and how many are measured how often.
#[derive(Debug, Clone, Copy)]
struct Size {
    depth: u64,
    jobs: u64,
    turns: u64,
}

fn plan(config: &Config) -> Vec<Measurement> {
    let (depth, jobs) = (config.count(1_000_000, 5_000), config.count(20_000, 1_000));
    let turns = config.count(5, 1);
    let case = "1,000,000 ready and 1,000,000 scheduled";
    let mut plan = Vec::new();
    for engine in config.distinct().into_iter().filter(|engine| engine.is_shared()) {
        for (cast, subject) in [(MQ, engine.name().to_owned()), (FLOOR, engine.floor(""))] {
            let take = move || measure(engine, cast, Size { depth, jobs, turns });
            plan.push(Measurement::new(case, subject, take));
        }
    }
    plan
}

/// What jobs cost at one depth.
#[derive(Debug, Default)]
struct Cost {
    enqueue: Sum,
    run: Sum,
    server_s: f64,
}

#[derive(Debug, Default)]
struct Sum {
    jobs: f64,
    seconds: f64,
    cpu_s: f64,
}

impl Sum {
    fn add(&mut self, jobs: u64, spent: Spent) {
        self.jobs += jobs as f64;
        self.seconds += spent.seconds;
        self.cpu_s += spent.cpu_s;
    }

    fn rate(&self) -> f64 {
        self.jobs / self.seconds
    }
}

fn measure(engine: Engine, cast: Cast, size: Size) -> Result<Vec<Figure>, Fail> {
    let store = Store::start(engine)?;
    let mut next = 0;
    let short = turns(&store, cast, &mut next, size)?;
    for kind in [Kind::Scheduled, Kind::Ready] {
        enqueue(&store, cast, &mut next, size.depth, kind)?;
    }
    let deep = turns(&store, cast, &mut next, size)?;
    let mut figures = vec![
        higher("run, short", "jobs/s", short.run.rate()),
        higher("run, deep", "jobs/s", deep.run.rate()),
        lower("run, deep to short", "×", short.run.rate() / deep.run.rate()),
        higher("enqueue, short", "jobs/s", short.enqueue.rate()),
        higher("enqueue, deep", "jobs/s", deep.enqueue.rate()),
        lower("enqueue, deep to short", "×", short.enqueue.rate() / deep.enqueue.rate()),
        lower("CPU, short", "µs/job", short.cpu_us()),
        lower("CPU, deep", "µs/job", deep.cpu_us()),
        lower("CPU, deep to short", "×", deep.cpu_us() / short.cpu_us()),
    ];
    if engine.is_redis() {
        figures.push(lower("server CPU, short", "µs/job", short.server_us()));
        figures.push(lower("server CPU, deep", "µs/job", deep.server_us()));
    }
    Ok(figures)
}

impl Cost {
    fn server_us(&self) -> f64 {
        self.server_s / self.run.jobs * 1e6
    }

    /// Of the whole life of a job, wherever it is spent.
    fn cpu_us(&self) -> f64 {
        let each_s = self.enqueue.cpu_s / self.enqueue.jobs + self.run.cpu_s / self.run.jobs;
        each_s * 1e6 + self.server_us()
    }
}

/// A few turns, because one alone is too short to be measured well, and a longer queue would not be
/// a short one.
fn turns(store: &Store, cast: Cast, next: &mut u64, size: Size) -> Result<Cost, Fail> {
    let mut cost = Cost::default();
    let before = store.usage()?;
    let Size { jobs, turns, .. } = size;
    for _ in 0..turns {
        cost.enqueue.add(jobs, enqueue(store, cast, next, jobs, Kind::Ready)?);
        let order = Order { place: store.place().clone(), jobs };
        let (spent, ran): (Spent, u64) = Child::ready(cast.worker, &order)?.finish()?;
        cost.run.add(ran, spent);
    }
    cost.server_s = store.cpu_since(before)?.unwrap_or(0.0);
    Ok(cost)
}

fn enqueue(
    store: &Store,
    cast: Cast,
    next: &mut u64,
    jobs: u64,
    kind: Kind,
) -> Result<Spent, Fail> {
    let order = memory::Order { place: store.place().clone(), first: *next, jobs, kind };
    *next += jobs;
    Child::ready(cast.producer, &order)?.finish()
}

fn work(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mq = Client::connect(&order.place.url()).await?;
        let worker = Worker::builder(&mq)
            .concurrency(SLOTS)
            // It is the worker's own report that tells when all are done.
            .state(Count::of(u64::MAX))
            .job::<Noop, Arc<Count>>()
            .build()?;
        wire.ready().await?;
        let stopwatch = Stopwatch::start()?;
        let worker = worker.spawn();
        load::confirmed(&worker, order.jobs).await;
        // With a deep queue it has run more meanwhile, which count as well.
        let ran = worker.report().done;
        let spent = stopwatch.stop()?;
        worker.stop(Duration::from_secs(20)).await?;
        wire.say(&(spent, ran))
    })
}
