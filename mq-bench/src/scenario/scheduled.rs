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
/// How often a measurement is begun again, with twice the lead, when jobs were due before all of
/// them were stored.
const TRIES_MAX: u32 = 6;

/// What both the producer and the worker are told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) place: Place,
    pub(crate) jobs: u64,
    /// From the first to the last that is due.
    pub(crate) spread: Duration,
    /// From the first enqueue to the first job that is due.
    pub(crate) lead: Duration,
}

impl Order {
    /// The jobs, with their times counted from now.
    pub(crate) fn dues(&self) -> Vec<Due> {
        let start_ms = (wall_us() / 1_000) as f64 + self.lead.as_secs_f64() * 1e3;
        let step_ms = self.spread.as_secs_f64() * 1e3 / self.jobs as f64;
        (0..self.jobs).map(|number| Due::at((start_ms + step_ms * number as f64) as u64)).collect()
    }

    /// Whether all are stored before the first is due, if they are stored now.
    pub(crate) fn is_in_time(dues: &[Due]) -> bool {
        dues.first().is_none_or(|first| first.late_us() < 0)
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
    let lead = config.time(Duration::from_secs(1), Duration::from_millis(300));
    let cases = [
        ("one after the other, 500 each second", config.count(2_000, 50), spread),
        ("5,000 at the same instant", config.count(5_000, 50), Duration::ZERO),
    ];
    let mut plan = Vec::new();
    for (case, jobs, spread) in cases {
        for &engine in &config.engines {
            let order = move |place| Order { place, jobs, spread, lead };
            let take = move || measure(engine, &PRODUCER, &WORKER, &order);
            plan.push(Measurement::new(case, engine.name(), take));
            let (producer, worker) = (&floor::scheduled::PRODUCER, &floor::scheduled::WORKER);
            let take = move || measure(engine, producer, worker, &order);
            plan.push(Measurement::new(case, engine.floor(""), take));
        }
    }
    plan
}

fn measure(
    engine: Engine,
    producer: &Role,
    worker: &Role,
    order: &dyn Fn(Place) -> Order,
) -> Result<Vec<Figure>, Fail> {
    for tries in 0..TRIES_MAX {
        let store = Store::start(engine)?;
        let mut order = order(store.place().clone());
        order.lead *= 2u32.pow(tries);
        if let Some(late_us) = lateness(engine, producer, worker, &order)? {
            return figures(&late_us);
        }
    }
    Err(Fail::new("to schedule the jobs takes longer than they may wait"))
}

/// None if jobs were due before all of them were stored.
fn lateness(
    engine: Engine,
    producer: &Role,
    worker: &Role,
    order: &Order,
) -> Result<Option<Vec<i64>>, Fail> {
    let worker = Child::ready(worker, order)?;
    // What is in the memory of a process must be put there by itself.
    if engine.is_shared() && !Child::ready(producer, order)?.finish::<bool>()? {
        return Ok(None);
    }
    worker.finish()
}

fn figures(late_us: &[i64]) -> Result<Vec<Figure>, Fail> {
    // A step of the clock would look like that, and so would a job that runs before its time.
    if let Some(early) = late_us.iter().find(|late| **late < -1_000) {
        return Err(Fail::new(format!("a job ran {} µs before its time", -early)));
    }
    let mut late_ms: Vec<f64> = late_us.iter().map(|late| (*late).max(0) as f64 / 1e3).collect();
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
        wire.say(&schedule(&mq, &order).await?)
    })
}

/// Whether all were stored before the first was due.
async fn schedule(mq: &Client, order: &Order) -> Result<bool, Fail> {
    let (dues, mut set) = (order.dues(), JobSet::new());
    for due in &dues {
        let at = DateTime::<Utc>::from_timestamp_millis(due.at_ms as i64);
        let at = at.ok_or_else(|| Fail::new("the clock shows a time that is none"))?;
        set.add_with(due.clone(), |options| options.at(at));
    }
    mq.enqueue_set(set).await?;
    Ok(Order::is_in_time(&dues))
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
        if matches!(order.place, Place::Memory) && !schedule(&mq, &order).await? {
            return wire.say(&None::<Vec<i64>>);
        }
        let mut all = Vec::new();
        while (all.len() as u64) < order.jobs {
            all.extend(late.recv().await);
        }
        worker.stop(Duration::from_secs(20)).await?;
        wire.say(&Some(all))
    })
}
