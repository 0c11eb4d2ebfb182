//! The server does not do what it is asked, for a while: F30 to F33.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mq_chaos::{Chaos, Fleet, LEASE, Scene, Tier, lasts, under_load};
use mq_core::{EnqueueError, clock};
use mq_testkit::{RedisServer, Wire, ask};

use crate::{WORKER, rows, until_at_work};

rows! {
    Commit: f33_a_server_that_became_a_replica_is_waited_for;
    Nightly:
        f30_an_eviction_that_begins_later_is_told_within_a_minute,
        f31_a_full_disk_stops_producers_and_heals,
        f31_a_full_disk_takes_no_more_than_the_promised_second,
        f31_a_server_that_exits_for_its_full_disk_has_lost_nothing,
        f32_a_server_that_is_held_up_by_others_is_waited_for,
        f33_a_server_that_loads_for_long_is_waited_for;
}

/// How long jobs are enqueued before the disk is full.
const FILL_AFTER: Duration = Duration::from_secs(4);
const BACK_MAX: Duration = Duration::from_secs(5);

async fn tell(server: &RedisServer, words: &[&str]) {
    assert_eq!(ask(server.port(), words).await, "+OK\r\n", "{words:?}");
}

/// F30: refused at the start, see `mq-redis/tests/checks.rs`; and told when it comes about later.
async fn f30_an_eviction_that_begins_later_is_told_within_a_minute() {
    let server = RedisServer::start();
    let fault = async |scene: &Scene| {
        tell(&server, &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await;
        let limit = Duration::from_secs(65);
        scene.until_logged("redis will throw jobs away when its memory is full", limit).await;
        // The producer's own look is a minute after its own connection.
        let warned = |text: &String| text.contains("maxmemory-policy allkeys-lru");
        let deadline = clock::now() + limit;
        while !scene.client.engine().warnings().iter().any(warned) {
            assert!(clock::now() < deadline, "{:?}", scene.client.engine().warnings());
            lasts(Duration::from_millis(100)).await;
        }
    };
    let (_, unexplained) = under_load(WORKER, &server.url(), 0, fault).await;
    assert_eq!(unexplained, 0);
}

/// 8 MB of memory as a disk, where this test may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder: {error}"));
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "mq-test"]).arg(folder.path());
        if mount.output().is_ok_and(|done| done.status.success()) {
            return Some(Self(folder));
        }
        assert!(std::env::var_os("CI").is_none(), "this row needs the right to mount a disk");
        eprintln!("NOT TRIED: this needs the right to mount a file system; run it as root");
        None
    }

    fn server(&self, appendfsync: &str) -> RedisServer {
        let folder = self.0.path().display().to_string();
        let rewrites = ["--auto-aof-rewrite-percentage", "0"];
        let log = ["--appendonly", "yes", "--appendfsync", appendfsync];
        RedisServer::with(&[&["--dir", &folder][..], &log, &rewrites].concat())
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }

    /// Leaves no room, now and after the server has cut off what it could not finish.
    fn fill(&self) {
        use std::io::Write;
        let file = std::fs::OpenOptions::new().create(true).append(true).open(self.filler());
        let mut file = file.unwrap_or_else(|error| panic!("no filler: {error}"));
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn empty(&self) {
        std::fs::remove_file(self.filler()).unwrap_or_else(|error| panic!("{error}"));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// F31, synced every second: nothing is written any more. Producers hear `Full`.
async fn f31_a_full_disk_stops_producers_and_heals() {
    let Some(disk) = SmallDisk::mount() else { return };
    let server = disk.server("everysec");
    let fault = async |scene: &Scene| {
        disk.fill();
        let deadline = clock::now() + Duration::from_secs(30);
        loop {
            let outcome = scene.client.enqueue(Chaos::lasting(0, 0)).await;
            if matches!(outcome, Err(EnqueueError::Full(_))) {
                break;
            }
            assert!(clock::now() < deadline, "never full: {outcome:?}");
            disk.fill();
        }
        lasts(Duration::from_secs(3)).await;
        disk.empty();
        until_at_work(scene, BACK_MAX).await;
    };
    let (_, unexplained) = under_load(WORKER, &server.url(), 100, fault).await;
    assert_eq!(unexplained, 0);
}

/// F31, synced every second: a server that is killed while its disk is full may lack what it
/// acknowledged within two seconds before it began to refuse, and nothing that is older.
async fn f31_a_full_disk_takes_no_more_than_the_promised_second() {
    for round in 0..Tier::of_this_run().pick(1, 3, 20) {
        let Some(disk) = SmallDisk::mount() else { return };
        let mut server = disk.server("everysec");
        let scene = Scene::new(&server.url()).await;
        let (mut acked, mut number) = (Vec::new(), 0);
        let (full_from, deadline) = (clock::now() + FILL_AFTER, clock::now() + FILL_AFTER * 10);
        let refused = loop {
            let job = Chaos { number, padding: "x".repeat(200), ..Chaos::default() };
            match scene.client.enqueue(job).await {
                Ok(enqueued) => acked.push((clock::now(), enqueued.id)),
                Err(EnqueueError::Full(_)) => break clock::now(),
                Err(other) => panic!("{other}"),
            }
            number += 1;
            if clock::now() > full_from {
                disk.fill();
            }
            // Slow enough that the jobs alone do not fill it before.
            lasts(Duration::from_millis(1)).await;
            assert!(clock::now() < deadline, "never full");
        };
        server.kill9();
        disk.empty();
        server.restart();
        let admin = scene.client.admin();
        let mut lost = Vec::new();
        for (at, id) in &acked {
            if admin.job(*id).await.expect("a look at a job").is_none() {
                lost.push(refused.duration_since(*at));
            }
        }
        eprintln!("round {round}: {} of {} lost, {:?}", lost.len(), acked.len(), lost.first());
        assert!(lost.iter().all(|before| *before <= Duration::from_secs(2)), "{lost:?}");
    }
}

/// F31, synced always: the server exits, and is as any other that was killed.
async fn f31_a_server_that_exits_for_its_full_disk_has_lost_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let mut server = disk.server("always");
    let url = server.url();
    let fault = async |scene: &Scene| {
        disk.fill();
        let deadline = clock::now() + Duration::from_secs(30);
        while !ask(server.port(), &["PING"]).await.is_empty() {
            assert!(clock::now() < deadline, "it never exits");
            disk.fill();
            lasts(Duration::from_millis(20)).await;
        }
        scene.note("the server has exited");
        disk.empty();
        server.restart();
        until_at_work(scene, BACK_MAX).await;
    };
    let (_, unexplained) = under_load(WORKER, &url, 100, fault).await;
    assert_eq!(unexplained, 0);
}

/// F32: another client's script that does not end, a listing of all keys of a large store, and a
/// server that sleeps.
async fn f32_a_server_that_is_held_up_by_others_is_waited_for() {
    let server = RedisServer::with(&["--enable-debug-command", "local"]);
    let keys = Tier::of_this_run().pick("10000", "1000000", "5000000");
    let fault = async |scene: &Scene| {
        tell(&server, &["CONFIG", "SET", "busy-reply-threshold", "100"]).await;
        for seconds in [2, 6] {
            scene.note(format!("a script of {seconds} s"));
            let endless = ["EVAL", "while true do end", "0"];
            let mut other = Wire::to(server.port()).await.expect("a connection");
            let killed = async {
                lasts(Duration::from_secs(seconds)).await;
                tell(&server, &["SCRIPT", "KILL"]).await;
            };
            tokio::join!(other.ask(&endless), killed);
            until_at_work(scene, BACK_MAX).await;
        }
        scene.note(format!("KEYS on {keys} keys"));
        tell(&server, &["DEBUG", "POPULATE", keys]).await;
        for _ in 0..5 {
            ask(server.port(), &["KEYS", "*"]).await;
        }
        for seconds in ["2", "6"] {
            scene.note(format!("DEBUG SLEEP {seconds}"));
            tell(&server, &["DEBUG", "SLEEP", seconds]).await;
            until_at_work(scene, BACK_MAX).await;
        }
    };
    let (scene, unexplained) = under_load(WORKER, &server.url(), 500, fault).await;
    assert_eq!(unexplained, 0, "no false death");
    assert_eq!(scene.stats().await.interrupted_total, 0);
}

/// Lines of a log that begin with a time are entries of their own.
fn lines(log: &str) -> usize {
    log.lines().filter(|line| line.starts_with("20")).count()
}

/// F33: a restart with so much to load that the server says LOADING for seconds.
async fn f33_a_server_that_loads_for_long_is_waited_for() {
    // Microseconds per command; a way of the server's own tests.
    let slow = ["--key-load-delay", "150"];
    let mut server = RedisServer::on_a_fast_disk(&[&["--appendonly", "yes"][..], &slow].concat());
    let scene = Scene::new(&server.url()).await;
    let fleet = Fleet::start(WORKER, scene.settings(LEASE), 2);
    scene.enqueue_all(&Chaos::many(0..3_000, 0), 500).await;
    scene.rest().await;
    scene.enqueue(&Chaos::many(0..16, 500)).await;
    let (loading, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let looking = tokio::spawn({
        let (port, loading, is_over) = (server.port(), loading.clone(), is_over.clone());
        async move {
            while !is_over.load(Ordering::SeqCst) {
                let answer = ask(port, &["PING"]).await;
                loading.fetch_add(usize::from(answer.contains("LOADING")), Ordering::SeqCst);
                lasts(Duration::from_millis(50)).await;
            }
        }
    });
    let (began, before) = (clock::now(), lines(&scene.log()));
    scene.note("restart");
    server.restart();
    let took = began.elapsed();
    is_over.store(true, Ordering::SeqCst);
    looking.await.expect("somebody looks");
    until_at_work(&scene, BACK_MAX).await;
    let said = lines(&scene.log()) - before;
    let loading = loading.load(Ordering::SeqCst);
    eprintln!("loaded for {took:?}, said so {loading} times; two workers wrote {said} lines");
    assert!(loading > 0, "the server was never seen loading");
    // Each worker has a claim, a beat and its housekeeping to wait with.
    assert!(said as u64 <= 2 * 3 * (took.as_secs() + 2), "{}", scene.log());
    scene.rest().await;
    let account = scene.judge().await;
    assert_eq!(account.unexplained(), 0);
    assert!(fleet.stop().iter().all(|code| *code == Some(0)));
}

/// F33: READONLY, and MASTERDOWN, for a while. In the end the server is a primary as before.
async fn f33_a_server_that_became_a_replica_is_waited_for() {
    let server = RedisServer::start();
    let fault = async |scene: &Scene| {
        for stale in ["yes", "no"] {
            tell(&server, &["CONFIG", "SET", "replica-serve-stale-data", stale]).await;
            // Of nobody: port 1 is not taken by a server.
            tell(&server, &["REPLICAOF", "127.0.0.1", "1"]).await;
            lasts(Duration::from_secs(Tier::of_this_run().pick(1, 10, 30))).await;
            let refused = scene.client.enqueue(Chaos::lasting(0, 0)).await;
            assert!(refused.is_err(), "{refused:?}");
            tell(&server, &["REPLICAOF", "NO", "ONE"]).await;
            until_at_work(scene, BACK_MAX).await;
        }
    };
    let (_, unexplained) = under_load(WORKER, &server.url(), 200, fault).await;
    assert_eq!(unexplained, 0);
}
