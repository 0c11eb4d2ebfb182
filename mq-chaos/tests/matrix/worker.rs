//! Handlers that behave badly, and processes that go away or starve: F04 to F07, F13 and F16.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use mq_chaos::{Chaos, Deed, Fleet, Scene, Store, Tier, lasts};
use mq_core::admin::Filter;
use mq_core::engine::Schedule;
use mq_core::{State, clock};

use super::{rows, store_rows};

rows! {
    Commit: f07_what_kills_a_worker_kills_it;
}

store_rows! {
    Commit: f04_panics_of_every_sort_are_failures_with_their_words;
    Nightly:
        f05_handlers_that_keep_every_thread_lose_no_lease,
        f05_follow_ups_do_not_multiply_while_heartbeats_are_missing,
        f06_a_handler_that_never_ends_is_ended_at_its_time_limit,
        f06_a_worker_without_a_free_thread_gives_up_with_exit_code_70,
        f07_a_handler_that_takes_its_process_along_is_poison,
        f13_a_fleet_that_was_away_goes_on,
        f16_a_starved_worker_keeps_its_lease;
}

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_mq-chaos-worker");
pub(crate) const LEASE: Duration = Duration::from_secs(2);

pub(crate) fn jobs(count: u64, sleep_ms: u64) -> Vec<Chaos> {
    (0..count).map(|number| Chaos::lasting(number, sleep_ms)).collect()
}

fn doing(number: u64, deed: Deed) -> Chaos {
    Chaos { number, deed, ..Chaos::default() }
}

/// The worker under `prlimit` or what else there is, such as `nice`.
pub(crate) fn under(scene: &Scene, limits: &str) -> String {
    let script = scene.dir().join("limited-worker");
    let text = format!("#!/bin/sh\nexec {limits} {PROGRAM}\n");
    std::fs::write(&script, text).expect("a script");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&script, mode).expect("a script that can be run");
    script.display().to_string()
}

/// F04: whatever way a handler panics, the attempt has failed with the panic's words, and the
/// worker goes on.
async fn f04_panics_of_every_sort_are_failures_with_their_words(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let expected = [
        (Deed::Panic, "lost the plot"),
        (Deed::PanicInDrop, "a value went off"),
        (Deed::PanicInTask, "lost the plot elsewhere"),
        (Deed::PanicWithNumber, "with a value that is not a text"),
        (Deed::PanicWithBomb, "panicked"),
    ];
    let bad =
        (0..).zip(expected).map(|(number, (deed, _))| Chaos { attempts: 1, ..doing(number, deed) });
    // One slot, so that each job runs behind the one before it.
    let mut settings = scene.settings(LEASE);
    settings.concurrency = 1;
    let bad: Vec<_> = bad.collect();
    scene.enqueue(&bad).await;
    scene.enqueue(&jobs(20, 1)).await;
    let mut fleet = Fleet::start(PROGRAM, settings, 1);
    let stats = scene.rest().await;
    scene.judge().await;
    assert_eq!((stats.done_total, stats.dead, stats.interrupted_total), (20, 5, 0), "{stats:#?}");
    let filter = Filter::state(State::Dead);
    let dead = scene.client.admin().jobs(&filter, None, 100).await.expect("the dead letters");
    for job in dead.jobs {
        let sent: Chaos = serde_json::from_slice(&job.payload).expect("the job as it was sent");
        let (deed, words) = expected[sent.number as usize];
        let error = job.last_error().unwrap_or_default();
        assert!(error.contains(words), "{deed:?}: {error}");
        assert_eq!(job.attempts, 1, "{deed:?}");
    }
    assert!(fleet.worker(0).exit_status().is_none(), "the worker has not died");
    assert_eq!(fleet.stop(), [Some(0)]);
}

/// F05: handlers keep every thread of the runtime, asleep and busy, for many leases. Nobody takes
/// their jobs over, and another worker does the rest.
async fn f05_handlers_that_keep_every_thread_lose_no_lease(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let mut fleet = Fleet::start(PROGRAM, scene.settings(LEASE), 1);
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let ms = Tier::of_this_run().pick(10_000, 60_000, 60_000);
    let keep = |number| match number % 2 {
        0 => doing(number, Deed::Block(ms)),
        _ => doing(number, Deed::Spin(ms)),
    };
    scene.enqueue(&(0..threads).map(keep).collect::<Vec<_>>()).await;
    scene.until_started(threads as usize).await;
    scene.until_logged("runtime_stalled", Duration::from_secs(2)).await;
    fleet.add(None);
    scene.enqueue_all(&jobs(500, 5), 50).await;
    let others = scene.until("done with the others", |stats| stats.done_total >= 500).await;
    assert_eq!(others.running, threads, "the threads are still kept: {others:#?}");
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!((stats.interrupted_total, stats.failed_total), (0, 0), "{stats:#?}");
    assert_eq!(account.unexplained(), 0);
    assert_eq!(fleet.stop(), [Some(0), Some(0)]);
}

