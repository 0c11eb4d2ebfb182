//! What happens to files: full disks, readers that stay, damage, replacement, odd clocks. Rows F72,
//! F74 and F76 to F78 of the fault matrix; what happens to processes is in `mq-chaos`.

mod kit;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use kit::{Worker, connect, directory, job, outside, path, queue, unfit, until, url};
use mq_core::connect::ConnectError;
use mq_core::engine::{Engine, EngineErrorKind, NewJob, Schedule};
use mq_core::lifecycle::Transition;
use mq_sqlite::SqliteEngine;
use rusqlite::Connection;

const PATIENCE: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(60);

fn large() -> NewJob {
    NewJob { record: mq_core::Record::new("kind", vec![b'x'; 50_000]).encode(), ..job() }
}

async fn refused(engine: &SqliteEngine, job: NewJob) -> EngineErrorKind {
    engine.enqueue(vec![job], PATIENCE).await.expect_err("refused").kind()
}

fn integrity(path: &Path) -> String {
    let conn = Connection::open(path).expect("open");
    conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check")
}

/// A small disk, where this test may mount one.
struct Disk {
    directory: tempfile::TempDir,
}

impl Disk {
    fn mount(size: &str) -> Option<Self> {
        let directory = directory();
        let size = format!("size={size}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "mq-test"]).arg(directory.path());
        if mount.output().is_ok_and(|done| done.status.success()) {
            return Some(Self { directory });
        }
        eprintln!("not tried: this needs the right to mount a file system");
        None
    }

    fn url(&self) -> String {
        url(&self.directory)
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut file = fs::File::create(self.filler()).expect("a file");
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn filler(&self) -> std::path::PathBuf {
        self.directory.path().join("somebody-elses-file")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: connections may not have ended yet.
        let _ = Command::new("umount").arg("-l").arg(self.directory.path()).status();
    }
}

/// F72: jobs themselves fill the disk. New ones are refused, every one that was taken gets done,
/// and then there is room again.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_full_of_jobs_drains() {
    let Some(disk) = Disk::mount("24m") else { return };
    let engine = connect(&disk.url()).await;
    let worker = Worker::join(&engine, LEASE).await;
    let mut taken = 0;
    let error = loop {
        match engine.enqueue(vec![large()], PATIENCE).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 1_000, "the disk is never full");
    };
    assert_eq!(error.kind(), EngineErrorKind::Full);
    assert!(error.to_string().contains("make room"), "{error}");
    assert!(taken > 50, "{taken}");

    let mut done = 0;
    while done < taken {
        let jobs = worker.claim(7).await;
        assert!(!jobs.is_empty(), "{done} of {taken}");
        done += jobs.len();
        worker.finish(&jobs, Transition::Done).await;
    }
    until("new jobs are taken", async || engine.enqueue(vec![large()], PATIENCE).await.is_ok())
        .await;
    assert_eq!(engine.stats(&queue()).await.expect("stats").ready, 1);
    assert_eq!(integrity(&path(&disk.directory)), "ok");
}

/// F72: somebody else fills the disk. Jobs that are there are run, fail and die as ever.
#[tokio::test(flavor = "multi_thread")]
async fn on_a_disk_filled_by_others_jobs_go_on_and_new_ones_are_refused() {
    let Some(disk) = Disk::mount("24m") else { return };
    let engine = connect(&disk.url()).await;
    let worker = Worker::join(&engine, LEASE).await;
    engine.enqueue((0..300).map(|_| job()).collect(), PATIENCE).await.expect("enqueue");
    let running = worker.claim(50).await;
    disk.fill();

    until("no room", async || engine.enqueue(vec![large()], PATIENCE).await.is_err()).await;
    assert_eq!(refused(&engine, job()).await, EngineErrorKind::Full);
    worker.finish(&running, Transition::Bury).await;
    for _ in 0..25 {
        let jobs = worker.claim(10).await;
        worker.finish(&jobs, Transition::Done).await;
    }
    worker.beat(LEASE).await;
    let stats = engine.stats(&queue()).await.expect("stats");
    assert_eq!((stats.ready, stats.running, stats.dead, stats.done_total), (0, 0, 50, 250));
    assert_eq!(refused(&engine, job()).await, EngineErrorKind::Full);

    fs::remove_file(disk.filler()).expect("remove");
    until("room again", async || engine.enqueue(vec![job()], PATIENCE).await.is_ok()).await;
    assert_eq!(integrity(&path(&disk.directory)), "ok");
}

