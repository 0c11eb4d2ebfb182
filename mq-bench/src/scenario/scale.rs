//! What more processes, more queues and more threads bring.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mq::prelude::*;
use mq_core::clock;

use crate::child::{Child, Role, Wire};
use crate::engine::Engine;
use crate::fail::Fail;
use crate::floor;
use crate::row::{Figure, higher, lower};
use crate::runtime::{self, Threads};
use crate::scenario::{Config, Measurement, Scenario};
use crate::store::{Place, Store};
use crate::usage::{Spent, Usage, us_each};
use crate::when::{pause, wall_us};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "scale",
    about: "Jobs queued before by another process, run by 1, 2 and 4 worker processes of one \
        thread each; by one process with all threads from 1, 4 and 16 queues; and by one process \
        whose handlers burn CPU, with one thread and with as many as there are cores. `cores busy` \
        is the CPU time of all processes and the server by the time that went by: when it is the \
        number of cores of the machine, nothing more is to be had there.\n\
        floor-threads: the same work in as many bare threads, without a queue or a server. The \
        ideal is what the threads could burn if they did nothing else.",
    plan,
    roles: &[PRODUCER, WORKER, floor::scale::BURN],
};

const PRODUCER: Role = Role { name: "scale-producer", run: produce };
const WORKER: Role = Role { name: "scale-worker", run: work };

/// How often the workers are asked whether all is done. When it was is what they say, not this.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Shape {
    processes: usize,
    threads: Threads,
    slots: usize,
    queues: u64,
    jobs: u64,
    /// What a handler burns.
    burn_us: u64,
}

impl Shape {
    fn threads(&self) -> usize {
        match self.threads {
            Threads::One => 1,
            Threads::Usual => std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// What everybody is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    place: Place,
    shape: Shape,
    rounds: u64,
}

/// What a worker says when it is asked.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Seen {
    done: u64,
    start_us: u64,
    last_us: u64,
    before: Usage,
    now: Usage,
}

fn shapes(config: &Config) -> Vec<(String, Shape)> {
    let usual = Shape {
        processes: 1,
        threads: Threads::Usual,
        slots: 1_000,
        queues: 1,
        jobs: config.count(300_000, 2_000),
        burn_us: 0,
    };
    let mut shapes = Vec::new();
    for processes in [1, 2, 4] {
        let shape = Shape { processes, threads: Threads::One, ..usual };
        let plural = if processes == 1 { "" } else { "es" };
        shapes.push((format!("{processes} worker process{plural} of one thread"), shape));
    }
    for queues in [1, 4, 16] {
        let plural = if queues == 1 { "" } else { "s" };
        shapes.push((format!("{queues} queue{plural}, one process"), Shape { queues, ..usual }));
    }
    for (burn_us, jobs) in [(200, config.count(20_000, 200)), (2_000, config.count(2_000, 50))] {
        for (threads, name) in [(Threads::One, "one thread"), (Threads::Usual, "all threads")] {
            let shape = Shape { threads, jobs, burn_us, slots: 100, ..usual };
            shapes.push((format!("handlers burn {burn_us} µs, {name}"), shape));
        }
    }
    shapes
}

fn plan(config: &Config) -> Vec<Measurement> {
    let mut plan = Vec::new();
    for (case, shape) in shapes(config) {
        for engine in config.distinct().into_iter().filter(|engine| engine.is_shared()) {
            plan.push(Measurement::new(&case, engine.name(), move || measure(engine, shape)));
        }
        if shape.burn_us > 0 {
            plan.push(Measurement::new(&case, "floor-threads", move || by_hand(shape)));
        }
    }
    plan
}

fn measure(engine: Engine, shape: Shape) -> Result<Vec<Figure>, Fail> {
    let store = Store::start(engine)?;
    let order = Order { place: store.place().clone(), shape, rounds: rounds(shape.burn_us) };
    Child::ready(&PRODUCER, &order)?.finish::<()>()?;
    let workers: Result<Vec<_>, _> =
        (0..shape.processes).map(|_| Child::ready(&WORKER, &order)).collect();
    let mut workers = workers?;
    let before = store.usage()?;
    workers.iter_mut().try_for_each(Child::go)?;
    let seen = loop {
        pause(LOOK)?;
        let seen: Result<Vec<Seen>, Fail> = workers.iter_mut().map(ask).collect();
        let seen = seen?;
        if seen.iter().map(|seen| seen.done).sum::<u64>() >= shape.jobs {
            break seen;
        }
    };
    let start_us = seen.iter().map(|seen| seen.start_us).min().unwrap_or(0);
    let last_us = seen.iter().map(|seen| seen.last_us).max().unwrap_or(0);
    let seconds = last_us.saturating_sub(start_us) as f64 / 1e6;
    let workers_s = seen.iter().map(|seen| seen.now.cpu_since(&seen.before)).sum();
    let server_s = store.cpu_since(before)?;
    Ok(figures(shape, seconds, workers_s, server_s))
}

/// The same figures for all subjects of a case.
fn figures(shape: Shape, seconds: f64, workers_s: f64, server_s: Option<f64>) -> Vec<Figure> {
    let jobs = shape.jobs as f64;
    let per_job = |seconds: f64| us_each(seconds, shape.jobs);
    let busy = (workers_s + server_s.unwrap_or(0.0)) / seconds;
    // Of their own name, so that figures of another size have a picture of their own.
    let rate = if shape.burn_us > 0 { "rate, burning" } else { "rate" };
    let mut figures = vec![
        higher(rate, "jobs/s", jobs / seconds),
        lower("worker CPU", "µs/job", per_job(workers_s)),
        lower("cores busy", "cores", busy),
    ];
    if shape.burn_us > 0 {
        let ideal = shape.threads() as f64 * 1e6 / shape.burn_us as f64;
        figures.push(higher("of the ideal", "%", jobs / seconds / ideal * 100.0));
    }
    if let Some(server_s) = server_s {
        figures.push(lower("server CPU", "µs/job", per_job(server_s)));
    }
    figures
}

fn ask(worker: &mut Child) -> Result<Seen, Fail> {
    worker.say(&())?;
    worker.hear()
}

fn by_hand(shape: Shape) -> Result<Vec<Figure>, Fail> {
    let threads = shape.threads();
    let order = floor::scale::Order { jobs: shape.jobs, rounds: rounds(shape.burn_us), threads };
    let spent: Spent = Child::ready(&floor::scale::BURN, &order)?.finish()?;
    Ok(figures(shape, spent.seconds, spent.cpu_s, None))
}

/// How many rounds of [`burn`] take so long on this machine, measured once.
fn rounds(us: u64) -> u64 {
    static PER_MS: OnceLock<u64> = OnceLock::new();
    const SAMPLE: u64 = 1_000_000;
    let per_ms = *PER_MS.get_or_init(|| {
        let once = |_| {
            let start = clock::now();
            burn(SAMPLE);
            start.elapsed()
        };
        // The quickest is the one that nobody disturbed.
        let quickest = (0..20).map(once).min().unwrap_or(Duration::from_millis(1));
        (SAMPLE as f64 / quickest.as_secs_f64() / 1e3) as u64
    });
    per_ms * us / 1_000
}

/// Work that fits into registers, so that threads do not disturb each other by their memory.
pub(crate) fn burn(rounds: u64) {
    let mut value = 1u64;
    for _ in 0..rounds {
        value = std::hint::black_box(value.wrapping_mul(6_364_136_223_846_793_005) + 1);
    }
}

/// Burns CPU.
#[derive(Debug, Serialize, Deserialize, Job)]
#[job(name = "burn", state = Arc<Stamp>)]
struct Burn {
    rounds: u64,
    padding: String,
}

/// How many have run, and when the last one did.
#[derive(Debug, Default)]
struct Stamp {
    done: AtomicU64,
    last_us: AtomicU64,
}

impl Handler<Arc<Stamp>> for Burn {
    type Error = String;