/// F05: handlers that enqueue follow-ups keep every thread for longer than a lease, and then their
/// worker is frozen past it, so that others run the same jobs again. A key makes one job of all
/// that the attempts enqueue, so there are never more jobs than one follow-up each.
async fn f05_follow_ups_do_not_multiply_while_heartbeats_are_missing(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let mut fleet = Fleet::start(PROGRAM, scene.settings(LEASE), 2);
    let parent = |number: u64| {
        // Less than the grace after a lease is lost: who blocks all threads beyond it is given up.
        let deed = if number < 4 { Deed::Block(3_000) } else { Deed::None };
        Chaos { child: true, failures: 1, sleep_ms: 50, ..doing(number, deed) }
    };
    let (mut count, rounds) = (0, Tier::of_this_run().pick(1, 2, 10));
    for _ in 0..rounds {
        let before = scene.starts();
        scene.enqueue(&(0..80).map(parent).collect::<Vec<_>>()).await;
        count += 80;
        scene.until_started(before + 4).await;
        // Two deaths at most for each job: three would make it poison.
        for at in 0..2 {
            let frozen = fleet.worker(at);
            frozen.freeze();
            lasts(LEASE * 2).await;
            frozen.thaw();
            let stats = scene.stats().await;
            let jobs = stats.open() + stats.done_total + stats.dead;
            assert!(jobs <= 2 * count, "{jobs} jobs of {count} and follow-ups: {stats:#?}");
        }
        scene.rest().await;
    }
    let stats = scene.rest().await;
    scene.judge().await;
    assert!(stats.interrupted_total > 0, "nobody was taken for dead: {stats:#?}");
    let jobs = (stats.enqueued_total, stats.done_total, stats.dead);
    assert_eq!(jobs, (2 * count, 2 * count, 0), "{stats:#?}");
    assert_eq!(fleet.stop(), [Some(0), Some(0)]);
}

/// F06: handlers that ignore their cancellation lose their slots and their jobs at the time limit,
/// the grace and the abort; also those that keep a thread. Each runs again, and what the first
/// attempt returns late does not count.
async fn f06_a_handler_that_never_ends_is_ended_at_its_time_limit(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let mut settings = scene.settings(LEASE);
    settings.concurrency = 4;
    let endless = [Deed::Ignore, Deed::Ignore, Deed::PanicWhenDropped, Deed::Block(12_000)];
    let endless: Vec<_> = (0..)
        .zip(endless)
        .map(|(number, deed)| Chaos { timeout_ms: 500, ..doing(number, deed) })
        .collect();
    scene.enqueue(&endless).await;
    let fleet = Fleet::start(PROGRAM, settings, 1);
    scene.until_started(endless.len()).await;
    scene.enqueue(&jobs(50, 5)).await;
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!((stats.done_total, stats.dead), (54, 0), "{stats:#?}");
    assert_eq!((stats.failed_total, stats.interrupted_total), (4, 0), "{stats:#?}");
    // Their handlers never said that they had failed.
    assert_eq!(account.unexplained(), endless.len());
    assert_eq!(fleet.stop(), [Some(0)]);
}

/// F06: handlers that were aborted keep every thread. Their worker gives up: it gives back what it
/// has, the others among it without an attempt, and leaves with the code that it is known by.
async fn f06_a_worker_without_a_free_thread_gives_up_with_exit_code_70(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let mut bad = Fleet::start(PROGRAM, scene.settings(LEASE), 1);
    scene.enqueue(&jobs(4, 120_000)).await;
    scene.until_started(4).await;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let hog = |number| Chaos { timeout_ms: 500, ..doing(number, Deed::Block(600_000)) };
    scene.enqueue(&(4..4 + threads as u64).map(hog).collect::<Vec<_>>()).await;
    scene.until_started(4 + threads).await;
    let status = bad.worker(0).wait(Duration::from_secs(20));
    assert_eq!(status.expect("it gives up").code(), Some(70));
    let waiting = scene.stats().await;
    assert_eq!((waiting.running, waiting.open()), (0, 4 + threads as u64), "{waiting:#?}");
    assert_eq!(waiting.failed_total, threads as u64, "{waiting:#?}");
    assert_eq!(waiting.interrupted_total, 0, "{waiting:#?}");
}

/// What takes a process along, and the exit code or the signal that it ends with.
const DEADLY: [(Deed, Option<i32>, Option<i32>); 5] = [
    (Deed::Exit, Some(0), None),
    (Deed::Abort, None, SIGABRT),
    (Deed::Overflow, None, SIGABRT),
    (Deed::Segv, None, Some(11)),
    (Deed::Allocate, None, SIGABRT),
];
const SIGABRT: Option<i32> = Some(6);