/// F72: a disk on which nothing can be made is refused when it is opened, in words.
#[tokio::test]
async fn a_file_system_that_is_read_only_is_refused_at_once() {
    let Some(disk) = Disk::mount("24m") else { return };
    drop(connect(&disk.url()).await);
    let remount = |how: &str| {
        let status = Command::new("mount").args(["-o", how]).arg(disk.directory.path()).status();
        status.is_ok_and(|status| status.success())
    };
    // The threads of the engine end a moment after it.
    until("it is read only", async || remount("remount,ro")).await;
    let error = SqliteEngine::connect(&disk.url()).await.expect_err("refused");
    let ConnectError::Engine(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), EngineErrorKind::Denied);
    assert!(error.to_string().contains("rights of the file"), "{error}");
}

/// F74: a reader that stays makes the log grow: new jobs are refused at the bound, others go on,
/// and when the reader goes so does the refusal.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stays_costs_new_jobs_and_not_the_disk() {
    let directory = directory();
    let engine = connect(&format!("{}?wal_max_mb=1", url(&directory))).await;
    let worker = Worker::join(&engine, LEASE).await;
    let reader = Connection::open(path(&directory)).expect("open");
    reader.execute_batch("BEGIN; SELECT count(*) FROM mq_jobs").expect("a snapshot");
    let mut taken = 0;
    let error = loop {
        match engine.enqueue(vec![large()], PATIENCE).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 100, "the log grows without bound");
    };
    assert_eq!(error.kind(), EngineErrorKind::Full);
    assert!(error.to_string().contains("keeps a transaction open"), "{error}");
    let jobs = worker.claim(100).await;
    worker.finish(&jobs, Transition::Done).await;
    assert_eq!(jobs.len(), taken);

    reader.execute_batch("COMMIT").expect("the end");
    until("new jobs are taken", async || engine.enqueue(vec![large()], PATIENCE).await.is_ok())
        .await;
}

/// F76: pages that are gone or overwritten are found before anybody relies on the file.
#[tokio::test]
async fn a_damaged_file_is_refused_when_it_is_opened() {
    let directory = directory();
    let engine = connect(&url(&directory)).await;
    engine.enqueue((0..200).map(|_| large()).collect(), PATIENCE).await.expect("enqueue");
    drop(engine);
    let log = directory.path().join("jobs.db-wal");
    // The last connection clears the log away; those of the engine end at the same time as each
    // other, when each may take another for the last.
    let is_last = async || {
        outside(&path(&directory), "SELECT count(*) FROM mq_jobs");
        !log.exists()
    };
    until("everybody has left", is_last).await;
    let whole = fs::read(path(&directory)).expect("the file");
    let mut overwritten = whole.clone();
    overwritten[8192..12288].fill(0xff);
    let cut = whole[..whole.len() - 3 * 4096].to_vec();
    for (what, bytes) in [("overwritten", overwritten), ("cut off", cut)] {
        fs::write(path(&directory), &bytes).expect("write");
        let text = match SqliteEngine::connect(&url(&directory)).await.expect_err(what) {
            ConnectError::Unfit(text) => text,
            ConnectError::Engine(error) => error.to_string(),
            other => panic!("{what}: {other:?}"),
        };
        assert!(text.contains("damaged") && text.contains("restore a copy"), "{what}: {text}");
        assert_eq!(fs::read(path(&directory)).expect("the file"), bytes, "{what}: left alone");
    }
}

/// F77: what is written to a file that has lost its name would be lost, so nothing is acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_that_goes_into_a_file_without_a_name() {
    let directory = directory();
    let engine = connect(&url(&directory)).await;
    engine.enqueue(vec![job()], PATIENCE).await.expect("enqueue");
    let aside = directory.path().join("aside.db");
    fs::rename(path(&directory), &aside).expect("rename");
    let error = engine.enqueue(vec![job()], PATIENCE).await.expect_err("deleted");
    assert_eq!(error.kind(), EngineErrorKind::Damaged);
    assert!(error.to_string().contains("deleted or replaced"), "{error}");
    engine.stats(&queue()).await.expect_err("questions, too");

    fs::write(path(&directory), "another file").expect("write");
    assert_eq!(refused(&engine, job()).await, EngineErrorKind::Damaged);

    fs::rename(&aside, path(&directory)).expect("rename");
    engine.enqueue(vec![job()], PATIENCE).await.expect("it is back");
    assert_eq!(engine.stats(&queue()).await.expect("stats").ready, 2);
}

