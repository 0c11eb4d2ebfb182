//! Faults of worker processes: F01, F02, F03, F09 and F12 of the fault matrix; how many depends on
//! the tier.

use std::collections::HashSet;
use std::time::Duration;

use mq_chaos::{Chaos, Fleet, Scene, Store, Tier, lasts};
use mq_core::clock;
use mq_testkit::Event;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mq-chaos-worker");
const LEASE: Duration = Duration::from_secs(2);

/// Each scenario below on each engine: what a crash may do is said once for all of them.
macro_rules! on_every_engine {
    ($($name:ident)*) => {
        mod redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(mq_chaos::Store::redis()).await;
            })*
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(mq_chaos::Store::sqlite()).await;
            })*
        }
    };
}

on_every_engine! {
    f01_killed_workers_lose_nothing
    f01_a_killed_workers_job_runs_again_within_20_s_at_defaults
    f02_a_zombies_completion_is_fenced
    f03_a_stop_hands_jobs_back_without_burning_attempts
    f09_poison_is_bounded
    f12_a_restarted_worker_is_not_mistaken_for_the_dead_one
    a_keeper_that_panics_is_started_again
}

fn jobs(count: u64, sleep_ms: u64) -> Vec<Chaos> {
    (0..count).map(|number| Chaos::lasting(number, sleep_ms)).collect()
}

/// F01: 30 × `kill -9` at random, or more: nothing lost, re-runs bounded by what was in flight.
async fn f01_killed_workers_lose_nothing(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let settings = scene.settings(LEASE);
    let per_kill = settings.concurrency;
    let mut fleet = Fleet::start(PROGRAM, settings, 3);
    let tier = Tier::of_this_run();
    let kills = tier.pick(30, 300, 3_000);
    scene.enqueue_all(&jobs(tier.pick(1_000, 10_000, 100_000), 60), 50).await;

    for round in 0..kills {
        // Spread by progress and not by time: each kill finds handlers at work.
        scene.until_started((round + 1) * 25).await;
        scene.note(format!("kill -9 of worker {}", round % 3));
        fleet.replace(round % 3);
    }
    scene.rest().await;
    let account = scene.judge().await;
    let dead = scene.dead().await;
    assert!(dead.values().all(|reason| reason == "poison"), "{dead:?}");
    let extra = account.unexplained();
    assert!(extra <= kills * per_kill, "{extra} re-runs for {kills} kills");
    assert!(fleet.stop().iter().all(|code| *code == Some(0)));
}

/// F01, the recovery bar at defaults: ≤ 20 s from the kill to the next start.
async fn f01_a_killed_workers_job_runs_again_within_20_s_at_defaults(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let settings = scene.settings(Duration::from_secs(15));
    let mut fleet = Fleet::start(PROGRAM, settings, 1);
    scene.enqueue(&[Chaos::lasting(1, 300)]).await;
    scene.until_started(1).await;
    let survivor = fleet.add(None);
    assert!(fleet.worker(survivor).exit_status().is_none());
    fleet.worker(0).kill9();
    let killed = clock::now();
    scene.until_started(2).await;
    let recovery = killed.elapsed();
    scene.rest().await;
    scene.judge().await;
    assert!(recovery <= Duration::from_secs(20), "recovered after {recovery:?}");
}

/// F02: a worker frozen past its lease wakes up and completes: fenced, and nothing counts twice.
async fn f02_a_zombies_completion_is_fenced(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let mut fleet = Fleet::start(PROGRAM, scene.settings(LEASE), 2);
    let freezes = Tier::of_this_run().pick(20, 60, 300);
    let mut takeovers = 0;
    for round in 0..freezes {
        let before = scene.starts();
        scene.enqueue(&jobs(50, 100)).await;
        // Both have all their slots taken.
        scene.until_started(before + 16).await;
        let victim = round % 2;
        fleet.worker(victim).freeze();
        if round % 4 == 0 {
            // Past the lease: its jobs are taken over. Unless it was frozen in a transaction on a
            // file: then it has the lock, and all wait for it.
            let before = scene.stats().await.interrupted_total;
            let taken = scene.holds_within(LEASE * 5, |s| s.interrupted_total > before).await;
            takeovers += usize::from(taken);
        } else {
            lasts(LEASE / 4).await;
        }
        fleet.worker(victim).thaw();
    }
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert!(takeovers > 0, "it was always frozen with the lock");
    // Every job was counted done once, however often handlers ran to their end.
    let dead = scene.dead().await.len() as u64;
    assert_eq!(stats.done_total + dead, 50 * freezes as u64, "{stats:#?}");
    assert!(account.unexplained() <= freezes * 8);
    assert!(fleet.stop().iter().all(|code| *code == Some(0)), "a zombie must go on working");
}

