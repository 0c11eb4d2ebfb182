//! The rows of the fault matrix that are too long for every commit, and those that came with them.
//!
//! The list of tests depends on the tier, which a test of the standard harness cannot say: there it
//! would have to pass without having done anything. `./ci chaos TIER [NAME]` runs them.

mod access;
mod backlog;
mod clock;
mod cuts;
mod data;
mod deploy;
mod encrypted;
mod everything;
mod leaks;
mod loss;
mod malformed;
mod mutants;
mod network;
mod operations;
mod power;
mod server;
mod worker;

use std::future::Future;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use mq_chaos::{Chaos, Scene, Tier};

const WORKER: &str = env!("CARGO_BIN_EXE_mq-chaos-worker");
const PRODUCER: &str = env!("CARGO_BIN_EXE_mq-chaos-producer");

/// One row on one engine: a test in this tier and in all longer ones.
struct Scenario {
    name: &'static str,
    tier: Tier,
    run: fn(),
}

/// Lists a module's scenarios as `ROWS`: async functions without arguments, by tier.
macro_rules! rows {
    ($($tier:ident: $($name:ident),+;)+) => {
        pub(crate) const ROWS: &[$crate::Scenario] = &[$($($crate::Scenario {
            name: stringify!($name),
            tier: mq_chaos::Tier::$tier,
            run: || $crate::block_on($name()),
        },)+)+];
    };
}
use rows;

/// The same as `STORE_ROWS` for async functions that take a store: each on a server and on a file.
macro_rules! store_rows {
    ($($tier:ident: $($name:ident),+;)+) => {
        pub(crate) const STORE_ROWS: &[$crate::Scenario] = &[$($(
            $crate::Scenario {
                name: concat!(stringify!($name), "::redis"),
                tier: mq_chaos::Tier::$tier,
                run: || $crate::block_on($name(mq_chaos::Store::redis())),
            },
            $crate::Scenario {
                name: concat!(stringify!($name), "::sqlite"),
                tier: mq_chaos::Tier::$tier,
                run: || $crate::block_on($name(mq_chaos::Store::sqlite())),
            },
        )+)+];
    };
}
use store_rows;

fn block_on(scenario: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.unwrap_or_else(|error| panic!("no runtime: {error}")).block_on(scenario);
}

/// Waits until a job that is enqueued now, or one before it, has started; at most so long.
async fn until_at_work(scene: &Scene, limit: Duration) {
    let (began, before) = (mq_core::clock::now(), scene.starts());
    scene.enqueue(&Chaos::many(0..1, 5)).await;
    scene.until_started(before + 1).await;
    assert!(began.elapsed() <= limit, "nobody was at work for {:?}", began.elapsed());
}

fn main() {
    let tier = Tier::of_this_run();
    let rows = [
        access::ROWS,
        cuts::ROWS,
        encrypted::ROWS,
        everything::ROWS,
        loss::ROWS,
        mutants::ROWS,
        network::ROWS,
        power::ROWS,
        server::ROWS,
        backlog::STORE_ROWS,
        clock::ROWS,
        data::STORE_ROWS,
        deploy::STORE_ROWS,
        leaks::ROWS,
        leaks::STORE_ROWS,
        malformed::STORE_ROWS,
        worker::ROWS,
        worker::STORE_ROWS,
    ];
    let trials = rows.into_iter().flatten().filter(|row| row.tier <= tier).map(|row| {
        let run = row.run;
        Trial::test(row.name, move || {
            run();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
