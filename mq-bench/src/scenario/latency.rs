//! How soon a job starts that is enqueued while a worker is idle.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mq::Client;
use mq::prelude::*;
use rustix::time::{ClockId, clock_gettime};

use crate::child::{Child, Role, Wire};
use crate::engine::Engine;
use crate::fail::Fail;
use crate::floor;
use crate::job::Count;
use crate::row::{Figure, lower, percentile};
use crate::runtime::{self, Threads};
use crate::scenario::{Config, Measurement, Scenario};
use crate::store::{Place, Store};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "latency",
    about: "One job every 10 to 30 ms for an idle worker in another process: from before the \
        enqueue to the first line of the handler, by CLOCK_MONOTONIC, which all processes of a \
        machine share. In one process where the store is in its memory.\n\
        floor: RPUSH and a BLPOP that waits, decoded from JSON. floor-sqlite…: INSERT, and the \
        other process looks at PRAGMA data_version every 20 ms, as mq does. floor-sqlite-memory: \
        INSERT and a notification within the process.",
    plan,
    roles: &[
        WORKER,
        PRODUCER,
        ALONE,
        floor::latency::WORKER,
        floor::latency::PRODUCER,
        floor::latency::ALONE,
    ],
};

/// Says the latencies in µs when all jobs have run.
const WORKER: Role = Role { name: "latency-worker", run: work };
/// Says that it has enqueued the last.
const PRODUCER: Role = Role { name: "latency-producer", run: produce };
/// Both in one process; says the latencies.
const ALONE: Role = Role { name: "latency-alone", run: alone };

/// What the processes are to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) place: Place,
    pub(crate) jobs: u64,
}

/// The first jobs find caches cold and connections new.
const WARM_UP: usize = 10;

/// Carries the time at which it was enqueued.
#[derive(Debug, Serialize, Deserialize, Job)]
#[job(name = "ping", state = Arc<Arrivals>)]
pub(crate) struct Ping {
    sent_ns: u64,
}

impl Ping {
    pub(crate) fn now() -> Self {
        Self { sent_ns: now_ns() }
    }

    /// How long ago it was made, in µs.
    pub(crate) fn age_us(&self) -> f64 {
        now_ns().saturating_sub(self.sent_ns) as f64 / 1e3
    }
}

fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// What the handler has seen.
#[derive(Debug)]
pub(crate) struct Arrivals {
    ages_us: Mutex<Vec<f64>>,
    count: Arc<Count>,
}

impl Handler<Arc<Arrivals>> for Ping {
    type Error = String;

    async fn run(self, cx: Context<Arc<Arrivals>>) -> Result<(), String> {
        let age_us = self.age_us();
        cx.state().ages_us.lock().unwrap_or_else(PoisonError::into_inner).push(age_us);
        cx.state().count.one();
        Ok(())
    }
}

/// A pause before each job, different from job to job, so that no period of either side can fall
/// into step with it.
pub(crate) async fn pause(job: u64) {
    // Spread by the golden ratio: even, and the same in each run.
    let spread = (job.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as f64 / f64::from(u32::MAX);
    tokio::time::sleep(Duration::from_secs_f64(0.010 + 0.020 * spread)).await;
}

fn plan(config: &Config) -> Vec<Measurement> {
    let mut plan = Vec::new();
    let (shared, alone): (Vec<Engine>, Vec<Engine>) =
        config.engines.iter().partition(|engine| engine.is_shared());
    let jobs = config.count(300, 3) + WARM_UP as u64;
    for engine in shared {
        let mut add = |subject: String, worker: Role, producer: Role| {
            let take = move || measure(engine, worker, Some(producer), jobs);
            plan.push(Measurement::new("idle pickup, two processes", subject, take));
        };
        add(engine.name().to_owned(), WORKER, PRODUCER);
        add(engine.floor(""), floor::latency::WORKER, floor::latency::PRODUCER);
    }
    for engine in alone {
        let mut add = |subject: String, role: Role| {
            let take = move || measure(engine, role, None, jobs);
            plan.push(Measurement::new("idle pickup, one process", subject, take));
        };
        add(engine.name().to_owned(), ALONE);
        add(engine.floor(""), floor::latency::ALONE);
    }
    plan
}

fn measure(
    engine: Engine,
    worker: Role,
    producer: Option<Role>,
    jobs: u64,
) -> Result<Vec<Figure>, Fail> {
    let store = Store::start(engine)?;
    let order = Order { place: store.place().clone(), jobs };
    let mut worker = Child::ready(&worker, &order)?;
    worker.go()?;
    if let Some(producer) = producer {
        Child::ready(&producer, &order)?.finish::<()>()?;
    }
    let mut ages_us: Vec<f64> = worker.hear()?;
    if ages_us.len() as u64 != jobs {
        return Err(Fail::new(format!("{} of {jobs} jobs were seen", ages_us.len())));
    }
    let warm = &mut ages_us[WARM_UP..];
    Ok(vec![
        lower("p50", "µs", percentile(warm, 0.5)),
        lower("p99", "µs", percentile(warm, 0.99)),
        lower("max", "µs", percentile(warm, 1.0)),
    ])
}

fn work(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mq = Client::connect(&order.place.url()).await?;
        receive(&mut wire, &mq, &order, std::future::ready(Ok(()))).await
    })
}

fn produce(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mq = Client::connect(&order.place.url()).await?;
        wire.ready().await?;
        enqueue(&mq, order.jobs).await?;
        wire.say(&())
    })
}

fn alone(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mq = Client::connect(&order.place.url()).await?;
        receive(&mut wire, &mq, &order, enqueue(&mq, order.jobs)).await
    })
}

async fn enqueue(mq: &Client, jobs: u64) -> Result<(), Fail> {
    for job in 0..jobs {
        pause(job).await;
        mq.enqueue(Ping::now()).await?;
    }
    Ok(())
}

/// Runs a worker until all jobs have come, and something else beside it.
async fn receive(
    wire: &mut Wire,
    mq: &Client,
    order: &Order,
    beside: impl Future<Output = Result<(), Fail>>,
) -> Result<(), Fail> {
    let count = Count::of(order.jobs);
    let arrivals = Arc::new(Arrivals { ages_us: Mutex::default(), count: Arc::clone(&count) });
    let worker = Worker::builder(mq)
        .state(Arc::clone(&arrivals))
        .job::<Ping, Arc<Arrivals>>()
        .build()?
        .spawn();
    wire.ready().await?;
    let ((), done) = tokio::join!(count.all(), beside);
    done?;
    worker.stop(Duration::from_secs(20)).await?;
    let ages_us = arrivals.ages_us.lock().unwrap_or_else(PoisonError::into_inner).clone();
    wire.say(&ages_us)
}
