//! The store loses what it had, all of it or a key: F23 and F28.

use std::collections::HashSet;
use std::time::Duration;

use mq_chaos::{Chaos, Fleet, LEASE, Scene, poll};
use mq_core::clock;
use mq_core::engine::{Durability, Schedule};
use mq_testkit::{RedisServer, Rules, TIMES_TAKEN, ask};

use crate::{WORKER, rows};

rows! {
    Commit: f23_a_server_that_keeps_nothing_says_so_and_is_joined_again;
    Nightly:
        f28_flushall_is_told_and_later_jobs_run,
        f28_flushdb_is_told_and_later_jobs_run,
        f28_later_jobs_run_whichever_key_was_deleted;
}

const JOINED_MAX: Duration = Duration::from_secs(30);
const SAID_MAX: Duration = Duration::from_secs(5);

/// What there was before may be gone, whenever it was acknowledged.
fn forgiving() -> Rules {
    let (loss_window, respects) = (Duration::from_secs(3600), Durability::Disk1s);
    Rules { loss_window, respects, ..Rules::default() }
}

/// The store is emptied while all slots are taken by jobs that last. Workers say so, give up what
/// is no longer theirs, and run what comes later.
async fn emptied(scene: Scene, port: u16, empty: impl AsyncFnOnce()) {
    let fleet = Fleet::start(WORKER, scene.settings(LEASE), 2);
    // Who has not asked yet which store this is cannot tell it from the next one.
    let deadline = clock::now() + JOINED_MAX;
    while ask(port, &["GET", "mq:store"]).await == "$-1\r\n" {
        assert!(clock::now() < deadline, "no worker asked for the store's name");
        poll().await;
    }
    scene.enqueue(&Chaos::many(0..16, 60_000)).await;
    scene.until_started(16).await;
    scene.enqueue_all(&Chaos::many(0..100, 5), 20).await;
    scene.loses(Duration::MAX, "empty the store", empty).await;
    scene.until_logged("the store has lost its data", SAID_MAX).await;
    assert_eq!(scene.unended().len(), 116);
    scene.enqueue_all(&Chaos::many(0..200, 5), 20).await;
    scene.rest().await;
    let account = scene.judge_by(&forgiving()).await;
    assert_eq!(account.unexplained(), 0);
    assert!(fleet.stop().iter().all(|code| *code == Some(0)), "no worker may exit or crash");
}

/// F23: `kill -9` of a server without persistence, as everybody could know.
async fn f23_a_server_that_keeps_nothing_says_so_and_is_joined_again() {
    let mut server = RedisServer::start();
    let scene = Scene::new(&server.url()).await;
    let engine = scene.client.engine();
    assert_eq!(engine.durability(), Durability::Memory);
    let warned = engine.warnings().iter().any(|text| text.contains("CONFIG SET appendonly yes"));
    assert!(warned, "{:?}", engine.warnings());
    emptied(scene, server.port(), async || server.restart()).await;
}

async fn flushed(command: &str) {
    let server = RedisServer::start();
    let scene = Scene::new(&server.url()).await;
    let empty = async || assert_eq!(ask(server.port(), &[command]).await, "+OK\r\n");
    emptied(scene, server.port(), empty).await;
}

async fn f28_flushall_is_told_and_later_jobs_run() {
    flushed("FLUSHALL").await;
}

async fn f28_flushdb_is_told_and_later_jobs_run() {
    flushed("FLUSHDB").await;
}

/// Puts something into every place, also while some jobs run.
async fn stock(scene: &Scene) {
    let mut jobs = Chaos::many(0..40, 30);
    for job in &mut jobs {
        job.failures = u32::from(job.number % 8 == 0);
    }
    scene.enqueue_all(&jobs, 10).await;
    let soon = Schedule::After(Duration::from_millis(800));
    scene.enqueue_at(&Chaos::many(0..5, 1), soon).await;
    scene.until("something everywhere", |stats| stats.retrying > 0 && stats.scheduled > 0).await;
}

/// F28: one key after the other is deleted under load. What it held may be gone; an audit mends
/// the rest, and what comes later runs.
async fn f28_later_jobs_run_whichever_key_was_deleted() {
    let server = RedisServer::start();
    let scene = Scene::new(&server.url()).await;
    let fleet = Fleet::start(WORKER, scene.settings(Duration::from_secs(3)), 2);
    let mut tried = HashSet::new();
    loop {
        stock(&scene).await;
        let keys = ask(server.port(), &["KEYS", "mq:*"]).await;
        let sort = |key: &str| key.split(":claims:").next().unwrap_or_default().to_owned();
        let names = keys.lines().filter(|line| line.starts_with("mq:"));
        let untried: Vec<_> = names.filter(|key| !tried.contains(&sort(key))).collect();
        let before: HashSet<_> = scene.acked().into_iter().map(|(_, id)| id).collect();
        let mut deleted = None;
        let delete = async || {
            for key in untried {
                // One that was emptied meanwhile has gone by itself.
                if ask(server.port(), &["DEL", key]).await == ":1\r\n" {
                    deleted = Some(key);
                    break;
                }
            }
        };
        // What waited for its time runs at once, once it is put back to where it can run.
        let taking = scene.recorder().fault_began(TIMES_TAKEN, vec![std::process::id()]);
        scene.loses(Duration::MAX, "DEL", delete).await;
        let Some(key) = deleted else { break };
        scene.note(format!("DEL {key}"));
        tried.insert(sort(key));
        let mended = scene.client.engine().audit(&scene.queue, true).await;
        mended.unwrap_or_else(|error| panic!("no audit without {key}: {error}"));
        scene.recorder().fault_ended(taking);
        scene.enqueue(&Chaos::many(0..20, 1)).await;
        let stats = scene.rest().await;
        let lost: Vec<_> = scene.unended().into_iter().filter(|id| before.contains(id)).collect();
        eprintln!("without {key}: {} jobs are gone, {} are dead", lost.len(), stats.dead);
        scene.judge_by(&forgiving()).await;
    }
    assert!(tried.len() >= 14, "{tried:?}");
    assert!(fleet.stop().iter().all(|code| *code == Some(0)), "no worker may exit or crash");
}
