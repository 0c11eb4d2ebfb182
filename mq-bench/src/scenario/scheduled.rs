//! How late jobs run that are due at a time.

use std::time::Duration;

use mq::prelude::{DateTime, Deserialize, Handler, Job, Serialize, Utc};
use mq::{Client, Context, JobSet, Worker};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::child::{Child, Role, Wire};
use crate::engine::Engine;
use crate::fail::Fail;
use crate::floor;
use crate::row::{Figure, lower, percentile};
use crate::runtime::{self, Threads};
use crate::scenario::{Config, Measurement, Scenario};
use crate::store::{Place, Store};
use crate::when::wall_us;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "scheduled",
    about: "How long after its time a job's handler starts: one idle worker with free slots, jobs \
        scheduled before by another process.\n\
        floor: a process that knows when the next job is due, sleeps until then, and takes what is \
        due: ZRANGEBYSCORE, then ZREM, HMGET and HDEL in one request; a task per job. \
        floor-sqlite…: the same with one SELECT and one DELETE.",
    plan,
    roles: &[PRODUCER, WORKER, floor::scheduled::PRODUCER, floor::scheduled::WORKER],
};

const PRODUCER: Role = Role { name: "scheduled-producer", run: produce };
const WORKER: Role = Role { name: "scheduled-worker", run: work };

const SLOTS: usize = 1_000;
/// From the first enqueue to the first job that is due: all must be there by then.
const LEAD: Duration = Duration::from_secs(1);

/// What both the producer and the worker are told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) place: Place,
    pub(crate) jobs: u64,
    /// From the first to the last that is due.
    pub(crate) spread: Duration,
}

impl Order {
    /// The jobs, with their times counted from now.
    pub(crate) fn dues(&self) -> Vec<Due> {
        let start_ms = (wall_us() / 1_000) as f64 + LEAD.as_secs_f64() * 1e3;
        let step_ms = self.spread.as_secs_f64() * 1e3 / self.jobs as f64;
        (0..self.jobs).map(|number| Due::at((start_ms + step_ms * number as f64) as u64)).collect()
    }

    /// An error if some were due before all of them were stored.
    pub(crate) fn in_time(dues: &[Due]) -> Result<(), Fail> {
        match dues.first() {
            Some(first) if first.late_us() > 0 => {
                Err(Fail::new(format!("to schedule {} jobs took longer than {LEAD:?}", dues.len())))
            }
            _ => Ok(()),
        }
    }
}

/// Says how late it is.
#[derive(Debug, Clone, Serialize, Deserialize, Job)]
#[job(name = "due", state = UnboundedSender<i64>)]
pub(crate) struct Due {
    pub(crate) at_ms: u64,
    padding: String,
}

impl Due {
    fn at(at_ms: u64) -> Self {
        // 100 bytes of JSON together with the time.
        Self { at_ms, padding: "x".repeat(64) }
    }

    pub(crate) fn late_us(&self) -> i64 {
        wall_us() as i64 - self.at_ms as i64 * 1_000
    }
}

impl Handler<UnboundedSender<i64>> for Due {
    type Error = String;

    async fn run(self, cx: Context<UnboundedSender<i64>>) -> Result<(), String> {
        cx.state().send(self.late_us()).map_err(|error| error.to_string())
    }
}

fn plan(config: &Config) -> Vec<Measurement> {
    let spread = config.time(Duration::from_secs(4), Duration::from_millis(200));
    let cases = [
        ("one after the other, 500 each second", config.count(2_000, 50), spread),
        ("5,000 at the same instant", config.count(5_000, 50), Duration::ZERO),
    ];
    let mut plan = Vec::new();
    for (case, jobs, spread) in cases {
        for &engine in &config.engines {
            let take = move || measure(engine, &PRODUCER, &WORKER, jobs, spread);
            plan.push(Measurement::new(case, engine.name(), take));
            let (producer, worker) = (&floor::scheduled::PRODUCER, &floor::scheduled::WORKER);
            let take = move || measure(engine, producer, worker, jobs, spread);
            plan.push(Measurement::new(case, engine.floor(""), take));
        }
    }
    plan
}

fn measure(
    engine: Engine,
    producer: &Role,
    worker: &Role,
    jobs: u64,
    spread: Duration,
) -> Result<Vec<Figure>, Fail> {
    let store = Store::start(engine)?;
    let order = Order { place: store.place().clone(), jobs, spread };
    let worker = Child::ready(worker, &order)?;
    // What is in the memory of a process must be put there by itself.
    if engine.is_shared() {
        Child::ready(producer, &order)?.finish::<()>()?;
    }
    let late_us: Vec<i64> = worker.finish()?;
    // A step of the clock would look like that, and so would a job that runs before its time.
    if let Some(early) = late_us.iter().find(|late| **late < -1_000) {
        return Err(Fail::new(format!("a job ran {} µs before its time", -early)));
    }
    let mut late_ms: Vec<f64> = late_us.iter().map(|late| *late as f64 / 1e3).collect();
    Ok(vec![
        lower("lateness p50", "ms", percentile(&mut late_ms, 0.5)),
        lower("lateness p99", "ms", percentile(&mut late_ms, 0.99)),
        lower("lateness max", "ms", percentile(&mut late_ms, 1.0)),
    ])
}

fn produce(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mq = Client::connect(&order.place.url()).await?;
        wire.ready().await?;
        schedule(&mq, &order).await?;
        wire.say(&())
    })
}

async fn schedule(mq: &Client, order: &Order) -> Result<(), Fail> {
    let (dues, mut set) = (order.dues(), JobSet::new());
    for due in &dues {
        let at = DateTime::<Utc>::from_timestamp_millis(due.at_ms as i64);
        let at = at.ok_or_else(|| Fail::new("the clock shows a time that is none"))?;
        set.add_with(due.clone(), |options| options.at(at));
    }
    mq.enqueue_set(set).await?;
    Order::in_time(&dues)
}

fn work(mut wire: Wire) -> Result<(), Fail> {
    let order: Order = wire.order()?;
    runtime::run(Threads::Usual, async {
        let mq = Client::connect(&order.place.url()).await?;
        let (sender, mut late) = unbounded_channel::<i64>();
        let worker = Worker::builder(&mq)
            .concurrency(SLOTS)
            .state(sender)
            .job::<Due, UnboundedSender<i64>>()
            .build()?
            .spawn();
        wire.ready().await?;
        if matches!(order.place, Place::Memory) {
            schedule(&mq, &order).await?;
        }
        let mut all = Vec::new();
        while (all.len() as u64) < order.jobs {
            all.extend(late.recv().await);
        }
        worker.stop(Duration::from_secs(20)).await?;
        wire.say(&all)
    })
}