/// F03: SIGTERM hands unfinished jobs back at once, and burns no attempt.
async fn f03_a_stop_hands_jobs_back_without_burning_attempts(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let mut settings = scene.settings(Duration::from_secs(15));
    settings.grace = Duration::from_millis(300);
    let mut fleet = Fleet::start(PROGRAM, settings.clone(), 2);
    // Some end within the grace, most do not.
    let stops = Tier::of_this_run().pick(20, 60, 300);
    let work = (0..stops as u64 * 25).map(|n| Chaos::lasting(n, 20 + (n % 7) * 100));
    scene.enqueue_all(&work.collect::<Vec<_>>(), 50).await;
    for round in 0..stops {
        scene.until_started((round + 1) * 20).await;
        let victim = round % 2;
        fleet.worker(victim).terminate();
        if round % 5 == 4 {
            fleet.worker(victim).terminate();
        }
        let asked = clock::now();
        let status = fleet.worker(victim).wait(Duration::from_secs(20));
        assert_eq!(status.and_then(|s| s.code()), Some(0), "exit code of a stop");
        assert!(asked.elapsed() <= settings.grace + Duration::from_secs(5));
        fleet.revive();
    }
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!(stats.interrupted_total, 0, "nobody had to take over after a clean stop");
    assert_eq!(stats.failed_total, 0, "no attempt was burnt");
    assert!(account.lives.values().all(|life| life.ends_ok >= 1));
    fleet.stop();
}

/// F09: jobs that kill every worker they meet are dead after three, and the others get done.
async fn f09_poison_is_bounded(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let mut settings = scene.settings(Duration::from_secs(1));
    settings.concurrency = 4;
    let poison = Tier::of_this_run().pick(20, 40, 100);
    let mut all = jobs(poison as u64 * 50, 1);
    for at in 0..poison {
        all[at * 50 + 7].poison = true;
    }
    scene.enqueue_all(&all, 100).await;
    let mut fleet = Fleet::start(PROGRAM, settings, 3);
    let died = scene.rest_reviving(&mut fleet).await;
    let account = scene.judge().await;
    let dead = scene.dead().await;
    assert!(dead.values().all(|reason| reason == "poison"), "{dead:?}");
    let never_ended = account.which(|life| life.ends_ok == 0);
    assert!(never_ended.iter().all(|id| dead.contains_key(id)));
    assert!(died <= 3 * poison, "{died} deaths for {poison} poisonous jobs");
    // A neighbour that was in flight at three crashes is blamed as well; being spread makes that
    // rare: see `lifecycle::INTERRUPTION_SPREAD`.
    let neighbours = never_ended.len() - poison;
    assert!(neighbours <= poison / 2, "{neighbours} harmless jobs are dead letters");
    fleet.stop();
}

/// F12: identity is a random number per process start, so nothing that replicas share counts.
async fn f12_a_restarted_worker_is_not_mistaken_for_the_dead_one(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let mut fleet = Fleet::start(PROGRAM, scene.settings(LEASE), 1);
    scene.enqueue(&jobs(8, 400)).await;
    scene.until_started(8).await;
    // Same host, same program, same settings, at once.
    fleet.replace(0);
    let stats = scene.rest().await;
    assert!(stats.interrupted_total >= 1, "the dead one's jobs were taken over: {stats:#?}");
    scene.judge().await;
    let claims: HashSet<_> = scene
        .entries()
        .into_iter()
        .filter_map(|entry| match entry.event {
            Event::Started { claim, .. } => claim.split('.').next().map(str::to_owned),
            _ => None,
        })
        .collect();
    assert!(claims.len() >= 2, "{claims:?}");
    fleet.stop();
}

/// The thread that keeps the leases panics: it is started again, and nobody takes the jobs over.
async fn a_keeper_that_panics_is_started_again(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let mut fleet = Fleet::start(PROGRAM, scene.settings(LEASE), 0);
    let victim = fleet.add(Some("beat.asking=panic@2"));
    scene.recorder().fault_began("panic", vec![fleet.worker(victim).pid()]);
    fleet.add(None);
    scene.enqueue(&jobs(16, 3 * LEASE.as_millis() as u64)).await;
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!(stats.interrupted_total, 0, "{stats:#?}");
    assert_eq!(account.unexplained(), 0);
    assert!(fleet.stop().iter().all(|code| *code == Some(0)));
}
