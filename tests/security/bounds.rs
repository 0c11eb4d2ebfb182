//! Lines 25 to 27: what one producer, one job or one tenant can take for itself. Full stores, dead
//! letters and poison have tests of their own, which docs/security.md names.

use std::sync::{Arc, Mutex};

use mq::prelude::*;
use mq::{EnqueueError, Record, chain_text};

use crate::kit::{logged, stores};

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(name = "note", queue = "mine", state = Notes)]
struct Note {
    number: u32,
}

type Notes = Arc<Mutex<Vec<Option<u32>>>>;

#[mq::handler]
impl Note {
    async fn run(self, cx: Context<Notes>) -> Result<(), String> {
        cx.state().lock().unwrap().push(Some(self.number));
        Ok(())
    }
}

/// A job of a tenant that has very many.
#[derive(Debug, Serialize, Deserialize, Job)]
#[job(name = "flood", queue = "flood", state = Notes)]
struct Flood;

#[mq::handler]
impl Flood {
    async fn run(self, cx: Context<Notes>) -> Result<(), String> {
        cx.state().lock().unwrap().push(None);
        Ok(())
    }
}

#[tokio::test]
async fn a_job_in_more_than_ten_years_is_a_mistake_that_changes_nothing() {
    for store in stores().await {
        let job = |number| store.mq.enqueue(Note { number }).idempotency_key("k");
        let refused = [
            job(1).delay(Duration::MAX).await.unwrap_err(),
            job(2).delay(Duration::from_secs(3_700 * 24 * 60 * 60)).await.unwrap_err(),
            job(3).at(DateTime::<Utc>::MAX_UTC).await.unwrap_err(),
        ];
        for error in refused {
            assert!(chain_text(&error).contains("ten years"), "{}: {error:?}", store.name);
            assert!(!error.is_retryable(), "{}: {error:?}", store.name);
        }
        let many = (0..10).map(|number| Note { number });
        let error = store.mq.enqueue_all(many).at(DateTime::<Utc>::MAX_UTC).await.unwrap_err();
        assert!(matches!(error, EnqueueError::Engine(_)), "{}: {error:?}", store.name);
        let stats = store.mq.admin().queue("mine").await.unwrap().stats;
        assert_eq!((stats.scheduled, stats.enqueued_total), (0, 0), "{}", store.name);
        // Its key was not taken either.
        let soon = job(4).delay(Duration::from_secs(3_600 * 24 * 60 * 60)).await.unwrap();
        assert!(!soon.duplicate, "{}", store.name);
    }
}

/// A transaction of the application's own is left as it was.
#[tokio::test]
async fn a_job_in_more_than_ten_years_leaves_the_applications_transaction_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let url = format!("sqlite:{}?database=application", path.display());
    let mq = Client::connect(url).await.unwrap();
    let mut app = rusqlite::Connection::open(&path).unwrap();
    let tx = app.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    tx.execute_batch("CREATE TABLE orders (id)").unwrap();
    let refused = mq.enqueue(Note { number: 1 }).at(DateTime::<Utc>::MAX_UTC).in_transaction(&tx);
    assert!(chain_text(&refused.unwrap_err()).contains("ten years"));
    let stored = mq.enqueue(Note { number: 2 }).in_transaction(&tx).unwrap();
    tx.commit().unwrap();
    app.execute("INSERT INTO orders VALUES (1)", ()).unwrap();
    assert!(mq.admin().job(stored.id).await.unwrap().is_some());
    assert_eq!(mq.admin().queue("mine").await.unwrap().stats.enqueued_total, 1);
}

/// Kinds come from the store, where anybody may have invented them.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_unknown_kinds_is_warned_of_within_bounds() {
    const KINDS: u64 = 600;
    for store in stores().await {
        let mut jobs = Vec::new();
        for number in 0..KINDS {
            let kind = format!("{}-{number}", store.name);
            jobs.push(Record::new(kind, &b"{}"[..]).encode());
        }
        for record in jobs {
            store.put(record).await;
        }
        let all_put_off = async {
            while store.mq.admin().queue("default").await.unwrap().stats.scheduled < KINDS {
                // sleep: between two looks; the test's own limit ends it
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let worker = |worker: mq::WorkerBuilder| {
            let worker = worker.job::<Note, Notes>().state(Notes::default());
            worker.queue("default", 1)
        };
        store.while_running(worker, all_put_off).await;
        let (log, kind) = (logged(), format!("kind=\"{}-", store.name));
        let warned = log.lines().filter(|line| line.contains(&kind) && line.contains(" WARN "));
        let warned = warned.count();
        assert!((1..=256).contains(&warned), "{}: {warned} warnings", store.name);
    }
}

/// The share of each of two queues is a half, so that on average one job of the other goes first.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_very_many_jobs_does_not_delay_anothers_beyond_its_share() {
    const ROUNDS: u32 = 40;
    for store in stores().await {
        store.mq.enqueue_all((0..20_000).map(|_| Flood)).await.unwrap();
        let notes = Notes::default();
        let worker = Worker::builder(&store.mq)
            .queue("flood", 1)
            .queue("mine", 1)
            .concurrency(1)
            .state(Arc::clone(&notes))
            .job::<Flood, Notes>()
            .job::<Note, Notes>()
            .build()
            .unwrap()
            .spawn();
        let mut before = 0;
        for number in 0..ROUNDS {
            let receipt = store.mq.enqueue(Note { number }).await.unwrap();
            // What was started before this moment has not delayed it.
            let from = notes.lock().unwrap().len();
            store.gone(receipt.id).await;
            let notes = notes.lock().unwrap();
            let at = notes.iter().position(|note| *note == Some(number)).unwrap();
            before += at.saturating_sub(from);
        }
        let flooded = notes.lock().unwrap().iter().filter(|note| note.is_none()).count();
        assert!(flooded < 20_000, "{}: the flood lasts", store.name);
        worker.stop(Duration::from_secs(10)).await.unwrap();
        // Twice the share, of which two jobs are under way when a round begins.
        let most = 4 * ROUNDS as usize;
        assert!(before <= most, "{}: {before} jobs of the flood went before {ROUNDS}", store.name);
    }
}
