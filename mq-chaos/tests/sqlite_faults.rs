//! Faults of processes that share one SQLite file: F70, F73 and F75 of the fault matrix. F71 is in
//! `power_faults.rs`.
//!
//! The tier says how often F70 kills, or MQ_KILLS; `./ci soak-sqlite` sets it.

use std::time::Duration;

use mq_chaos::{Account, App, Chaos, File, Fleet, PACE, Scene, Tier, WORK, chance, lasts, times};
use mq_core::{EnqueueError, clock};
use mq_testkit::{Entry, Event};
use mq_worker::Worker;

const WORKER: &str = env!("CARGO_BIN_EXE_mq-chaos-worker");
const PRODUCER: &str = env!("CARGO_BIN_EXE_mq-chaos-producer");
const LEASE: Duration = Duration::from_secs(2);

fn jobs(count: u64, sleep_ms: u64) -> Vec<Chaos> {
    (0..count).map(|number| Chaos::lasting(number, sleep_ms)).collect()
}

/// A scene on a file of its own.
async fn on_a_file(synchronous: &str) -> (Scene, File, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = File::in_folder(folder.path());
    (Scene::new(&file.url(synchronous)).await, file, folder)
}

/// F70: `kill -9` at random, of workers and of the producer, in whatever transaction they are.
async fn kills(synchronous: &str) {
    let usually = Tier::of_this_run().pick(50, 500, 2_000);
    let (mut rng, kills) = (chance(), times("MQ_KILLS", usually));
    let (scene, file, _folder) = on_a_file(synchronous).await;
    // Who is starved for a lease by other programs would be taken for gone as well.
    let mut settings = scene.settings(Duration::from_secs(5));
    settings.concurrency = 4;
    let per_kill = settings.concurrency;
    let mut workers = Fleet::start(WORKER, settings.clone(), 3);
    settings.more.extend([(PACE, "3".to_owned()), (WORK, "10".to_owned())]);
    let mut producer = Fleet::start(PRODUCER, settings, 1);
    for round in 0..kills {
        // Spread by progress and not by time: each kill finds all of them at work.
        scene.until_acked(scene.acks() + rng.between(1, 20) as usize, || false).await;
        match rng.between(0, 3) as usize {
            3 => producer.replace(0),
            victim => workers.replace(victim),
        }
        file.assert_whole();
        if round % 5 == 0 {
            let report = scene.client.engine().audit(&scene.queue, false).await.expect("audit");
            assert_eq!(report.findings, []);
        }
    }
    producer.kill9();
    let stats = scene.rest().await;
    let account = scene.judge().await;
    file.assert_whole();
    let dead = scene.dead().await;
    assert!(dead.values().all(|reason| reason == "poison"), "{dead:?}");
    let again = account.unexplained();
    assert!(again <= kills * per_kill, "{again} re-runs for {kills} kills");
    // What a dead producer was not told about may be there or not, and counts as done if it is.
    let ended = account.which(|life| life.ends_ok > 0).len() as u64;
    assert_eq!(stats.done_total, ended, "each was counted done once: {stats:#?}");
    let acked = account.which(|life| life.acked).len();
    eprintln!("{synchronous}: {kills} kills, {acked} acknowledged, {again} re-runs");
    assert!(workers.stop().iter().all(|code| *code == Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn f70_killed_processes_lose_nothing_at_normal() {
    kills("normal").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f70_killed_processes_lose_nothing_at_full() {
    kills("full").await;
}

/// F70: a producer dies at a step of a transaction. The jobs in the file are exactly those that
/// were committed, be the last one acknowledged or not.
async fn producer_dies_at(step: &str, is_stored: bool) {
    let (scene, file, _folder) = on_a_file("normal").await;
    let mut settings = scene.settings(LEASE);
    settings.more.extend([(PACE, "0".to_owned()), (WORK, "0".to_owned())]);
    let mut producers = Fleet::start(PRODUCER, settings, 0);
    let victim = producers.add(Some(&format!("{step}=kill@4")));
    let status = producers.worker(victim).wait(Duration::from_secs(20));
    assert!(status.is_some(), "{step} was never reached");
    let account = Account::of(&scene.entries());
    let (sent, acked) = (account.which(|life| life.sent), account.which(|life| life.acked));
    assert_eq!(sent.len(), acked.len() + 1, "{step}: it died while it waited for an answer");
    let mut there: Vec<_> = file.jobs().into_keys().collect();
    there.sort_unstable();
    assert_eq!(there, if is_stored { sent } else { acked }, "{step}");
    file.assert_whole();
    let fleet = Fleet::start(WORKER, scene.settings(LEASE), 1);
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!(stats.done_total, there.len() as u64);
    assert_eq!(account.repeated(), []);
    fleet.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f70_a_producer_that_dies_has_stored_what_was_committed_and_no_more() {
    for step in ["sqlite.begun", "sqlite.operated", "sqlite.committing"] {
        producer_dies_at(step, false).await;
    }
    producer_dies_at("sqlite.committed", true).await;
}

/// F70: a process dies while it makes the tables: there are none, and the next one makes them.
#[tokio::test(flavor = "multi_thread")]
async fn f70_tables_that_were_half_made_are_not_there() {
    let mut scene = Scene::new("sqlite::memory:").await;
    let file = File::in_folder(scene.dir());
    let mut settings = scene.settings(LEASE);
    settings.url = file.url("normal");
    let mut fleet = Fleet::start(WORKER, settings, 0);
    let victim = fleet.add(Some("sqlite.schema=kill"));
    assert!(fleet.worker(victim).wait(Duration::from_secs(20)).is_some());
    assert!(!file.has_tables());
    scene.move_to(&file.url("normal")).await;
    assert!(file.has_tables());
    fleet.add(None);
    scene.enqueue(&jobs(10, 0)).await;
    scene.rest().await;
    scene.judge().await;
}

/// F70: a worker dies at a step with its only job. Where the job is then, as its number in the
/// file, how often it has been started and how often it starts in all.
async fn worker_dies_at(step: &str, state: i64, starts: usize, in_all: usize) {
    let (scene, file, _folder) = on_a_file("normal").await;
    let mut fleet = Fleet::start(WORKER, scene.settings(Duration::from_secs(1)), 0);
    scene.enqueue(&jobs(1, 0)).await;
    let victim = fleet.add(Some(&format!("{step}=kill")));
    assert!(fleet.worker(victim).wait(Duration::from_secs(20)).is_some(), "{step} not reached");
    let states: Vec<_> = file.jobs().into_values().collect();
    assert_eq!((states, scene.starts()), (vec![state], starts), "{step}");
    file.assert_whole();
    fleet.add(None);
    let stats = scene.rest().await;
    scene.judge().await;
    assert_eq!((stats.done_total, scene.starts()), (1, in_all), "{step}");
    assert_eq!(stats.interrupted_total, u64::from(state == RUNNING), "{step}");
}

const READY: i64 = 0;
const RUNNING: i64 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn f70_a_job_is_where_the_last_commit_has_put_it() {
    // Taken, and not committed: as if nobody had asked.
    worker_dies_at("sqlite.claimed", READY, 0, 1).await;
    // Committed, and nobody was told.
    worker_dies_at("claim.answered", RUNNING, 0, 1).await;
    // Ended, and not committed: it runs again.
    worker_dies_at("sqlite.finished", RUNNING, 1, 2).await;
}

/// F73: another program holds the write lock for less than mq waits: nobody is told.
#[tokio::test(flavor = "multi_thread")]
async fn f73_a_lock_of_two_seconds_is_waited_for() {
    let (scene, file, _folder) = on_a_file("normal").await;
    let fleet = Fleet::start(WORKER, scene.settings(LEASE), 2);
    scene.enqueue(&jobs(16, 1_000)).await;
    scene.until_started(16).await;
    let lock = file.lock();
    let held = async {
        lasts(Duration::from_secs(2)).await;
        drop(lock);
    };
    let more = jobs(20, 1);
    let ((), is_acked) = tokio::join!(held, scene.enqueue(&more));
    assert!(is_acked, "the producer waits as well");
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!(stats.interrupted_total, 0, "{stats:#?}");
    assert_eq!(account.unexplained(), 0);
    assert!(fleet.stop().iter().all(|code| *code == Some(0)));
}

/// F73: for longer than mq waits, and for longer than a lease: producers learn the cause, and
/// workers that live are not declared dead because nobody could write that they do.
#[tokio::test(flavor = "multi_thread")]
async fn f73_a_lock_longer_than_the_limit_is_named_and_heals() {
    let (scene, file, _folder) = on_a_file("normal").await;
    let fleet = Fleet::start(WORKER, scene.settings(LEASE), 2);
    // Some end while nobody can write it down, some run on.
    let mut long = jobs(16, 3_000);
    long[8..].iter_mut().for_each(|job| job.sleep_ms = 10_000);
    scene.enqueue(&long).await;
    scene.until_started(16).await;
    let lock = file.lock();
    let held = async {
        lasts(Duration::from_secs(7)).await;
        drop(lock);
    };
    let ((), refused) = tokio::join!(held, scene.client.enqueue(Chaos::default()));
    let error = refused.expect_err("nobody can write");
    assert!(matches!(error, EnqueueError::Unavailable(_)), "{error:?}");
    let text = mq_core::chain_text(&error);
    assert!(text.contains("another process"), "{text}");

    assert!(scene.enqueue(&jobs(100, 1)).await, "it heals without a restart");
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!(stats.interrupted_total, 0, "{stats:#?}");
    assert_eq!(account.unexplained(), 0);
    assert_eq!(stats.done_total, 116, "{stats:#?}");
    assert!(fleet.stop().iter().all(|code| *code == Some(0)));
}

/// F75: four worker processes, one file, and each job once.
#[tokio::test(flavor = "multi_thread")]
async fn f75_four_processes_run_each_job_once() {
    let (scene, file, _folder) = on_a_file("normal").await;
    let fleet = Fleet::start(WORKER, scene.settings(LEASE), 4);
    scene.enqueue_all(&jobs(2_000, 1), 50).await;
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!(stats.done_total, 2_000);
    assert_eq!(stats.interrupted_total, 0, "{stats:#?}");
    assert_eq!(account.repeated(), [], "no job ran twice");
    assert_eq!(account.which(|life| life.ends_ok == 1).len(), 2_000);
    file.assert_whole();
    assert!(fleet.stop().iter().all(|code| *code == Some(0)));
}

/// F75: a process that dies with the write lock in its hands holds nobody up.
#[tokio::test(flavor = "multi_thread")]
async fn f75_a_process_that_dies_inside_a_transaction_blocks_nobody() {
    let (scene, file, _folder) = on_a_file("normal").await;
    let mut fleet = Fleet::start(WORKER, scene.settings(LEASE), 3);
    scene.enqueue_all(&jobs(2_000, 20), 100).await;
    for step in ["sqlite.begun", "sqlite.operated", "sqlite.committing"] {
        let victim = fleet.add(Some(&format!("{step}=kill@10")));
        let status = fleet.worker(victim).wait(Duration::from_secs(20));
        assert!(status.is_some(), "{step} was never reached");
        let (died, before) = (clock::now(), scene.starts());
        // More than the others had in hand.
        scene.until_started(before + 100).await;
        let took = died.elapsed();
        eprintln!("dead at {step}: 100 more jobs started within {} ms", took.as_millis());
        assert!(took <= Duration::from_secs(5), "{step}: the others went on after {took:?}");
    }
    scene.rest().await;
    let account = scene.judge().await;
    assert!(account.unexplained() <= 3 * 8, "only what was in flight ran again");
    file.assert_whole();
    fleet.stop();
}

/// The times in ms from the moment that a job was sent to the start of its handler, sorted.
fn latencies(entries: &[Entry]) -> Vec<u64> {
    let mut sent = std::collections::HashMap::new();
    let mut all = Vec::new();
    for entry in entries {
        match entry.event {
            Event::Sent { id, .. } => drop(sent.insert(id, entry.at_ns / 1_000_000)),
            Event::Started { id, .. } => {
                all.extend(sent.get(&id).map(|at| entry.at_ns / 1_000_000 - at));
            }
            _ => {}
        }
    }
    all.sort_unstable();
    all
}

async fn wake_up_a_hundred_times(scene: &Scene, from: &str) {
    let mut warm = 0;
    for number in 0..=100 {
        scene.enqueue(&jobs(1, 0)).await;
        scene.until_started(number + 1).await;
        scene.rest().await;
        if number == 0 {
            // The first one may have waited for the worker to get ready.
            warm = scene.entries().len();
        }
    }
    let all = latencies(&scene.entries()[warm..]);
    let (median, last) = (all[all.len() / 2], all[all.len() - 1]);
    eprintln!("from enqueue to start, {from}: median {median} ms, at most {last} ms");
    // Measured: 10 to 20 ms between processes. A machine that is busy with other tests gets more.
    assert!(median <= 250, "{all:?}");
}

/// F75: an idle worker hears of the commit of another process.
#[tokio::test(flavor = "multi_thread")]
async fn f75_another_process_wakes_an_idle_worker() {
    let (scene, _file, _folder) = on_a_file("normal").await;
    let fleet = Fleet::start(WORKER, scene.settings(LEASE), 1);
    wake_up_a_hundred_times(&scene, "another process").await;
    fleet.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn f75_an_idle_worker_hears_of_its_own_process_as_well() {
    let (scene, _file, _folder) = on_a_file("normal").await;
    let settings = scene.settings(LEASE);
    let worker = Worker::builder(&scene.client)
        .queue(mq_chaos::QUEUE, 1)
        .state(App::new(scene.recorder().clone()))
        .job::<Chaos, App>()
        .build()
        .expect("a worker")
        .spawn();
    wake_up_a_hundred_times(&scene, "the same process").await;
    worker.stop(settings.grace).await.expect("a stop");
}
