//! What workers cost that have nothing to do.

use std::sync::Arc;
use std::time::Duration;

use mq::{Client, Worker};
use serde::{Deserialize, Serialize};

use crate::child::{Child, Role, Wire};
use crate::engine::Engine;
use crate::fail::Fail;
use crate::floor;
use crate::job::{Count, Noop};
use crate::row::{Figure, lower};
use crate::runtime::{self, Threads};
use crate::scenario::{Config, Measurement, Scenario};
use crate::server::Server;
use crate::store::{Place, Store};
use crate::usage::Usage;
use crate::when::pause;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "idle",
    about: "100 workers on one empty queue, 25 each in 4 processes, each with a client of its own, \
        for 15 s. Requests are what is sent to the server; commands are all that it counts, those \
        inside of scripts included. CPU is in percent of one core, that of the workers of all \
        together.\n\
        floor: 100 clients that wait in BLPOP, which costs nothing until somebody sends something, \
        and would not notice a worker that died or a job that is due.",
    plan,
    roles: &[WORKERS, floor::idle::CLIENTS],
};

/// Told by an [`Order`], says nothing.
const WORKERS: Role = Role { name: "idle-workers", run: work };

const PROCESSES: u64 = 4;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) place: Place,
    /// In this process.
    pub(crate) workers: u64,
}

fn plan(config: &Config) -> Vec<Measurement> {
    let workers = config.count(100, 2 * PROCESSES) / PROCESSES;
    let time = config.time(Duration::from_secs(15), Duration::from_millis(500));
    // What workers do when they start is not what they do when they are idle.
    let settle = config.time(Duration::from_secs(2), Duration::from_millis(300));
    let case = "100 workers in 4 processes";
    let mut plan = Vec::new();
    for engine in config.distinct().into_iter().filter(|engine| engine.is_shared()) {
        let take = move || measure(engine, &WORKERS, workers, settle, time);
        plan.push(Measurement::new(case, engine.name(), take));
        // Nobody waits for a file by hand without looking at it.
        if engine.is_redis() {
            let take = move || measure(engine, &floor::idle::CLIENTS, workers, settle, time);
            plan.push(Measurement::new(case, engine.floor(""), take));
        }
    }
    plan
}

fn measure(
    engine: Engine,
    role: &Role,
    workers: u64,
    settle: Duration,
    time: Duration,
) -> Result<Vec<Figure>, Fail> {
    let store = Store::start(engine)?;
    let order = Order { place: store.place().clone(), workers };
    let children: Result<Vec<_>, _> = (0..PROCESSES).map(|_| Child::ready(role, &order)).collect();
    let children = children?;
    let mut server = Server::at(store.place())?;
    pause(settle)?;
    let before = Look::at(&store, server.as_mut(), &children)?;
    pause(time)?;
    let after = Look::at(&store, server.as_mut(), &children)?;
    let seconds = time.as_secs_f64();
    let percent = |before: &Usage, after: &Usage| after.cpu_since(before) / seconds * 100.0;
    let workers_cpu = before.workers.iter().zip(&after.workers).map(|(b, a)| percent(b, a)).sum();
    let mut figures = vec![lower("CPU of all workers", "% of a core", workers_cpu)];
    if let (Some(before_cpu), Some(after_cpu)) = (before.server, after.server) {
        // Two are questions of the look itself.
        let each = |count: f64| (count - 2.0).max(0.0) / seconds / (workers * PROCESSES) as f64;
        let requests = each(after.requests - before.requests);
        let commands = each(after.commands - before.commands);
        figures.push(lower("requests per worker", "1/s", requests));
        figures.push(lower("commands per worker", "1/s", commands));
        figures.push(lower("CPU of the server", "% of a core", percent(&before_cpu, &after_cpu)));
    }
    Ok(figures)
}

/// What has been used at one time.
struct Look {
    workers: Vec<Usage>,
    server: Option<Usage>,
    requests: f64,
    commands: f64,
}

impl Look {
    fn at(store: &Store, server: Option<&mut Server>, children: &[Child]) -> Result<Self, Fail> {
        let (mut requests, mut commands) = (0.0, 0.0);
        if let Some(server) = server {
            requests = server.info("stats", "total_reads_processed")?;
            commands = server.info("stats", "total_commands_processed")?;
        }
        let workers: Result<_, Fail> =
            children.iter().map(|child| Usage::of(child.pid())).collect();
        Ok(Self { workers: workers?, server: store.usage()?, requests, commands })
    }
}

fn work(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mut workers = Vec::new();
        for _ in 0..order.workers {
            let mq = Client::connect(&order.place.url()).await?;
            let worker = Worker::builder(&mq).state(Count::of(1)).job::<Noop, Arc<Count>>();
            workers.push(worker.build()?.spawn());
        }
        wire.ready().await?;
        drop(workers);
        Ok(())
    })
}