    async fn run(self, cx: Context<Arc<Stamp>>) -> Result<(), String> {
        burn(self.rounds);
        cx.state().last_us.fetch_max(wall_us(), Ordering::Relaxed);
        cx.state().done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn queue(number: u64) -> String {
    format!("scale-{number}")
}

fn produce(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mq = Client::connect(&order.place.url()).await?;
        wire.ready().await?;
        let Shape { queues, jobs, .. } = order.shape;
        for number in 0..queues {
            let share = jobs / queues + u64::from(number < jobs % queues);
            let burn = |_| Burn { rounds: order.rounds, padding: "x".repeat(70) };
            mq.enqueue_all((0..share).map(burn)).queue(queue(number)).await?;
        }
        wire.say(&())
    })
}

fn work(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(order.shape.threads, async {
        let mq = Client::connect(&order.place.url()).await?;
        let stamp = Arc::new(Stamp::default());
        let builder = Worker::builder(&mq)
            .concurrency(order.shape.slots)
            .state(stamp.clone())
            .job::<Burn, Arc<Stamp>>();
        let queues = 0..order.shape.queues;
        let worker = queues.fold(builder, |builder, number| builder.queue(queue(number), 1));
        let worker = worker.build()?;
        wire.ready().await?;
        let (start_us, before) = (wall_us(), Usage::own()?);
        let _worker = worker.spawn();
        loop {
            wire.hear::<()>().await?;
            let done = stamp.done.load(Ordering::Relaxed);
            let last_us = stamp.last_us.load(Ordering::Relaxed);
            wire.say(&Seen { done, start_us, last_us, before, now: Usage::own()? })?;
        }
    })
}
