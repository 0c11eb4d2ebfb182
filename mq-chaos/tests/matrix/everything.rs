//! F97: everything at once.

use mq_chaos::{Programs, Size, Tier, on_a_file, on_redis, times};
use mq_core::rng::Rng;

use crate::{PRODUCER, WORKER, rows};

rows! {
    Commit: f97_everything_at_once_on_redis, f97_everything_at_once_on_a_file;
}

const PROGRAMS: Programs = Programs { worker: WORKER, producer: PRODUCER, mutant: None };

/// The seeds of this run: one that is drawn, or as many as the tier says, from the one that is
/// given.
fn seeds() -> Vec<u64> {
    let count = times("MQ_SEEDS", Tier::of_this_run().pick(1, 20, 100)) as u64;
    let first = times("MQ_SEED", (Rng::random().next_u64() >> 40) as usize) as u64;
    (first..first + count).collect()
}

fn size() -> Size {
    let (jobs, faults) = Tier::of_this_run().pick((1_000, 30), (3_000, 110), (10_000, 300));
    Size { jobs: times("MQ_JOBS", jobs), faults: times("MQ_FAULTS", faults) }
}

async fn f97_everything_at_once_on_redis() {
    for seed in seeds() {
        eprintln!("MQ_SEED={seed}");
        eprintln!("{}", on_redis(PROGRAMS, seed, size()).await);
    }
}

async fn f97_everything_at_once_on_a_file() {
    for seed in seeds() {
        eprintln!("MQ_SEED={seed}");
        eprintln!("{}", on_a_file(PROGRAMS, seed, size()).await);
    }
}
