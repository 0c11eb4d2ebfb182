//! How fast one worker process runs jobs that do nothing.

use std::sync::Arc;
use std::time::Duration;

use mq::{Client, Worker};
use serde::{Deserialize, Serialize};

use crate::child::{Child, Role, Wire};
use crate::engine::Engine;
use crate::fail::Fail;
use crate::fill::{self, By};
use crate::floor;
use crate::job::{Count, Noop};
use crate::row::{Figure, lower};
use crate::runtime::{self, Threads};
use crate::scenario::{Config, Measurement, Scenario};
use crate::store::{Place, Store};
use crate::usage::{Spent, Stopwatch, mib, us_each};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "drain",
    about: "One worker process, jobs that do nothing, 100 bytes of JSON each, queued before by \
        another process; until the store has confirmed the last.\n\
        floor: by hand with as many slots, not crash-safe: LPOP n, HMGET, HDEL in one request per \
        batch, the next on its way while one runs; a task per job, JSON decoded. floor-safe: LMOVE \
        into a list of its own and LREM instead. floor-sqlite…: one transaction per batch that \
        deletes the last and selects the next.",
    plan,
    roles: &[WORKER, floor::drain::WORKER],
};

/// Told by an [`Order`], says what it [`Spent`].
const WORKER: Role = Role { name: "drain-worker", run: work };

/// What a worker is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) place: Place,
    pub(crate) jobs: u64,
    pub(crate) slots: usize,
    pub(crate) threads: Threads,
    /// Whether a floor moves jobs where a crash would not lose them.
    pub(crate) is_safe: bool,
}

/// Slots, threads, and jobs per engine that is fast; the others get a share of them.
const CASES: &[(&str, usize, Threads, u64)] = &[
    ("1,000 slots", 1_000, Threads::Usual, 300_000),
    ("1,000 slots, one thread", 1_000, Threads::One, 300_000),
    ("100 slots", 100, Threads::Usual, 200_000),
    ("64 slots", 64, Threads::Usual, 100_000),
    ("10 slots", 10, Threads::Usual, 30_000),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Mq,
    Floor,
    FloorSafe,
}

fn plan(config: &Config) -> Vec<Measurement> {
    let mut plan = Vec::new();
    for &(case, slots, threads, jobs) in CASES {
        for &engine in &config.engines {
            let jobs = config.count(jobs, slots as u64 * 3);
            let mut add = |who, subject: String| {
                let order = move |place| Order {
                    place,
                    jobs,
                    slots,
                    threads,
                    is_safe: who == Who::FloorSafe,
                };
                let take = move || measure(engine, who, &order);
                plan.push(Measurement::new(case, subject, take));
            };
            add(Who::Mq, engine.name().to_owned());
            add(Who::Floor, engine.floor(""));
            // The bare transaction is as safe as it gets.
            if engine.is_redis() {
                add(Who::FloorSafe, engine.floor("safe"));
            }
        }
    }
    plan
}

fn measure(engine: Engine, who: Who, order: &dyn Fn(Place) -> Order) -> Result<Vec<Figure>, Fail> {
    let store = Store::start(engine)?;
    let order = order(store.place().clone());
    let jobs = order.jobs;
    let (role, by) = match who {
        Who::Mq => (&WORKER, By::Mq),
        Who::Floor | Who::FloorSafe => (&floor::drain::WORKER, By::Floor),
    };
    // What is in the memory of a process must be put there by itself.
    let enqueue_s = if engine.is_shared() { fill::fill(&store, jobs, by)? } else { 0.0 };
    let worker = Child::ready(role, &order)?;
    let before = store.usage()?;
    let spent: Spent = worker.finish()?;
    let mut figures = spent.figures(jobs, "worker CPU");
    figures.push(lower("worker RSS", "MiB", mib(spent.usage.rss_peak)));
    if let Some(drain_s) = store.cpu_since(before)? {
        let life = us_each(enqueue_s + drain_s, jobs);
        figures.push(lower("server CPU, drain", "µs/job", us_each(drain_s, jobs)));
        figures.push(lower("server CPU, whole life", "µs/job", life));
    }
    Ok(figures)
}

fn work(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(order.threads, async {
        let mq = Client::connect(&order.place.url()).await?;
        if matches!(order.place, Place::Memory) {
            fill::with_mq(&mq, order.jobs).await?;
        }
        let count = Count::of(order.jobs);
        let worker = Worker::builder(&mq)
            .concurrency(order.slots)
            .state(Arc::clone(&count))
            .job::<Noop, Arc<Count>>()
            .build()?;
        wire.ready().await?;
        let stopwatch = Stopwatch::start()?;
        let worker = worker.spawn();
        count.all().await;
        let report = worker.stop(Duration::from_secs(20)).await?;
        let spent = stopwatch.stop()?;
        if report.done != order.jobs {
            return Err(Fail::new(format!("of {} jobs, {} were done", order.jobs, report.done)));
        }
        wire.say(&spent)
    })
}
