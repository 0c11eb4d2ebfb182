//! What a worker asks of its store while it runs 1,000 jobs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mq_testkit::MemoryEngine;

use crate::operations::Stage;
use crate::redis::{Cost, Redis};
use crate::scene::{ROUNDS, Scene, one_thread};
use crate::table::Table;

const ABOUT: &str = "\
    What a worker costs that runs 1,000 waiting jobs which do nothing, until its store knows the
    end of the last one. Written by `MQ_BLESS=1 cargo test --test costs`.";

const JOBS: u64 = 1000;

/// Requests that claim, and requests that only finish.
type Requests = [u64; 2];

fn in_memory(slots: usize) -> Requests {
    let store = Arc::new(MemoryEngine::new(1_700_000_000_000));
    let scene = Scene::start(one_thread(), store, slots);
    scene.fill(JOBS);
    requests(&scene);
    scene.drain(JOBS);
    requests(&scene)
}

fn on_redis(slots: usize) -> (Requests, Cost) {
    let runtime = one_thread();
    let stage = runtime.block_on(Redis::start());
    let scene = Scene::start(runtime, Arc::clone(stage.engine()), slots);
    scene.fill(JOBS);
    requests(&scene);
    scene.runtime.block_on(stage.begin());
    scene.drain(JOBS);
    (requests(&scene), scene.runtime.block_on(stage.cost()))
}

fn requests(scene: &Scene) -> Requests {
    [&scene.seen.claims, &scene.seen.finishes].map(|count| count.swap(0, Ordering::Relaxed))
}

#[test]
fn a_worker_sends_what_is_written() {
    let columns = [&["claims", "finishes"][..], &Cost::COLUMNS].concat();
    let mut table = Table::new("worker.txt", ABOUT, &columns);
    for slots in [1, 10, 100, 1000] {
        table.row(&format!("in memory, {slots} slots"), &in_memory(slots), "");
    }
    for slots in [10, 100, 1000] {
        let (requests, cost) = (0..ROUNDS).map(|_| on_redis(slots)).min().unwrap();
        let cells = [&requests[..], &cost.cells()].concat();
        table.row(&format!("on Redis, {slots} slots"), &cells, &cost.parts());
    }
    table.check();
}
