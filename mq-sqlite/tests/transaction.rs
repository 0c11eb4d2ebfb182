//! Jobs in the application's own transactions, on the application's own database.

mod kit;

use std::time::Duration;

use kit::{directory, until};
use mq_core::engine::{EngineErrorKind, WaitReply};
use mq_core::{Client, Durability, EnqueueError, Job, JobSet, QueueName};
use rusqlite::{Connection, TransactionBehavior};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Mail {
    order: i64,
}

impl Job for Mail {
    type Output = ();
    const KIND: &'static str = "mail";
}

/// An application with a table of its own, and a client on the same file.
struct App {
    conn: Connection,
    mq: Client,
    _directory: tempfile::TempDir,
}

impl App {
    async fn new() -> Self {
        let directory = directory();
        let path = directory.path().join("app.db");
        let conn = Connection::open(&path).expect("open");
        conn.execute_batch("CREATE TABLE orders (id INTEGER PRIMARY KEY)").expect("the table");
        let url = format!("sqlite:{}?database=application", path.display());
        let mq = Client::connect(url).await.expect("connect");
        Self { conn, mq, _directory: directory }
    }

    fn begin(&mut self) -> rusqlite::Transaction<'_> {
        self.conn.transaction_with_behavior(TransactionBehavior::Immediate).expect("begin")
    }

    async fn ready(&self) -> u64 {
        self.mq.admin().queue("default").await.expect("stats").stats.ready
    }

    fn orders(&self) -> i64 {
        let count = "SELECT count(*) FROM orders";
        self.conn.query_row(count, [], |row| row.get(0)).expect("a count")
    }
}

fn kind(error: &EnqueueError) -> Option<EngineErrorKind> {
    match error {
        EnqueueError::Engine(error)
        | EnqueueError::Unavailable(error)
        | EnqueueError::Unknown(error)
        | EnqueueError::Full(error) => Some(error.kind()),
        _ => None,
    }
}

#[tokio::test]
async fn a_job_exists_if_and_only_if_the_applications_rows_do() {
    let mut app = App::new().await;
    let mq = app.mq.clone();
    for (order, is_kept) in [(1, true), (2, false), (3, true)] {
        let tx = app.begin();
        tx.execute("INSERT INTO orders VALUES (?1)", [order]).expect("insert");
        let receipt = mq.enqueue(Mail { order }).in_transaction(&tx).expect("enqueue");
        assert_eq!(receipt.durability, Durability::Disk, "SQLite's default");
        if is_kept {
            tx.commit().expect("commit");
        } else {
            drop(tx);
            assert_eq!(mq.admin().job(receipt.id).await.expect("look"), None);
        }
    }
    assert_eq!((app.ready().await, app.orders()), (2, 2));
    let report = mq.engine().audit(&QueueName::new("default").expect("a name"), false).await;
    assert_eq!(report.expect("audit").findings, []);
}

#[tokio::test]
async fn nobody_sees_a_job_before_the_commit_and_idle_workers_wake_after_it() {
    let mut app = App::new().await;
    let mq = app.mq.clone();
    let queue = QueueName::new("default").expect("a name");
    let tx = app.begin();
    mq.enqueue(Mail { order: 1 }).in_transaction(&tx).expect("enqueue");
    let none = mq.engine().wait(std::slice::from_ref(&queue), Duration::from_millis(100)).await;
    assert_eq!(none.expect("wait"), WaitReply::TimedOut);
    let waiting = tokio::spawn({
        let (mq, queue) = (mq.clone(), queue.clone());
        async move { mq.engine().wait(&[queue], Duration::from_secs(60)).await }
    });
    tx.commit().expect("commit");
    assert_eq!(waiting.await.expect("the task").expect("wait"), WaitReply::Woken(queue));
}

