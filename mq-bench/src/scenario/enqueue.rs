//! How fast one process enqueues.

use mq::Client;
use serde::{Deserialize, Serialize};

use crate::child::{Child, Role, Wire};
use crate::engine::Engine;
use crate::fail::Fail;
use crate::floor;
use crate::job::Noop;
use crate::row::{Figure, lower};
use crate::runtime::{self, Threads};
use crate::scenario::{Config, Measurement, Scenario};
use crate::store::{Place, Store};
use crate::usage::{Spent, Stopwatch, us_each};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "enqueue",
    about: "One process that enqueues jobs of 100 bytes of JSON: one task that awaits each, 64 \
        tasks that each await their own, all in one call.\n\
        floor: for one task, EVALSHA of a script that returns at once, and floor-write of one that \
        does HSET and RPUSH; for 64, each awaits its own MULTI, HSET, RPUSH, EXEC on one \
        connection; in bulk, HSET and RPUSH of 1,000 jobs per request. floor-sqlite…: INSERT into \
        one table; for one task, a transaction each, for 64, one of all that wait, in bulk, one \
        of 1,000.",
    plan,
    roles: &[PRODUCER, floor::enqueue::PRODUCER],
};

/// Told by an [`Order`], says what it [`Spent`].
const PRODUCER: Role = Role { name: "enqueue-producer", run: produce };

/// How jobs are enqueued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum How {
    /// One task that awaits each.
    One,
    /// So many tasks that do.
    Tasks(u64),
    /// In one call.
    Bulk,
}

/// What a producer is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) place: Place,
    pub(crate) jobs: u64,
    pub(crate) how: How,
    /// For the floor: whether a script writes.
    pub(crate) writes: bool,
}

impl Order {
    /// How many jobs a task enqueues, and how many tasks there are.
    pub(crate) fn shares(&self) -> Vec<u64> {
        let tasks = match self.how {
            How::One | How::Bulk => 1,
            How::Tasks(tasks) => tasks,
        };
        (0..tasks).map(|task| (self.jobs + task) / tasks).collect()
    }
}

const CASES: &[(&str, How, u64)] = &[
    ("1 producer", How::One, 10_000),
    ("64 concurrent", How::Tasks(64), 100_000),
    ("bulk", How::Bulk, 300_000),
];

fn plan(config: &Config) -> Vec<Measurement> {
    let mut plan = Vec::new();
    for &(case, how, jobs) in CASES {
        for &engine in &config.engines {
            let jobs = config.count(jobs, 64);
            let mut add = |role: Role, subject: String, writes| {
                let take = move || measure(engine, role, jobs, how, writes);
                plan.push(Measurement::new(case, subject, take));
            };
            add(PRODUCER, engine.name().to_owned(), true);
            let is_script = how == How::One && engine.is_redis();
            add(floor::enqueue::PRODUCER, engine.floor(""), !is_script);
            if is_script {
                add(floor::enqueue::PRODUCER, engine.floor("write"), true);
            }
        }
    }
    plan
}

fn measure(
    engine: Engine,
    role: Role,
    jobs: u64,
    how: How,
    writes: bool,
) -> Result<Vec<Figure>, Fail> {
    let store = Store::start(engine)?;
    let order = Order { place: store.place().clone(), jobs, how, writes };
    let producer = Child::ready(&role, &order)?;
    let before = store.usage()?;
    let spent: Spent = producer.finish()?;
    let mut figures = spent.figures(jobs, "producer CPU");
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
        let stopwatch = Stopwatch::start()?;
        if order.how == How::Bulk {
            mq.enqueue_all((0..order.jobs).map(|_| Noop::new())).await?;
        } else {
            let tasks: Vec<_> = order
                .shares()
                .into_iter()
                .map(|share| tokio::spawn(one_by_one(mq.clone(), share)))
                .collect();
            for task in tasks {
                task.await??;
            }
        }
        wire.say(&stopwatch.stop()?)
    })
}

async fn one_by_one(mq: Client, jobs: u64) -> Result<(), mq::EnqueueError> {
    for _ in 0..jobs {
        mq.enqueue(Noop::new()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_share_all_jobs() {
        let shares = |jobs, how| Order { place: Place::Memory, jobs, how, writes: true }.shares();
        assert_eq!(shares(7, How::One), [7]);
        assert_eq!(shares(7, How::Tasks(3)), [2, 2, 3]);
        assert_eq!(shares(1_000, How::Tasks(64)).iter().sum::<u64>(), 1_000);
    }
}
