//! Allocations of producers and workers, beside `main.rs`, which says how to read and renew them.
//! Counted on the thread on which all of it happens, so the keeper of leases is left out.
//!
//! In a process of its own, and as one test: the engine on Redis remembers the last ids that the
//! process has sent, in sets that grow from time to time, and they shall do so at the same jobs in
//! every run.
#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

mod passing;
mod scene;
#[path = "../support/passing.rs"]
mod support;
mod table;

use std::sync::Arc;

use allocation_counter::measure;
use mq::Client;
use mq::engine::Engine;
use mq_testkit::{MemoryEngine, RedisServer};
use tokio::runtime::Runtime;

use crate::scene::{Noop, ROUNDS, Scene, one_thread};
use crate::table::Table;

const ABOUT: &str = "\
    Allocations and bytes allocated for 1,000 jobs of 100 bytes which do nothing, on the client's
    side: in mq, in what it is made of, and in the job itself, which has one String.
    ± 0.2 %: replies that are read in pieces allocate a little more, and sets whose hashes are
    random in each process make room sooner or later. One allocation more per job is 1.9 % and more.
    Written by `MQ_BLESS=1 cargo test --test allocations`.";

const JOBS: u64 = 1000;

#[test]
fn jobs_allocate_what_is_written() {
    let mut table = Table::new("allocations.txt", ABOUT, &["allocations", "bytes"]);
    for slots in [1, 100, 1000] {
        let name = format!("worker in memory, {slots} slots");
        table.about(&name, &least(|| work(in_memory(), slots)));
    }
    for slots in [10, 100, 1000] {
        let name = format!("worker on Redis, {slots} slots");
        table.about(&name, &least(|| on_redis(|store| work(store, slots))));
    }
    table.about("enqueue in memory, one by one", &least(|| enqueue_each(in_memory())));
    table.about("enqueue in memory, all", &least(|| enqueue_all(in_memory())));
    table.about("enqueue on Redis, one by one", &least(|| on_redis(enqueue_each)));
    table.about("enqueue on Redis, 100 callers at a time", &least(|| on_redis(enqueue_at_once)));
    table.about("enqueue on Redis, all", &least(|| on_redis(enqueue_all)));
    table.check();
}

/// Allocations and their bytes.
type Spent = [u64; 2];
type Store = (Runtime, Arc<dyn Engine>);

/// Each for itself: a reply that is read in two pieces allocates once more, and on another day
/// another buffer grows.
fn least(count: impl Fn() -> Spent) -> Spent {
    let rounds: Vec<Spent> = (0..ROUNDS).map(|_| count()).collect();
    [0, 1].map(|at| rounds.iter().map(|spent| spent[at]).min().unwrap())
}

fn spent(run: impl FnOnce()) -> Spent {
    let info = measure(run);
    [info.count_total, info.bytes_total]
}

fn in_memory() -> Store {
    (one_thread(), Arc::new(MemoryEngine::new(1_700_000_000_000)))
}

fn on_redis(count: impl FnOnce(Store) -> Spent) -> Spent {
    let server = RedisServer::start();
    let runtime = one_thread();
    let client = runtime.block_on(Client::connect(server.url())).unwrap();
    count((runtime, Arc::clone(client.engine())))
}

fn work((runtime, store): Store, slots: usize) -> Spent {
    let scene = Scene::start(runtime, store, slots);
    scene.fill(JOBS);
    spent(|| scene.drain(JOBS))
}

fn jobs() -> Vec<Noop> {
    (0..JOBS).map(|_| Noop::new()).collect()
}

/// On a client that has enqueued before.
fn enqueue((runtime, store): Store, send: &impl AsyncFn(&Client, Vec<Noop>)) -> Spent {
    let client = Client::with_engine(store);
    for _ in 0..2 {
        runtime.block_on(send(&client, jobs()));
    }
    let jobs = jobs();
    spent(|| runtime.block_on(send(&client, jobs)))
}

fn enqueue_each(store: Store) -> Spent {
    enqueue(store, &async |client, jobs| {
        for job in jobs {
            client.enqueue(job).await.unwrap();
        }
    })
}

fn enqueue_at_once(store: Store) -> Spent {
    enqueue(store, &async |client, jobs| {
        let mut jobs = jobs.into_iter();
        while jobs.len() > 0 {
            let send = |job| tokio::spawn(client.enqueue(job).into_future());
            let calls: Vec<_> = jobs.by_ref().take(100).map(send).collect();
            for call in calls {
                call.await.unwrap().unwrap();
            }
        }
    })
}

fn enqueue_all(store: Store) -> Spent {
    enqueue(store, &async |client, jobs| {
        client.enqueue_all(jobs).await.unwrap();
    })
}