#[tokio::test]
async fn many_jobs_and_sets_are_stored_all_or_none() {
    let mut app = App::new().await;
    let mq = app.mq.clone().payload_max(100);
    let tx = app.begin();
    let jobs = (0..2_500).map(|order| Mail { order });
    let receipts = mq.enqueue_all(jobs).in_transaction(&tx).expect("enqueue");
    assert_eq!(receipts.len(), 2_500);
    let set = JobSet::new().push(Mail { order: 1 }).push_with(Mail { order: 2 }, |options| {
        options.queue("other").delay(Duration::from_secs(60))
    });
    mq.enqueue_set(set).in_transaction(&tx).expect("enqueue");
    let bad = JobSet::new()
        .push(Mail { order: 1 })
        .push_with(Mail { order: 2 }, |options| options.queue("no\nname"));
    mq.enqueue_set(bad).in_transaction(&tx).expect_err("refused");
    tx.commit().expect("commit");
    assert_eq!(app.ready().await, 2_501);
    let other = app.mq.admin().queue("other").await.expect("stats").stats;
    assert_eq!((other.scheduled, other.enqueued_total), (1, 1));
}

#[tokio::test]
async fn a_key_holds_across_both_ways_of_enqueueing() {
    let mut app = App::new().await;
    let mq = app.mq.clone();
    let key = |order| mq.enqueue(Mail { order }).idempotency_key("one");
    let first = key(1).await.expect("enqueue");
    let tx = app.begin();
    let second = key(2).in_transaction(&tx).expect("enqueue");
    assert_eq!((second.id, second.duplicate), (first.id, true));
    tx.commit().expect("commit");
    assert_eq!(app.ready().await, 1);
}

#[tokio::test]
async fn a_savepoint_takes_its_jobs_along() {
    let mut app = App::new().await;
    let mq = app.mq.clone();
    let mut tx = app.begin();
    let mut savepoint = tx.savepoint().expect("a savepoint");
    mq.enqueue(Mail { order: 1 }).in_transaction(&savepoint).expect("enqueue");
    savepoint.rollback().expect("roll back");
    drop(savepoint);
    mq.enqueue(Mail { order: 2 }).in_transaction(&tx).expect("enqueue");
    tx.commit().expect("commit");
    assert_eq!(app.ready().await, 1);
}

#[tokio::test]
async fn the_receipt_promises_no_more_than_the_connection_does() {
    let mut app = App::new().await;
    app.conn.pragma_update(None, "synchronous", "NORMAL").expect("the level");
    let mq = app.mq.clone();
    let tx = app.begin();
    let receipt = mq.enqueue(Mail { order: 1 }).in_transaction(&tx).expect("enqueue");
    assert_eq!(receipt.durability, Durability::Memory);
}

#[tokio::test]
async fn what_is_no_transaction_on_the_clients_database_is_refused() {
    let mut app = App::new().await;
    let mq = app.mq.clone();
    let job = || mq.enqueue(Mail { order: 1 });
    let refused = |error: EnqueueError, words: &str| {
        let text = mq_core::chain_text(&error);
        assert_eq!(kind(&error), Some(EngineErrorKind::Invalid), "{text}");
        assert!(text.contains(words), "{text}");
    };
    refused(job().in_transaction(&app.conn).expect_err("none is open"), "no transaction is open");

    let mut other = App::new().await;
    refused(job().in_transaction(&other.begin()).expect_err("another"), "another database");
    let mut foreign = Connection::open_in_memory().expect("open");
    let tx = foreign.transaction().expect("begin");
    refused(job().in_transaction(&tx).expect_err("foreign"), "another database");
    drop(tx);
    let tx = app.begin();
    job().in_transaction(&tx).expect("the right one");
}

#[tokio::test]
async fn a_transaction_that_began_by_reading_is_told_why_it_fails_and_goes_on() {
    let mut app = App::new().await;
    let mq = app.mq.clone();
    let tx = app.conn.transaction().expect("begin");
    let count: i64 =
        tx.query_row("SELECT count(*) FROM orders", [], |row| row.get(0)).expect("a count");
    assert_eq!(count, 0);
    mq.enqueue(Mail { order: 1 }).await.expect("somebody else writes");
    let error = mq.enqueue(Mail { order: 2 }).in_transaction(&tx).expect_err("too late");
    assert_eq!(kind(&error), Some(EngineErrorKind::Unavailable));
    let text = mq_core::chain_text(&error);
    assert!(text.contains("`IMMEDIATE`"), "{text}");
    tx.query_row("SELECT count(*) FROM orders", [], |_| Ok(())).expect("it is still open");
    drop(tx);
    until("one job", async || app.ready().await == 1).await;
}
