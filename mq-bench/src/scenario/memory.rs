//! What a job takes while it waits, and what a worker takes.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use mq::{Client, JobSet, Priority, Worker};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::child::{Child, Role, Wire};
use crate::engine::Engine;
use crate::fail::Fail;
use crate::fill::{self, By};
use crate::floor;
use crate::job::{Count, Noop};
use crate::load;
use crate::row::{Figure, lower};
use crate::runtime::{self, Threads};
use crate::scenario::{Config, Measurement, Scenario};
use crate::server::Server;
use crate::store::{Place, Store};
use crate::usage::{Spent, Stopwatch, Usage, mib};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "memory",
    about: "Bytes of a queued job beyond its payload of 100 bytes: of used_memory for Redis, of \
        used pages of the file for SQLite. And memory of a worker process that runs jobs which do \
        nothing, 1,000 at a time, while another process enqueues them.\n\
        floor: the bare payload under an id as long as mq's: HSET and RPUSH, ZADD for a time, one \
        more HSET for a key. floor-sqlite: a table of id and payload, with an indexed column for a \
        time or a key.",
    plan,
    roles: &[PRODUCER, WORKER, floor::memory::PRODUCER],
};

pub(crate) const PRODUCER: Role = Role { name: "memory-producer", run: produce };
const WORKER: Role = Role { name: "memory-worker", run: work };

const PAYLOAD: f64 = 100.0;
const SLOTS: usize = 1_000;
/// So many at a time are put into a set or a transaction.
const BATCH: usize = 1_000;

/// How the jobs wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Ready,
    Scheduled,
    Keyed,
    High,
}

const KINDS: [(&str, Kind); 4] = [
    ("ready", Kind::Ready),
    ("scheduled", Kind::Scheduled),
    ("ready, with an idempotency key", Kind::Keyed),
    ("ready, with high priority", Kind::High),
];

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) place: Place,
    /// The number of the first: no two jobs of a floor may have the same.
    pub(crate) first: u64,
    pub(crate) jobs: u64,
    pub(crate) kind: Kind,
}

impl Order {
    /// The numbers of the jobs of one request after the other.
    pub(crate) fn batches(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let end = self.first + self.jobs;
        (self.first..end).step_by(BATCH).map(move |first| first..end.min(first + BATCH as u64))
    }
}

fn plan(config: &Config) -> Vec<Measurement> {
    let mut plan = Vec::new();
    let jobs = config.count(100_000, 2_000);
    // Nothing to be seen in a file from without.
    let engines = || config.distinct().into_iter().filter(|engine| engine.is_shared());
    for (case, kind) in KINDS {
        for engine in engines() {
            let take = move || queued(engine, &PRODUCER, jobs, kind);
            plan.push(Measurement::new(case, engine.name(), take));
            let take = move || queued(engine, &floor::memory::PRODUCER, jobs, kind);
            plan.push(Measurement::new(case, engine.floor(""), take));
        }
    }
    let jobs = config.count(1_000_000, 10_000);
    for engine in engines() {
        let take = move || worker(engine, jobs);
        plan.push(Measurement::new("worker process, 1,000,000 jobs", engine.name(), take));
    }
    plan
}

fn queued(engine: Engine, producer: &Role, jobs: u64, kind: Kind) -> Result<Vec<Figure>, Fail> {
    let store = Store::start(engine)?;
    let mut used = Used::of(store.place())?;
    let order = Order { place: store.place().clone(), first: 0, jobs, kind };
    // An empty store has its tables, which are no part of a job.
    Child::ready(producer, &Order { jobs: 0, ..order.clone() })?.finish::<Spent>()?;
    let before = used.bytes()?;
    Child::ready(producer, &order)?.finish::<Spent>()?;
    let each = (used.bytes()? - before) / jobs as f64;
    Ok(vec![lower("beyond the payload", "bytes/job", each - PAYLOAD)])
}

/// How much a store holds.
enum Used<'a> {
    Server(Server),
    File(&'a Place),
}

impl<'a> Used<'a> {
    fn of(place: &'a Place) -> Result<Self, Fail> {
        Ok(Server::at(place)?.map_or(Self::File(place), Self::Server))
    }

    fn bytes(&mut self) -> Result<f64, Fail> {
        match self {
            Self::Server(server) => server.info("memory", "used_memory"),
            Self::File(place) => file_bytes(place),
        }
    }
}

/// What is in a file and in its log, without the pages that are free.
pub(crate) fn file_bytes(place: &Place) -> Result<f64, Fail> {
    let Place::Sqlite { path, .. } = place else { return Err(Fail::new("there is no file")) };
    let conn = Connection::open(path)?;
    let pragma = |name| conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, f64>(0));
    Ok((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?)
}

fn produce(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mq = Client::connect(&order.place.url()).await?;
        wire.ready().await?;
        let stopwatch = Stopwatch::start()?;
        for batch in order.batches() {
            let mut set = JobSet::new();
            for number in batch {
                set.add_with(Noop::new(), |options| match order.kind {
                    Kind::Ready => options,
                    Kind::Scheduled => options.delay(Duration::from_secs(86_400)),
                    Kind::Keyed => options.idempotency_key(key(number)),
                    Kind::High => options.priority(Priority::High),
                });
            }
            mq.enqueue_set(set).await?;
        }
        wire.say(&stopwatch.stop()?)
    })
}

/// An idempotency key of 16 bytes.
pub(crate) fn key(number: u64) -> String {
    format!("order-{number:010}")
}

/// A tenth of the jobs after the other, so that it can be seen whether memory grows.
fn worker(engine: Engine, jobs: u64) -> Result<Vec<Figure>, Fail> {
    let store = Store::start(engine)?;
    let mut worker = Child::ready(&WORKER, store.place())?;
    worker.go()?;
    let mut looks = Vec::new();
    for round in 1..=10 {
        fill::fill(&store, jobs / 10, By::Mq)?;
        worker.say(&(jobs / 10 * round))?;
        looks.push(worker.hear::<Usage>()?);
    }
    let at = |round: usize| looks.get(round).map_or(f64::NAN, |usage| mib(usage.rss));
    Ok(vec![
        lower("RSS, first tenth", "MiB", at(0)),
        lower("RSS, end", "MiB", at(9)),
        lower("RSS, peak", "MiB", looks.last().map_or(f64::NAN, |usage| mib(usage.rss_peak))),
    ])
}

/// Is told how many jobs must be done, waits for that, and says what it has used.
fn work(mut wire: Wire) -> Result<(), Fail> {
    let place: Place = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mq = Client::connect(&place.url()).await?;
        let worker = Worker::builder(&mq)
            .concurrency(SLOTS)
            // It is the worker's own report that tells when all are done.
            .state(Count::of(u64::MAX))
            .job::<Noop, Arc<Count>>()
            .build()?
            .spawn();
        wire.ready().await?;
        loop {
            let jobs: u64 = wire.hear().await?;
            load::confirmed(&worker, jobs).await;
            wire.say(&Usage::own()?)?;
        }
    })
}
