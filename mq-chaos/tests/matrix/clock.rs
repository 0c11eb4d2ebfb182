//! Workers whose clocks are wrong: F14. On a server only: the processes on one file are on one
//! machine and have one clock, which is F78.

use std::time::Duration;

use mq_chaos::{Chaos, Fleet, Scene, Store, compile_shim, lasts};
use mq_core::engine::Schedule;

use super::rows;
use super::worker::{LEASE, PROGRAM, jobs};

rows! {
    Nightly: f14_the_clocks_of_workers_do_not_matter;
}

const TEN_YEARS: i64 = 10 * 366 * 24 * 60 * 60;

/// F14: workers that are an hour or ten years off, and one that is set anew each second: no job
/// starts before it is due on the server, no lease is lost, retries and follow-ups come in time.
async fn f14_the_clocks_of_workers_do_not_matter() {
    let store = Store::redis();
    let scene = Scene::new(&store.url()).await;
    let shim = compile_shim(scene.dir(), "clock").display().to_string();
    let off = [3_600, -3_600, TEN_YEARS, -TEN_YEARS].map(|seconds| seconds.to_string());
    let mut fleets = Vec::new();
    for by in off.into_iter().chain(["jump".to_owned()]) {
        let mut settings = scene.settings(LEASE);
        settings.concurrency = 4;
        settings.more = vec![("LD_PRELOAD", shim.clone()), ("MQ_CLOCK_S", by)];
        fleets.push(Fleet::start(PROGRAM, settings, 1));
    }
    // A slot of each is taken for three leases.
    scene.enqueue(&jobs(20, 3 * LEASE.as_millis() as u64)).await;
    scene.until_started(20).await;
    let odd = |job: Chaos| Chaos {
        failures: u32::from(job.number.is_multiple_of(4)) * 2,
        child: job.number % 4 == 1,
        ..job
    };
    let later: Vec<_> = jobs(200, 5).into_iter().map(odd).collect();
    let engine = scene.client.engine();
    let due_ms = engine.ping().await.expect("the server's time") + 4 * LEASE.as_millis() as u64;
    scene.enqueue_at(&later, Schedule::At(due_ms)).await;
    loop {
        // In this order: what has started by now has started before the time that is asked next.
        let started = scene.starts();
        let now_ms = engine.ping().await.expect("the server's time");
        if now_ms >= due_ms {
            break;
        }
        assert_eq!(started, 20, "{} ms early", due_ms - now_ms);
        lasts(Duration::from_millis(50)).await;
    }
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!((stats.done_total, stats.dead), (20 + 200 + 50, 0), "{stats:#?}");
    assert_eq!((stats.failed_total, stats.interrupted_total), (100, 0), "{stats:#?}");
    assert_eq!(account.unexplained(), 0);
    for fleet in fleets {
        assert_eq!(fleet.stop(), [Some(0)]);
    }
}