fn short_of_memory(scene: &Scene) -> String {
    under(scene, "prlimit --as=1073741824 --core=0")
}

/// F07, the injection: each way to die is the one that it is meant to be.
async fn f07_what_kills_a_worker_kills_it() {
    for (deed, code, signal) in DEADLY {
        let store = Store::sqlite();
        let scene = Scene::new(&store.url()).await;
        scene.enqueue(&[doing(0, deed)]).await;
        let mut fleet = Fleet::start(&short_of_memory(&scene), scene.settings(LEASE), 1);
        scene.until_started(1).await;
        let status = fleet.worker(0).wait(Duration::from_secs(20));
        let status = status.unwrap_or_else(|| panic!("{deed:?} did no harm"));
        assert_eq!((status.code(), status.signal()), (code, signal), "{deed:?}");
    }
}

/// F07: exit, abort, a full stack, SIGSEGV and no memory are deaths of the worker and nothing else:
/// three of them make a job a dead letter, and the others get done.
async fn f07_a_handler_that_takes_its_process_along_is_poison(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let mut settings = scene.settings(Duration::from_secs(1));
    settings.concurrency = 4;
    let mut fleet = Fleet::start(&short_of_memory(&scene), settings, 3);
    let rounds = Tier::of_this_run().pick(1, 10, 50);
    for round in 1..=rounds {
        let mut all = jobs(200, 2);
        for (at, (deed, ..)) in DEADLY.into_iter().cycle().take(10).enumerate() {
            all[at * 20 + 7].deed = deed;
        }
        scene.enqueue_all(&all, 100).await;
        let died = scene.rest_reviving(&mut fleet).await;
        let dead = scene.dead().await;
        assert!(dead.values().all(|reason| reason == "poison"), "{dead:?}");
        // A harmless job that was in flight at three deaths is blamed as well.
        assert!((10 * round..=13 * round).contains(&dead.len()), "{dead:?}");
        assert!(died <= 3 * 10, "{died} deaths");
    }
    let account = scene.judge().await;
    let dead = scene.dead().await;
    assert!(account.which(|life| life.ends_ok == 0).iter().all(|id| dead.contains_key(id)));
    fleet.stop();
}

/// F13: the whole fleet is away for a minute. Nothing expires, what was due meanwhile runs, and
/// what was running runs again.
async fn f13_a_fleet_that_was_away_goes_on(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let mut fleet = Fleet::start(PROGRAM, scene.settings(LEASE), 3);
    let failing = |job: Chaos| Chaos { failures: u32::from(job.number.is_multiple_of(5)), ..job };
    let all: Vec<_> = jobs(600, 50).into_iter().map(failing).collect();
    scene.enqueue_all(&all[..500], 50).await;
    scene.enqueue_at(&all[500..], Schedule::After(Duration::from_secs(10))).await;
    scene.until_started(100).await;
    fleet.kill9();
    let away = Tier::of_this_run().pick(5, 60, 60);
    lasts(Duration::from_secs(away)).await;
    let left = scene.stats().await;
    assert!(left.running > 0 && left.ready > 0 && left.dead == 0, "{left:#?}");
    fleet.revive();
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!((stats.done_total, stats.dead), (600, 0), "{stats:#?}");
    assert_eq!(stats.interrupted_total, left.running, "what ran when all died, and no more");
    assert!(account.unexplained() <= 3 * 8);
    assert!(fleet.stop().iter().all(|code| *code == Some(0)));
}

/// F16: a worker with few files, little memory and the last turn on the processor, which is frozen
/// for seven tenths of the time. Nobody takes its jobs over.
async fn f16_a_starved_worker_keeps_its_lease(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let limited = under(&scene, "prlimit --nofile=64 --data=134217728 nice -n 19");
    let mut starved = Fleet::start(&limited, scene.settings(LEASE), 1);
    let seconds = Tier::of_this_run().pick(5, 30, 120);
    scene.enqueue(&jobs(8, seconds * 800)).await;
    scene.until_started(8).await;
    // It would take the jobs over if the lease ended.
    let healthy = Fleet::start(PROGRAM, scene.settings(LEASE), 1);
    scene.enqueue_all(&jobs(400, 100), 50).await;
    let end = clock::now() + Duration::from_secs(seconds);
    while clock::now() < end {
        starved.worker(0).freeze();
        lasts(Duration::from_millis(700)).await;
        starved.worker(0).thaw();
        lasts(Duration::from_millis(300)).await;
    }
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!((stats.interrupted_total, stats.failed_total), (0, 0), "{stats:#?}");
    assert_eq!(account.unexplained(), 0);
    assert_eq!([starved.stop(), healthy.stop()].concat(), [Some(0), Some(0)]);
}