/// F77: the log is half of the database.
#[cfg(unix)]
#[tokio::test]
async fn a_log_that_is_deleted_is_noticed() {
    let directory = directory();
    let engine = connect(&url(&directory)).await;
    engine.enqueue(vec![job()], PATIENCE).await.expect("enqueue");
    fs::remove_file(directory.path().join("jobs.db-wal")).expect("remove");
    assert_eq!(refused(&engine, job()).await, EngineErrorKind::Damaged);
}

/// Another process has taken the tables to a version that this one does not know.
#[tokio::test]
async fn tables_that_change_under_a_running_program_stop_it() {
    let directory = directory();
    let engine = connect(&url(&directory)).await;
    outside(&path(&directory), "UPDATE mq_meta SET version = 99");
    let error = engine.enqueue(vec![job()], PATIENCE).await.expect_err("another version");
    assert_eq!(error.kind(), EngineErrorKind::Denied);
    assert!(error.to_string().contains("version 99"), "{error}");
    let text = unfit(&url(&directory)).await;
    assert!(text.contains("upgrade"), "{text}");
}

/// F78: a wall clock that is set back starts no job early, and the dead are found all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_delays_jobs_and_saves_no_dead_worker() {
    let directory = directory();
    let engine = connect(&url(&directory)).await;
    let short = Duration::from_millis(300);
    let dead = Worker::join(&engine, short).await;
    let reaper = Worker::join(&engine, LEASE).await;
    engine.enqueue(vec![job()], PATIENCE).await.expect("enqueue");
    let later = NewJob { schedule: Schedule::After(Duration::from_secs(60)), ..job() };
    engine.enqueue(vec![later], PATIENCE).await.expect("enqueue");
    assert_eq!(dead.claim(1).await.len(), 1);

    let before = engine.ping().await.expect("ping");
    engine.shift_test_wall(-3_600_000);
    assert!(engine.ping().await.expect("ping") >= before, "the store's time never goes back");
    until("its job is taken over", async || reaper.reap(short).await == 1).await;
    engine.promote(&queue(), 10).await.expect("promote");
    assert_eq!(engine.stats(&queue()).await.expect("stats").scheduled, 1);
}

/// F78: a wall clock that is set forward, here or by a process that came later, kills nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_forward_kills_nobody() {
    let directory = directory();
    let engine = connect(&url(&directory)).await;
    let alive = Worker::join(&engine, LEASE).await;
    let reaper = Worker::join(&engine, LEASE).await;
    engine.enqueue(vec![job()], PATIENCE).await.expect("enqueue");
    let jobs = alive.claim(1).await;
    assert_eq!(reaper.reap(LEASE).await, 0);

    engine.shift_test_wall(3_600_000);
    assert_eq!(reaper.reap(LEASE).await, 0, "leases do not go by the wall clock");
    // As a process does that begins now.
    outside(&path(&directory), "UPDATE mq_meta SET lease_ms = lease_ms + 3600000");
    assert_eq!(reaper.reap(LEASE).await, 0, "half a lease to report");
    alive.beat(LEASE).await;
    assert_eq!(reaper.reap(LEASE).await, 0);
    alive.finish(&jobs, Transition::Done).await;
    let in_half_an_hour = mq_core::clock::wall_ms() + 1_800_000;
    let soon = NewJob { schedule: Schedule::At(in_half_an_hour), ..job() };
    engine.enqueue(vec![soon], PATIENCE).await.expect("enqueue");
    assert_eq!(alive.claim(1).await.len(), 1, "what is due by the new time is run");
}

/// Questions have connections of their own: somebody else's lock is nothing to them.
#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_while_nobody_can_write() {
    let directory = directory();
    let engine = connect(&url(&directory)).await;
    let other = Connection::open(path(&directory)).expect("open");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let writing = tokio::spawn({
        let engine = engine.clone();
        async move { engine.enqueue(vec![job()], PATIENCE).await }
    });
    assert_eq!(engine.stats(&queue()).await.expect("stats").ready, 0);
    other.execute_batch("COMMIT").expect("the end");
    writing.await.expect("the task").expect("enqueue");
    assert_eq!(engine.stats(&queue()).await.expect("stats").ready, 1);
}
