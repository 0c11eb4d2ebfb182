//! What is measured of a peer, each on a new server.

use std::time::Duration;

use serde::Deserialize;

use super::list::Peer;
use super::program::Running;
use super::setup::Workshop;
use crate::engine::Engine;
use crate::fail::Fail;
use crate::row::{Figure, higher, lower, percentile};
use crate::server::Server;
use crate::store::Store;
use crate::usage::us_each;

/// How long one program may run. A latency run starts no job after 45 s, and
/// the slowest peer takes 30 s for one.
const PROGRAM_MAX: Duration = Duration::from_secs(120);
/// How many jobs the producer that awaits each enqueues.
const ONE_BY_ONE: u64 = 5_000;
/// How many idle pickups are timed.
const PICKUPS: u64 = 200;

/// What a measurement is called, and how it is taken.
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) take: fn(&Workshop, &Peer) -> Result<Vec<Figure>, Fail>,
}

/// In the order in which each round takes them.
pub(crate) const ALL: &[Measure] = &[
    Measure { name: "drain", take: drain },
    Measure { name: "enqueue", take: enqueue_one },
    Measure { name: "pickup", take: pickup },
];

/// What a program says of itself.
#[derive(Debug, Deserialize)]
pub(crate) struct About {
    pub(crate) name: String,
    pub(crate) version: String,
    /// What was set for it.
    pub(crate) settings: String,
}

#[derive(Debug, Deserialize)]
struct Timed {
    jobs: u64,
    seconds: f64,
}

#[derive(Debug, Deserialize)]
struct First {
    first: bool,
}

#[derive(Debug, Deserialize)]
struct Pickups {
    ms: Vec<f64>,
}

/// Asks a program who it is.
pub(crate) fn about(workshop: &Workshop, peer: &Peer) -> Result<About, Fail> {
    let mut command = workshop.command(peer);
    command.arg("about");
    Running::start(command, PROGRAM_MAX)?.answer()
}

/// Starts a program on a server, for at most so long.
pub(crate) fn start(
    workshop: &Workshop,
    peer: &Peer,
    verb: &str,
    store: &Store,
    jobs: u64,
    max: Duration,
) -> Result<Running, Fail> {
    let mut command = workshop.command(peer);
    command.args([verb, &store.place().url(), &jobs.to_string()]);
    Running::start(command, max)
}

/// Waits until a worker's first handler starts.
pub(crate) fn first(worker: &mut Running) -> Result<(), Fail> {
    let First { first } = worker.answer()?;
    if first { Ok(()) } else { Err(Fail::new("the worker did not start a handler")) }
}

/// Enqueues in the fastest way that the peer has.
pub(crate) fn fill(
    workshop: &Workshop,
    peer: &Peer,
    store: &Store,
    jobs: u64,
) -> Result<f64, Fail> {
    let mut program = start(workshop, peer, "enqueue", store, jobs, PROGRAM_MAX)?;
    let Timed { seconds, .. } = program.answer()?;
    program.end()?;
    Ok(seconds)
}

/// What several drains come to.
#[derive(Debug, Default)]
struct Sum {
    enqueue_s: f64,
    drain_s: f64,
    worker_cpu_s: f64,
    server_cpu_s: f64,
    bytes: f64,
}

fn drain(workshop: &Workshop, peer: &Peer) -> Result<Vec<Figure>, Fail> {
    let mut sum = Sum::default();
    for _ in 0..peer.times {
        drain_once(workshop, peer, &mut sum)?;
    }
    let count = peer.jobs * u64::from(peer.times);
    let jobs = count as f64;
    Ok(vec![
        higher("drain", "jobs/s", jobs / sum.drain_s),
        higher("enqueue, bulk", "jobs/s", jobs / sum.enqueue_s),
        lower("worker CPU", "µs/job", us_each(sum.worker_cpu_s, count)),
        lower("server CPU", "µs/job", us_each(sum.server_cpu_s, count)),
        lower("memory", "B/job", sum.bytes / jobs),
    ])
}

fn drain_once(workshop: &Workshop, peer: &Peer, sum: &mut Sum) -> Result<(), Fail> {
    let store = Store::start(Engine::Redis)?;
    let empty = used_memory(&store)?;
    sum.enqueue_s += fill(workshop, peer, &store, peer.jobs)?;
    sum.bytes += used_memory(&store)? - empty;
    let mut worker = start(workshop, peer, "drain", &store, peer.jobs, PROGRAM_MAX)?;
    first(&mut worker)?;
    // From here on, so that the start of an interpreter is not counted.
    let (worker_cpu, server) = (worker.cpu_s(), store.usage()?);
    let Timed { jobs, seconds } = worker.answer()?;
    if jobs != peer.jobs {
        return Err(Fail::new(format!("of {} jobs, {jobs} were run", peer.jobs)));
    }
    sum.drain_s += seconds;
    sum.worker_cpu_s += worker.cpu_s() - worker_cpu;
    sum.server_cpu_s += store.cpu_since(server)?.ok_or_else(no_server)?;
    Ok(())
}

fn enqueue_one(workshop: &Workshop, peer: &Peer) -> Result<Vec<Figure>, Fail> {
    let store = Store::start(Engine::Redis)?;
    let mut program = start(workshop, peer, "enqueue-one", &store, ONE_BY_ONE, PROGRAM_MAX)?;
    let Timed { jobs, seconds } = program.answer()?;
    program.end()?;
    Ok(vec![higher("enqueue, one", "jobs/s", jobs as f64 / seconds)])
}

fn pickup(workshop: &Workshop, peer: &Peer) -> Result<Vec<Figure>, Fail> {
    let store = Store::start(Engine::Redis)?;
    let mut program = start(workshop, peer, "latency", &store, PICKUPS, PROGRAM_MAX)?;
    let Pickups { mut ms } = program.answer()?;
    let p99 = percentile(&mut ms, 0.99);
    let Some(&upper) = ms.get(ms.len() / 2) else {
        return Err(Fail::new("no job was picked up in time"));
    };
    // Of the slowest there are so few that it matters what the middle of two is.
    let p50 = (percentile(&mut ms, 0.5) + upper) / 2.0;
    Ok(vec![lower("pickup p50", "ms", p50), lower("pickup p99", "ms", p99)])
}

fn used_memory(store: &Store) -> Result<f64, Fail> {
    Server::at(store.place())?.ok_or_else(no_server)?.info("memory", "used_memory")
}

fn no_server() -> Fail {
    Fail::new("peers need a server")
}
