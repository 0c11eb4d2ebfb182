//! Jobs as they are in earnest, and whether each of them is accounted for.

use std::time::Duration;

use mq::Client;
use serde::{Deserialize, Serialize};

use crate::child::{Child, Role, Wire};
use crate::engine::Engine;
use crate::fail::Fail;
use crate::fill::{self, By};
use crate::floor;
use crate::load;
use crate::row::{Figure, lower};
use crate::runtime::{self, Threads};
use crate::scenario::drain;
use crate::scenario::{Config, Measurement, Scenario};
use crate::store::{Place, Store};
use crate::usage::{Spent, Stopwatch, mib, us_each};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "mixed",
    about: "One worker process on 10 queues with weights 1 to 3, jobs queued before by another \
        process. Of 20 jobs, one fails and is run again after 50 ms, one has high priority, one \
        low, two are delayed by up to 0.5 s, which is over when the worker starts, and two have an \
        idempotency key, of which every tenth is enqueued twice. It fails unless \
        each job is done exactly once and nothing is left.\n\
        floor: the one of `drain`, that is without all of this: what the extras cost.",
    plan,
    roles: &[PRODUCER, WORKER],
};

const PRODUCER: Role = Role { name: "mixed-producer", run: produce };
const WORKER: Role = Role { name: "mixed-worker", run: work };

const SLOTS: usize = 1_000;
const CASE: &str = "10 queues, 1,000 slots";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    place: Place,
    jobs: u64,
}

fn plan(config: &Config) -> Vec<Measurement> {
    let mut plan = Vec::new();
    let jobs = config.count(200_000, 2_000);
    for &engine in &config.engines {
        plan.push(Measurement::new(CASE, engine.name(), move || measure(engine, jobs)));
        plan.push(Measurement::new(CASE, engine.floor(""), move || by_hand(engine, jobs)));
    }
    plan
}

fn measure(engine: Engine, jobs: u64) -> Result<Vec<Figure>, Fail> {
    let store = Store::start(engine)?;
    let order = Order { place: store.place().clone(), jobs };
    // What is in the memory of a process must be put there by itself.
    if engine.is_shared() {
        Child::ready(&PRODUCER, &order)?.finish::<()>()?;
    }
    figures(&store, jobs, Child::ready(&WORKER, &order)?)
}

fn by_hand(engine: Engine, jobs: u64) -> Result<Vec<Figure>, Fail> {
    let store = Store::start(engine)?;
    if engine.is_shared() {
        fill::fill(&store, jobs, By::Floor)?;
    }
    let (place, slots, threads) = (store.place().clone(), SLOTS, Threads::Usual);
    let order = drain::Order { place, jobs, slots, threads, is_safe: false };
    figures(&store, jobs, Child::ready(&floor::drain::WORKER, &order)?)
}

fn figures(store: &Store, jobs: u64, worker: Child) -> Result<Vec<Figure>, Fail> {
    let before = store.usage()?;
    let spent: Spent = worker.finish()?;
    let mut figures = spent.figures(jobs, "worker CPU");
    figures.push(lower("worker RSS", "MiB", mib(spent.usage.rss_peak)));
    if let Some(server_s) = store.cpu_since(before)? {
        figures.push(lower("server CPU", "µs/job", us_each(server_s, jobs)));
    }
    Ok(figures)
}

fn produce(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mq = Client::connect(&order.place.url()).await?;
        wire.ready().await?;
        load::enqueue(&mq, 0..order.jobs).await?;
        wire.say(&())
    })
}

fn work(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mq = Client::connect(&order.place.url()).await?;
        if matches!(order.place, Place::Memory) {
            load::enqueue(&mq, 0..order.jobs).await?;
        }
        let worker = load::worker(&mq, SLOTS).build()?;
        // So that what is measured is work and not the wait for the last delay.
        tokio::time::sleep(load::DELAY_MAX).await;
        wire.ready().await?;
        let stopwatch = Stopwatch::start()?;
        let worker = worker.spawn();
        load::confirmed(&worker, order.jobs).await;
        let spent = stopwatch.stop()?;
        let report = worker.stop(Duration::from_secs(20)).await?;
        load::account(&mq, report, load::expected(0..order.jobs)).await?;
        wire.say(&spent)
    })
}
