//! What a worker takes, and what it does when there is nothing left to take: F08.

use std::process::Command;
use std::time::Duration;

use mq_chaos::{App, Chaos, Deed, Fleet, Noop, QUEUE, Scene, Store, Tier, Usage, fsck, lasts};
use mq_core::{Client, clock};
use mq_worker::Worker;

use super::worker::{LEASE, PROGRAM, jobs};
use super::{rows, store_rows};

rows! {
    Nightly: f08_a_worker_without_files_waits_and_comes_back;
}

store_rows! {
    Commit: f08_a_worker_leaves_no_task_behind;
    Nightly: f08_a_worker_does_not_grow;
}

/// F08: after a warm-up, memory, files and threads of a worker stay what they are over ten times as
/// many jobs.
async fn f08_a_worker_does_not_grow(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let mut settings = scene.settings(LEASE);
    settings.concurrency = 64;
    let mut fleet = Fleet::start(PROGRAM, settings, 1);
    let pid = fleet.worker(0).pid();
    let portion = Tier::of_this_run().pick(1_000, 20_000, 100_000);
    let mut usages = Vec::new();
    for round in 1..=11 {
        let noops = std::iter::repeat_n(Noop, portion as usize);
        scene.client.enqueue_all(noops).await.expect("jobs are enqueued");
        let all = |stats: &mq_core::engine::QueueStats| stats.done_total >= round * portion;
        scene.until("done with a portion", all).await;
        usages.push(Usage::of(pid));
    }
    // Handlers that do nothing do not say either that they did it, so the history has no starts.
    let wrong = fsck(&scene.client, &store.url()).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    let (warm, end) = (usages[0], usages[10]);
    // A leak of 8 bytes per job is half of this at a release; what an allocator keeps is less.
    assert!(end.memory_kb <= warm.memory_kb + 16 * 1024, "{usages:#?}");
    // A connection may just be mended, and a thread of the runtime's pool come or go.
    assert!(end.files <= warm.files + 2, "{usages:#?}");
    assert!(end.threads <= warm.threads + 2, "{usages:#?}");
    assert_eq!(fleet.stop(), [Some(0)]);
}

/// F08: the tasks of a worker at rest are as many as they were, whatever jobs did in between. In
/// this process, on a runtime of its own, because only that can count them.
async fn f08_a_worker_leaves_no_task_behind(store: Store) {
    let scene = Scene::new(&store.url()).await;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime");
    let (url, recorder) = (store.url(), scene.recorder().clone());
    let worker = runtime.spawn(async move {
        let client = recorder.watch(&Client::connect(url).await.expect("a client"));
        let builder = Worker::builder(&client).queue(QUEUE, 1).lease(LEASE).concurrency(64);
        let builder = builder.timeout_grace(Duration::from_millis(100)).state(App::new(recorder));
        builder.job::<Chaos, App>().build().expect("a worker").spawn()
    });
    let worker = worker.await.expect("a worker that runs");
    let metrics = runtime.metrics();
    let mut tasks = Vec::new();
    for _ in 0..5 {
        scene.enqueue_all(&jobs(Tier::of_this_run().pick(500, 5_000, 20_000), 0), 500).await;
        let job = |number: u64| match number % 4 {
            0 => Chaos { failures: 1, ..Chaos::lasting(number, 1) },
            1 => Chaos { deed: Deed::PanicInTask, ..Chaos::default() },
            2 => Chaos { deed: Deed::Ignore, timeout_ms: 50, ..Chaos::default() },
            _ => Chaos::lasting(number, 1),
        };
        scene.enqueue(&(0..40).map(job).collect::<Vec<_>>()).await;
        scene.rest().await;
        // What was aborted ends a little later.
        let (warm, deadline) = (tasks.first().copied(), clock::now() + Duration::from_secs(5));
        let at_rest = |count| warm.is_none_or(|warm| count <= warm);
        while !at_rest(metrics.num_alive_tasks()) && clock::now() < deadline {
            lasts(Duration::from_millis(10)).await;
        }
        tasks.push(metrics.num_alive_tasks());
    }
    scene.judge().await;
    assert!(tasks[1..].iter().all(|count| *count <= tasks[0]), "{tasks:?}");
    assert!(tasks[0] < 20, "{tasks:?}");
    let stop = runtime.spawn(worker.stop(Duration::from_secs(5)));
    stop.await.expect("no panic").expect("a stop in good order");
    runtime.shutdown_background();
}

/// F08: a process that may open no more files cannot make a lost connection anew. The worker keeps
/// trying without spinning, and goes on when there are files again.
async fn f08_a_worker_without_files_waits_and_comes_back() {
    let store = Store::redis();
    let scene = Scene::new(&store.url()).await;
    let mut fleet = Fleet::start(PROGRAM, scene.settings(LEASE), 1);
    let pid = fleet.worker(0).pid();
    scene.enqueue(&jobs(10, 1)).await;
    scene.until_started(10).await;
    limit_files(pid, "3:1024");
    scene.enqueue(&[Chaos { attempts: 1, deed: Deed::OpenFile, ..Chaos::default() }]).await;
    scene.until("out of files", |stats| stats.dead == 1).await;
    store.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    scene.enqueue(&jobs(100, 1)).await;
    let (before, began) = (Usage::of(pid), clock::now());
    lasts(Duration::from_secs(10)).await;
    let (after, took) = (Usage::of(pid), began.elapsed());
    assert_eq!(scene.stats().await.ready, 100, "how could it ask for jobs?");
    let busy = Duration::from_millis(after.cpu_ms - before.cpu_ms);
    assert!(busy < took / 5, "busy for {busy:?} of {took:?} in which it could do nothing");

    limit_files(pid, "1024:1024");
    let stats = scene.rest().await;
    let account = scene.judge().await;
    assert_eq!((stats.done_total, stats.interrupted_total), (110, 0), "{stats:#?}");
    assert_eq!(account.unexplained(), 0);
    assert_eq!(fleet.stop(), [Some(0)]);
}

fn limit_files(pid: u32, limits: &str) {
    let arguments = ["--pid".to_owned(), pid.to_string(), format!("--nofile={limits}")];
    let status = Command::new("prlimit").args(arguments).status().expect("prlimit of util-linux");
    assert!(status.success(), "cannot set the limits of process {pid} to {limits}");
}
