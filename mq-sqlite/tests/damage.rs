//! What another program wrote into the tables: it must not keep a queue from its other jobs.

mod kit;

use std::time::Duration;

use kit::{Worker, connect, directory, job, outside, path, queue, until, url};
use mq_core::State;
use mq_core::engine::{Engine, FindingKind, ListRequest, NewJob};
use mq_core::lifecycle::Transition;

const LEASE: Duration = Duration::from_secs(60);
const NO_ID: &str = "no \u{1b}[2J id";

/// A queue with a job that is as it should be behind one to which this was done.
async fn damaged(directory: &tempfile::TempDir, sql: &str) -> (mq_sqlite::SqliteEngine, NewJob) {
    let engine = connect(&url(directory)).await;
    let (bad, good) = (job(), job());
    for job in [&bad, &good] {
        engine.enqueue(vec![job.clone()], LEASE).await.expect("enqueue");
    }
    let id = bad.id;
    outside(&path(directory), &format!("UPDATE mq_jobs SET {sql} WHERE id = '{id}'"));
    (engine, good)
}

#[tokio::test]
async fn a_job_whose_id_is_none_keeps_nobody_from_the_others() {
    let directory = directory();
    let (engine, good) = damaged(&directory, &format!("id = '{NO_ID}', cancel = 1")).await;
    let worker = Worker::join(&engine, LEASE).await;
    worker.beat(LEASE).await;
    let jobs = worker.claim(2).await;
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [good.id]);
    worker.finish(&jobs, Transition::Done).await;
    assert!(worker.claim(2).await.is_empty());
    let stats = engine.stats(&queue()).await.expect("stats");
    assert_eq!((stats.ready, stats.running, stats.dead), (0, 0, 1), "it is kept, out of the way");
    let report = engine.audit(&queue(), false).await.expect("audit");
    let found: Vec<_> = report.findings.iter().map(|f| (f.kind, f.subject.as_str())).collect();
    let shown = NO_ID.as_bytes().escape_ascii().to_string();
    assert_eq!(found, [(FindingKind::Garbage, shown.as_str())]);
}

#[tokio::test]
async fn a_worker_that_died_with_a_job_whose_id_is_none_is_taken_over_all_the_same() {
    let directory = directory();
    let engine = connect(&url(&directory)).await;
    engine.enqueue(vec![job(), job()], LEASE).await.expect("enqueue");
    let dead = Worker::join(&engine, Duration::from_millis(1)).await;
    assert_eq!(dead.claim(2).await.len(), 2);
    outside(&path(&directory), &format!("UPDATE mq_jobs SET id = '{NO_ID}' WHERE pk = 1"));
    let heir = Worker::join(&engine, LEASE).await;
    until("the job of the dead", async || heir.reap(Duration::from_millis(1)).await == 1).await;
}

#[tokio::test]
async fn lists_pass_over_what_is_none_of_ours() {
    let directory = directory();
    let (engine, good) = damaged(&directory, &format!("id = '{NO_ID}'")).await;
    let request = ListRequest { queue: queue(), state: State::Ready, cursor: None, limit: 9 };
    let page = engine.list(request).await.expect("list");
    assert_eq!(page.jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [good.id]);
}

#[tokio::test]
async fn a_record_that_was_edited_by_hand_is_read_and_one_that_is_none_comes_empty() {
    for (sql, record) in [("record = 'edited'", &b"edited"[..]), ("record = 7", b"")] {
        let directory = directory();
        let (engine, _) = damaged(&directory, sql).await;
        let worker = Worker::join(&engine, LEASE).await;
        let jobs = worker.claim(2).await;
        assert_eq!((jobs.len(), &jobs[0].record[..]), (2, record), "{sql}");
    }
}

#[tokio::test]
async fn numbers_of_any_size_and_type_are_no_obstacle() {
    let numbers =
        [i64::MIN.to_string(), i64::MAX.to_string(), "'x'".to_owned(), "1e300".to_owned()];
    for number in &numbers {
        for (table, column) in [
            ("mq_jobs", "level"),
            ("mq_jobs", "seq"),
            ("mq_queues", "swept_ms"),
            ("mq_queues", "wakes"),
            ("mq_workers", "until_ms"),
            ("mq_workers", "last"),
        ] {
            let directory = directory();
            let (engine, good) = damaged(&directory, "state = 1, at_ms = 1, seq = NULL").await;
            let (late, idle) = (Worker::join(&engine, LEASE).await, job());
            outside(&path(&directory), &format!("UPDATE {table} SET {column} = {number}"));
            let worker = Worker::join(&engine, LEASE).await;
            let jobs = worker.claim(9).await;
            assert!(jobs.iter().any(|job| job.id == good.id), "{table}.{column} is {number}");
            worker.finish(&jobs, Transition::Release).await;
            worker.reap(LEASE).await;
            engine.workers(&queue()).await.expect("workers");
            engine.stats(&queue()).await.expect("stats");
            engine.enqueue(vec![idle], LEASE).await.expect("enqueue");
            drop(late);
        }
    }
}

#[tokio::test]
async fn clocks_of_any_time_are_no_end_of_it() {
    for number in [i64::MIN, i64::MAX] {
        let directory = directory();
        let (engine, good) = damaged(&directory, "seq = 9").await;
        let set = format!("UPDATE mq_meta SET last_ms = {number}, lease_ms = {number}");
        outside(&path(&directory), &set);
        let worker = Worker::join(&engine, LEASE).await;
        worker.beat(LEASE).await;
        let jobs = worker.claim(1).await;
        assert_eq!(jobs.first().map(|job| job.id), Some(good.id));
        worker.finish(&jobs, Transition::Retry { at_ms: 1 }).await;
        assert!(engine.ping().await.is_ok());
    }
}
