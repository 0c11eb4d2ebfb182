//! Faults of the network between mq and the store: F42 (5 s), F44 and F47 of the fault matrix.

use std::time::Duration;

use mq_chaos::{Chaos, Fleet, Scene, Tier, lasts};
use mq_testkit::{Direction, Flow, Proxy, RedisServer};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mq-chaos-worker");

/// F44: requests arrive, replies never do, for a while, again and again: every claim, finish and
/// enqueue is repeated, and none has its effect twice.
#[tokio::test(flavor = "multi_thread")]
async fn f44_lost_replies_lose_and_double_nothing() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port()).await;
    // The scene produces through the proxy, too; the verdict is read after it has healed.
    let scene = Scene::new(&proxy.url()).await;
    let fleet = Fleet::start(PROGRAM, scene.settings(Duration::from_secs(15)), 2);
    let all = Chaos::many(0..1000, 5);
    let producing = async {
        for chunk in all.chunks(5) {
            scene.enqueue(chunk).await;
            lasts(Duration::from_millis(10)).await;
        }
    };
    let nemesis = async {
        for round in 0..Tier::of_this_run().pick(15, 60, 120) {
            lasts(Duration::from_millis(300)).await;
            proxy.set_flow(Direction::ToClient, Flow::Swallow);
            lasts(Duration::from_millis(100 + 10 * round)).await;
            // Cut what was disturbed: a swallowed byte cannot be given back.
            proxy.heal();
            proxy.cut();
        }
    };
    tokio::join!(producing, nemesis);
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!(account.unexplained(), 0, "no handler ran twice for a lost reply");
    let ended = account.which(|life| life.ends_ok > 0).len() as u64;
    assert_eq!(stats.done_total, ended, "each was counted done once: {stats:#?}");
    assert!(fleet.stop().iter().all(|code| *code == Some(0)));
}

/// Workers behind a proxy, some work under way, then `fault`; producers reach the store all along.
async fn cut_off(fault: impl AsyncFnOnce(&Proxy)) {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port()).await;
    let scene = Scene::new(&server.url()).await;
    let mut settings = scene.settings(Duration::from_secs(30));
    settings.url = proxy.url();
    let fleet = Fleet::start(PROGRAM, settings, 2);
    scene.enqueue_all(&Chaos::many(0..200, 5), 20).await;
    scene.until_started(50).await;
    let more = Chaos::many(0..200, 5);
    let producing = scene.enqueue_all(&more, 20);
    tokio::join!(producing, fault(&proxy));
    scene.rest().await;
    let account = scene.judge().await;
    assert_eq!(account.unexplained(), 0);
    assert!(fleet.stop().iter().all(|code| *code == Some(0)));
}

/// F42: bytes vanish in both directions while sockets stay open, for 5 s, or a minute, or a quarter
/// of an hour. What was asked is never answered on these connections: only a deadline of the
/// client's own notices.
#[tokio::test(flavor = "multi_thread")]
async fn f42_a_black_hole_is_noticed() {
    cut_off(async |proxy| {
        proxy.set_flow(Direction::ToServer, Flow::Swallow);
        proxy.set_flow(Direction::ToClient, Flow::Swallow);
        lasts(Duration::from_secs(Tier::of_this_run().pick(5, 60, 900))).await;
        proxy.heal();
    })
    .await;
}

/// F42, the other way: packets are held for longer than a worker waits for an answer, then all
/// arrive: old requests behind their own repeats, on connections that nobody reads any more.
#[tokio::test(flavor = "multi_thread")]
async fn f42_requests_that_arrive_after_their_repeats_do_nothing() {
    cut_off(async |proxy| {
        proxy.set_flow(Direction::ToServer, Flow::Hold);
        lasts(Duration::from_secs(12)).await;
        proxy.heal();
    })
    .await;
}

/// F47: one of three workers is cut off for longer than its lease: its jobs move, and what it
/// finishes late is fenced.
#[tokio::test(flavor = "multi_thread")]
async fn f47_a_worker_cut_off_past_its_lease_is_fenced() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port()).await;
    let scene = Scene::new(&server.url()).await;
    let settings = scene.settings(Duration::from_secs(2));
    let mut far = settings.clone();
    far.url = proxy.url();
    let near_fleet = Fleet::start(PROGRAM, settings, 2);
    let mut far_fleet = Fleet::start(PROGRAM, far, 1);
    scene.enqueue_all(&Chaos::many(0..600, 100), 50).await;
    scene.until_started(60).await;
    let cut_off = scene.recorder().fault_began("black hole", vec![far_fleet.worker(0).pid()]);
    proxy.black_hole();
    scene.until("a takeover", |stats| stats.interrupted_total > 0).await;
    proxy.heal();
    proxy.cut();
    scene.recorder().fault_ended(cut_off);
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!(stats.done_total, 600, "each was counted done once: {stats:#?}");
    assert!(account.unexplained() <= 8, "only what was in flight ran again");
    assert!(far_fleet.stop().iter().all(|code| *code == Some(0)), "it comes back by itself");
    drop(near_fleet);
}
