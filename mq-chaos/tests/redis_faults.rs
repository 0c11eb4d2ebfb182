//! Faults of the store: F20, F24, F25, F26, F27 and F29 of the fault matrix.

use std::time::Duration;

use mq_chaos::{Chaos, Fleet, LEASE, Scene, Tier, chance, lasts};
use mq_core::clock;
use mq_testkit::RedisServer;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mq-chaos-worker");

/// Jobs keep coming while `fault` does its work; all of them end, each once.
async fn under_load(
    server: &RedisServer,
    count: u64,
    fault: impl AsyncFnOnce(&Scene),
) -> (Scene, usize) {
    mq_chaos::under_load(PROGRAM, &server.url(), count, fault).await
}

/// F20: `kill -9` of redis-server with AOF everysec, ten times and more: nothing lost, nobody
/// restarts, and all are back at work within 5 s.
#[tokio::test(flavor = "multi_thread")]
async fn f20_workers_and_producers_survive_killed_servers() {
    let (mut rng, kills) = (chance(), Tier::of_this_run().pick(10, 50, 300));
    let mut server = RedisServer::on_a_fast_disk(&["--appendonly", "yes"]);
    let url = server.url();
    let scene = Scene::new(&url).await;
    let fleet = Fleet::start(PROGRAM, scene.settings(LEASE), 2);
    for round in 0..kills {
        scene.enqueue_all(&Chaos::many(100 * round..100 * (round + 1), 5), 5).await;
        scene.note("kill -9 of redis-server");
        server.kill9();
        // Mostly short, and at times longer than a request waits for its answer.
        let most = if rng.between(0, 19) == 0 { 10_000 } else { 350 };
        lasts(Duration::from_millis(rng.between(50, most))).await;
        server.restart();
        let (back, before) = (clock::now(), scene.starts());
        assert!(scene.enqueue(&Chaos::many(0..5, 5)).await);
        scene.until_started(before + 1).await;
        assert!(back.elapsed() <= Duration::from_secs(5), "idle for {:?}", back.elapsed());
    }
    scene.rest().await;
    let account = scene.judge().await;
    assert_eq!(account.unexplained(), 0, "a store that is away is no interruption");
    assert!(fleet.stop().iter().all(|code| *code == Some(0)));
}

/// F24: the server freezes for 1 and 4 s, and longer at night. Enqueues of unknown outcome are
/// resolved, not doubled.
#[tokio::test(flavor = "multi_thread")]
async fn f24_a_frozen_server_loses_and_doubles_nothing() {
    let server = RedisServer::start();
    let freeze = async |_: &Scene| {
        for seconds in Tier::of_this_run().pick(&[1, 4][..], &[1, 5, 13], &[1, 5, 13, 14]) {
            server.stop_process();
            lasts(Duration::from_secs(*seconds)).await;
            server.continue_process();
            lasts(Duration::from_millis(500)).await;
        }
    };
    let (_, unexplained) = under_load(&server, 600, freeze).await;
    assert_eq!(unexplained, 0, "no false recovery: the freeze was shorter than the lease");
}

/// F24, longer than the lease: the store's clock ran on, yet living workers are not declared dead.
#[tokio::test(flavor = "multi_thread")]
async fn f24_a_freeze_longer_than_the_lease_recovers_nobody_who_lives() {
    let server = RedisServer::start();
    let scene = Scene::new(&server.url()).await;
    let lease = Duration::from_secs(2);
    let fleet = Fleet::start(PROGRAM, scene.settings(lease), 2);
    scene.enqueue(&Chaos::many(0..16, 8_000)).await;
    scene.until_started(16).await;
    server.stop_process();
    lasts(lease * 2).await;
    server.continue_process();
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!(stats.interrupted_total, 0, "{stats:#?}");
    assert_eq!(account.unexplained(), 0);
    fleet.stop();
}

/// F25: CLIENT PAUSE, all commands and writes only.
#[tokio::test(flavor = "multi_thread")]
async fn f25_a_paused_server_is_waited_for() {
    let server = RedisServer::start();
    let pause = async |_: &Scene| {
        for (ms, what) in [("100", "ALL"), ("1500", "WRITE"), ("3000", "ALL")] {
            server.ask(&["CLIENT", "PAUSE", ms, what]).await;
            lasts(Duration::from_millis(ms.parse().unwrap_or(0) + 300)).await;
        }
    };
    let (_, unexplained) = under_load(&server, 600, pause).await;
    assert_eq!(unexplained, 0);
}

/// F26: all connections are killed every 200 ms for 20 s, blocking ones included.
#[tokio::test(flavor = "multi_thread")]
async fn f26_killed_connections_are_made_again() {
    let server = RedisServer::start();
    let kill = async |scene: &Scene| {
        for _ in 0..Tier::of_this_run().pick(100, 600, 3_000) {
            server.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await;
            lasts(Duration::from_millis(200)).await;
        }
        scene.note("no more kills");
    };
    let (_, unexplained) = under_load(&server, 1500, kill).await;
    assert_eq!(unexplained, 0, "a lost connection is no interruption");
}

/// F27: the script cache is flushed again and again.
#[tokio::test(flavor = "multi_thread")]
async fn f27_a_flushed_script_cache_is_invisible() {
    let server = RedisServer::start();
    let flush = async |_: &Scene| {
        for _ in 0..Tier::of_this_run().pick(100, 1_000, 5_000) {
            server.ask(&["SCRIPT", "FLUSH"]).await;
            lasts(Duration::from_millis(20)).await;
        }
    };
    let (scene, unexplained) = under_load(&server, 600, flush).await;
    assert_eq!(unexplained, 0);
    let refused = mq_chaos::Account::of(&scene.entries()).which(|life| !life.acked);
    assert!(refused.is_empty(), "every enqueue succeeded: {refused:?}");
}

/// F29: at `maxmemory` producers are told `Full`; workers claim, fail and finish on, until the
/// queue is empty.
#[tokio::test(flavor = "multi_thread")]
async fn f29_a_full_store_can_be_drained() {
    let server = RedisServer::start();
    let scene = Scene::new(&server.url()).await;
    let mut all = Chaos::many(0..2000, 0);
    for job in &mut all {
        job.padding = "x".repeat(500);
        job.failures = u32::from(job.number % 10 == 0);
    }
    scene.enqueue_all(&all[..1500], 100).await;
    server.ask(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
    assert!(!scene.enqueue(&all[1500..1600]).await, "a full store takes no more");
    let error = scene.client.enqueue(Chaos::lasting(0, 0)).await.unwrap_err();
    assert!(matches!(error, mq_core::EnqueueError::Full(_)), "{error:?}");

    let fleet = Fleet::start(PROGRAM, scene.settings(LEASE), 2);
    scene.rest().await;
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
    assert!(scene.enqueue(&all[1600..]).await, "it heals without a restart");
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!(account.unexplained(), 0);
    assert_eq!(stats.done_total, 1900);
    fleet.stop();
}
