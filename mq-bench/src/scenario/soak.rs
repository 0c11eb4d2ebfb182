//! Whether anything grows under a load that goes on for long.

use std::time::Duration;

use mq::Client;
use mq_core::clock;
use serde::{Deserialize, Serialize};

use crate::child::{Child, Role, Wire};
use crate::engine::Engine;
use crate::fail::Fail;
use crate::load;
use crate::row::{Figure, higher, lower, percentile};
use crate::runtime::{self, Threads};
use crate::scenario::memory::file_bytes;
use crate::scenario::{Config, Measurement, Scenario};
use crate::server::Server;
use crate::store::{Place, Store};
use crate::usage::{Usage, mib};
use crate::when::pause;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "soak",
    about: "The jobs of `mixed`, 10,000 each second for 10 minutes by one producer process, run by \
        one worker process. Medians of the looks in the first and in the last quarter of the time. \
        It is taken once, and fails unless each job is done exactly once and nothing is left.\n\
        There is no floor: what is compared is the beginning with the end.",
    plan,
    roles: &[PRODUCER, WORKER],
};

const PRODUCER: Role = Role { name: "soak-producer", run: produce };
const WORKER: Role = Role { name: "soak-worker", run: work };

const SLOTS: usize = 1_000;
const USUAL: Duration = Duration::from_secs(600);
/// So many jobs each second are nothing that keeps a machine busy: this is no race.
const PER_SECOND: u64 = 10_000;
/// How often jobs are enqueued.
const TICK: Duration = Duration::from_millis(100);
/// How often it is looked at, unless that were fewer than a hundred times.
const LOOK: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    place: Place,
    time: Duration,
    per_tick: u64,
}

fn plan(config: &Config) -> Vec<Measurement> {
    let time = config.seconds.unwrap_or(config.time(USUAL, Duration::from_secs(2)));
    let per_tick = config.count(PER_SECOND, 100).div_ceil(10);
    let engines = config.distinct().into_iter().filter(|engine| engine.is_shared());
    let case = format!("{} jobs each second for {} s", per_tick * 10, time.as_secs());
    let one = |engine: Engine| {
        Measurement::new(case.clone(), engine.name(), move || measure(engine, time, per_tick))
    };
    engines.map(one).collect()
}

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
enum Ask {
    /// Its usage.
    Look,
    /// To end when so many jobs have been done, and say how that was.
    End { numbers: u64 },
}

/// What is there at one time.
#[derive(Debug)]
struct Look {
    worker: f64,
    store: f64,
    keys: Option<f64>,
}

fn measure(engine: Engine, time: Duration, per_tick: u64) -> Result<Vec<Figure>, Fail> {
    let store = Store::start(engine)?;
    let order = Order { place: store.place().clone(), time, per_tick };
    let mut worker = Child::ready(&WORKER, &order)?;
    worker.go()?;
    let mut server = Server::at(store.place())?;
    let mut producer = Child::ready(&PRODUCER, &order)?;
    let start = clock::now();
    producer.go()?;
    let mut looks = Vec::new();
    while start.elapsed() < time {
        pause(LOOK.min(time / 100))?;
        looks.push(look(&store, &mut worker, server.as_mut())?);
    }
    let numbers: u64 = producer.hear()?;
    worker.say(&Ask::End { numbers })?;
    worker.hear::<()>()?;
    let seconds = start.elapsed().as_secs_f64();
    let mut figures = vec![higher("rate", "jobs/s", numbers as f64 / seconds)];
    let mut add = |unit, names: [&'static str; 2], of: &dyn Fn(&Look) -> f64| {
        let quarter = (looks.len() / 4).max(1);
        let median =
            |looks: &[Look]| percentile(&mut looks.iter().map(of).collect::<Vec<_>>(), 0.5);
        figures.push(lower(names[0], unit, median(&looks[..quarter])));
        figures.push(lower(names[1], unit, median(&looks[looks.len() - quarter..])));
    };
    add("MiB", ["worker RSS, first quarter", "worker RSS, last quarter"], &|look| look.worker);
    add("MiB", ["store, first quarter", "store, last quarter"], &|look| look.store);
    if engine.is_redis() {
        let keys = |look: &Look| look.keys.unwrap_or(f64::NAN);
        add("keys", ["keys, first quarter", "keys, last quarter"], &keys);
    }
    Ok(figures)
}

fn look(store: &Store, worker: &mut Child, server: Option<&mut Server>) -> Result<Look, Fail> {
    worker.say(&Ask::Look)?;
    let worker = mib(worker.hear::<Usage>()?.rss);
    let (store, keys) = match server {
        Some(server) => (server.info("memory", "used_memory")?, Some(server.keys()?)),
        None => (file_bytes(store.place())?, None),
    };
    Ok(Look { worker, store: mib(store as u64), keys })
}

fn produce(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mq = Client::connect(&order.place.url()).await?;
        wire.ready().await?;
        let start = clock::now();
        let mut ticks = tokio::time::interval(TICK);
        let mut next = 0;
        while start.elapsed() < order.time {
            ticks.tick().await;
            load::enqueue(&mq, next..next + order.per_tick).await?;
            next += order.per_tick;
        }
        wire.say(&next)
    })
}

fn work(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mq = Client::connect(&order.place.url()).await?;
        let worker = load::worker(&mq, SLOTS).build()?.spawn();
        wire.ready().await?;
        let numbers = loop {
            match wire.hear().await? {
                Ask::Look => wire.say(&Usage::own()?)?,
                Ask::End { numbers } => break numbers,
            }
        };
        let expected = load::expected(0..numbers);
        load::confirmed(&worker, expected.done).await;
        let report = worker.stop(Duration::from_secs(20)).await?;
        load::account(&mq, report, expected).await?;
        wire.say(&())
    })
}
