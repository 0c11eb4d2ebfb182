//! Sealed jobs from enqueue to their end, on a file and on a server.
#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

#[path = "support/log.rs"]
mod log;

use std::path::Path;
use std::sync::{Arc, Mutex};

use mq::admin::{Filter, JobInfo};
use mq::engine::{NewJob, Schedule};
use mq::prelude::*;
use mq::seal::{Keys, Parts, Scheme, Seal, SealError, Sealer};
use mq::{DeathReason, EnqueueError, JobId, JobSet, QueueName, Record, State};
use mq_testkit::{shared_url, unique_prefix};
use tempfile::TempDir;

use crate::log::Log;

const CARD: &str = "4929-secret-1234";

/// What handlers saw: cards, and the record in the store at each attempt.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Sight>>>);

struct Sight {
    card: String,
    record: Vec<u8>,
}

impl Seen {
    /// Sorted: jobs that run at a time end in any order.
    fn cards(&self) -> Vec<String> {
        let mut cards: Vec<_> = self.0.lock().unwrap().iter().map(|s| s.card.clone()).collect();
        cards.sort();
        cards
    }

    fn records(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().iter().map(|sight| sight.record.clone()).collect()
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Job)]
#[job(queue = "pay", state = Seen, max_attempts = 6, backoff(fixed, base = "1ms"))]
struct Pay {
    card: String,
    fails: bool,
}

impl Handler<Seen> for Pay {
    type Error = String;

    async fn run(self, cx: Context<Seen>) -> Result<(), String> {
        let record = stored(cx.client(), cx.queue(), cx.id()).await;
        cx.state().0.lock().unwrap().push(Sight { card: self.card, record });
        if self.fails { Err("the bank is shut".to_owned()) } else { Ok(()) }
    }
}

fn pay(card: &str) -> Pay {
    Pay { card: card.to_owned(), fails: false }
}

/// The name of the key that was to be, and its digits.
const OLD: (&str, &str) = ("old", "2e");
const NEW: (&str, &str) = ("new", "1f");

fn keys(keys: &[(&str, &str)]) -> Keys {
    let texts = keys.iter().map(|(name, digits)| format!("{name}:{}", digits.repeat(32)));
    texts.collect::<Vec<_>>().join(" ").parse().unwrap()
}

/// A store, without keys.
struct Place {
    mq: Client,
    folder: Option<TempDir>,
}

impl Place {
    async fn all() -> [Self; 2] {
        let folder = tempfile::tempdir().unwrap();
        let file = format!("sqlite:{}", folder.path().join("jobs.db").display());
        let server = format!("{}?prefix={}", shared_url(), unique_prefix());
        [
            Self { mq: Client::connect(file).await.unwrap(), folder: Some(folder) },
            Self { mq: Client::connect(server).await.unwrap(), folder: None },
        ]
    }

    fn sealed(&self, keys: Keys) -> Client {
        self.mq.clone().sealed(keys)
    }

    async fn record(&self, id: JobId) -> Vec<u8> {
        stored(&self.mq, &pay_queue(), id).await
    }
}

fn pay_queue() -> QueueName {
    QueueName::new("pay").unwrap()
}

async fn stored(mq: &Client, queue: &QueueName, id: JobId) -> Vec<u8> {
    let found = mq.engine().get(queue, &[id]).await.unwrap().pop().unwrap();
    found.map(|job| job.record).unwrap_or_default()
}

/// Runs what is there until nothing waits or runs, and says which cards were seen.
async fn run(mq: &Client) -> Seen {
    let seen = Seen::default();
    let worker = Worker::builder(mq).queue("pay", 1).queue("other", 1).state(seen.clone());
    let idle = async {
        // Jobs that are put off for lack of a key count as scheduled, and not as retries.
        while busy(mq, "pay").await || busy(mq, "other").await {
            // sleep: polls until nothing can run; the test's own limit ends it.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    worker.job::<Pay, Seen>().build().unwrap().run_until(idle).await.unwrap();
    seen
}

async fn busy(mq: &Client, queue: &str) -> bool {
    let stats = mq.admin().queue(queue).await.unwrap().stats;
    stats.ready + stats.running + stats.retrying > 0
}

async fn info(mq: &Client, id: JobId) -> JobInfo {
    mq.admin().job(id).await.unwrap().unwrap()
}

/// As somebody does who can write to the store.
async fn put(mq: &Client, id: JobId, record: &Record<'_>) -> Vec<u8> {
    let record = record.encode();
    let job = NewJob {
        queue: pay_queue(),
        id,
        record: record.clone(),
        schedule: Schedule::Now,
        priority: Priority::Normal,
        idempotency_key: None,
    };
    mq.engine().enqueue(vec![job], Duration::from_secs(5)).await.unwrap();
    record
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// All that a folder has, as somebody sees it who steals the disk.
fn all_bytes(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).unwrap();
    files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

#[tokio::test]
async fn handlers_get_what_was_enqueued_and_the_store_does_not() {
    for place in Place::all().await {
        let mq = place.sealed(keys(&[NEW]));
        let mut ids = vec![mq.enqueue(pay(CARD)).tag("vip").await.unwrap().id];
        let many = mq.enqueue_all((0..3).map(|at| pay(&format!("{CARD} {at}")))).await.unwrap();
        let set = JobSet::new().push(pay(CARD)).push_with(pay(CARD), |o| o.queue("other"));
        let several = mq.enqueue_set(set).await.unwrap();
        ids.extend(many.iter().chain(&several).map(|receipt| receipt.id));
        for id in &ids {
            let job = info(&mq, *id).await;
            let seal = job.seal.as_ref().unwrap();
            assert_eq!((seal.scheme, seal.key.as_str()), (Scheme::Encrypted, "new"));
            assert!(seal.problem.is_none() && has(&job.payload, CARD), "{job:?}");
            let bytes = stored(&mq, &job.queue, *id).await;
            assert!(has(&bytes, "pay") && !has(&bytes, CARD), "kinds can be seen");
        }
        if let Some(folder) = &place.folder {
            let bytes = all_bytes(folder.path());
            assert!(has(&bytes, "vip") && !has(&bytes, CARD), "tags can be seen");
        }
        let cards = run(&mq).await.cards();
        assert_eq!(cards.iter().filter(|card| card.starts_with(CARD)).count(), 6, "{cards:?}");
    }
}

#[tokio::test]
async fn jobs_of_a_transaction_are_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let mut app = rusqlite::Connection::open(&path).unwrap();
    app.pragma_update(None, "journal_mode", "wal").unwrap();
    let url = format!("sqlite:{}?database=application", path.display());
    let mq = Client::connect(url).await.unwrap().sealed(keys(&[NEW]));
    let tx = app.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let one = mq.enqueue(pay(CARD)).in_transaction(&tx).unwrap().id;
    mq.enqueue_all([pay(CARD)]).in_transaction(&tx).unwrap();
    mq.enqueue_set(JobSet::new().push(pay(CARD))).in_transaction(&tx).unwrap();
    tx.commit().unwrap();
    assert!(info(&mq, one).await.seal.is_some());
    assert!(!has(&all_bytes(folder.path()), CARD));
    assert_eq!(run(&mq).await.cards(), [CARD; 3]);
}

/// See sidekiq#3368 and #4702, where each retry encrypted once more.
#[tokio::test]
async fn not_one_byte_changes_through_retries_death_and_return() {
    for sign_only in [false, true] {
        for place in Place::all().await {
            let keys = if sign_only { keys(&[NEW]).sign_only() } else { keys(&[NEW]) };
            let mq = place.sealed(keys);
            let id = mq.enqueue(Pay { card: CARD.to_owned(), fails: true }).await.unwrap().id;
            let before = place.record(id).await;
            for life in 1..=2 {
                let seen = run(&mq).await;
                assert_eq!(seen.records(), vec![before.clone(); 6], "life {life}");
                assert_eq!(seen.cards(), [CARD; 6]);
                let dead = info(&mq, id).await;
                assert_eq!(dead.death_reason(), Some(DeathReason::Exhausted));
                assert_eq!(place.record(id).await, before);
                mq.admin().retry(id).await.unwrap();
                assert_eq!(place.record(id).await, before);
            }
        }
    }
}

#[tokio::test]
async fn jobs_may_change_their_queue_and_their_store() {
    let [file, server] = Place::all().await;
    let mq = file.sealed(keys(&[NEW]));
    let id = mq.enqueue(pay(CARD)).idempotency_key("order-7").await.unwrap().id;
    let before = file.record(id).await;
    mq.admin().transfer(id, "other").await.unwrap();
    // Whoever moves jobs needs no key.
    file.mq.admin().move_to(&server.mq).await.unwrap();
    assert_eq!(stored(&server.mq, &QueueName::new("other").unwrap(), id).await, before);
    server.mq.admin().resume("other").await.unwrap();
    assert_eq!(run(&server.sealed(keys(&[NEW]))).await.cards(), [CARD]);
}

/// Dead at once, unread, with all bytes.
async fn refused(place: &Place, mq: &Client, id: JobId, record: &[u8], why: &str) {
    let seen = run(mq).await;
    assert!(seen.cards().is_empty(), "no handler saw it");
    let dead = info(mq, id).await;
    assert_eq!((dead.state, dead.death_reason()), (State::Dead, Some(DeathReason::Malformed)));
    assert_eq!(dead.attempts, 0);
    assert!(dead.last_error().unwrap().contains(why), "{dead:?}");
    assert_eq!(place.record(id).await, record);
    mq.admin().delete(id).await.unwrap();
}

#[tokio::test]
async fn a_job_that_was_copied_or_changed_is_dead_with_its_bytes() {
    let changes: [fn(&mut Record<'_>); 4] = [
        |_| {},
        |record| record.max_attempts = Some(1_000),
        |record| record.tags.push("vip".into()),
        |record| record.payload.to_mut()[10] ^= 1,
    ];
    for sign_only in [false, true] {
        for place in Place::all().await {
            let keys = if sign_only { keys(&[NEW]).sign_only() } else { keys(&[NEW]) };
            let mq = place.sealed(keys);
            for (at, change) in changes.iter().enumerate() {
                let id = mq.enqueue(pay(CARD)).await.unwrap().id;
                let bytes = place.record(id).await;
                mq.admin().delete(id).await.unwrap();
                let mut record = Record::decode(&bytes).unwrap();
                change(&mut record);
                // Under its own id, but for the one that is only copied.
                let id = if at == 0 { JobId::new() } else { id };
                let record = put(&mq, id, &record).await;
                refused(&place, &mq, id, &record, "its seal does not fit").await;
            }
        }
    }
}

#[tokio::test]
async fn a_job_of_another_kind_cannot_have_its_payload() {
    for place in Place::all().await {
        let mq = place.sealed(keys(&[NEW]));
        let job = NewJob {
            queue: pay_queue(),
            id: JobId::new(),
            record: Record::new("refund", br#"{"card":"mine","fails":false}"#.as_slice()).encode(),
            schedule: Schedule::Now,
            priority: Priority::Normal,
            idempotency_key: None,
        };
        let mut sealed = job.clone();
        mq.seal(&mut sealed).unwrap();
        let mut record = Record::decode(&sealed.record).unwrap();
        record.kind = "pay".into();
        let bytes = put(&mq, job.id, &record).await;
        refused(&place, &mq, job.id, &bytes, "its seal does not fit").await;
    }
}

#[tokio::test]
async fn a_job_without_a_seal_is_dead_with_its_bytes_unless_it_is_asked_for() {
    let forged = Record::new("pay", br#"{"card":"mine","fails":false}"#.as_slice());
    for sign_only in [false, true] {
        for place in Place::all().await {
            let all = |names: &[_]| if sign_only { keys(names).sign_only() } else { keys(names) };
            let mq = place.sealed(all(&[NEW]));
            let id = JobId::new();
            let bytes = put(&mq, id, &forged).await;
            refused(&place, &mq, id, &bytes, "it is not sealed").await;
            let open = place.sealed(all(&[NEW]).accept_unsealed());
            put(&open, JobId::new(), &forged).await;
            open.enqueue(pay(CARD)).await.unwrap();
            assert_eq!(run(&open).await.cards(), [CARD, "mine"]);
        }
    }
}

#[tokio::test]
async fn a_signed_job_can_be_read_by_all_and_run_by_those_who_do_not_check() {
    for place in Place::all().await {
        let mq = place.sealed(keys(&[NEW]).sign_only());
        let id = mq.enqueue(pay(CARD)).await.unwrap().id;
        let job = info(&place.mq, id).await;
        assert!(has(&job.payload, CARD));
        assert!(job.seal.unwrap().problem.unwrap().contains("was not checked"));
        assert!(info(&mq, id).await.seal.unwrap().problem.is_none());
        assert_eq!(run(&place.mq).await.cards(), [CARD]);
    }
}

#[tokio::test]
async fn keys_are_replaced_while_jobs_wait() {
    for place in Place::all().await {
        let before = place.sealed(keys(&[OLD]));
        before.enqueue(pay("1")).await.unwrap();
        before.clone().sealed(keys(&[OLD]).sign_only()).enqueue(pay("2")).await.unwrap();
        let now = place.sealed(keys(&[NEW, OLD]));
        let id = now.enqueue(pay("3")).await.unwrap().id;
        assert_eq!(info(&now, id).await.seal.unwrap().key, "new");
        assert_eq!(run(&now).await.cards(), ["1", "2", "3"]);
    }
}

/// Put off for long, with no trace on the job but where it is.
async fn put_off(place: &Place, id: JobId, before: &[u8]) {
    let job = info(&place.mq, id).await;
    assert_eq!((job.state, job.attempts, job.errors.len()), (State::Scheduled, 0, 0));
    let wait_ms = job.at_ms.unwrap() - place.mq.engine().ping().await.unwrap();
    assert!((5_000..=15_000).contains(&wait_ms), "{wait_ms} ms");
    assert_eq!(place.record(id).await, before);
}

#[tokio::test]
async fn a_worker_without_the_key_leaves_the_job_to_others() {
    let log = Log::default();
    let _guard = listen(&log);
    for place in Place::all().await {
        let mq = place.sealed(keys(&[NEW]));
        let id = mq.enqueue(pay(CARD)).await.unwrap().id;
        let before = place.record(id).await;
        // Without any key, and without this one.
        for lacking in [place.mq.clone(), place.sealed(keys(&[OLD]))] {
            assert!(run(&lacking).await.cards().is_empty());
            put_off(&place, id, &before).await;
            let job = info(&lacking, id).await;
            assert!(job.payload.is_empty(), "no ciphertext is shown");
            assert!(job.seal.unwrap().problem.unwrap().contains("the key `new`"));
            lacking.admin().run_now(id).await.unwrap();
        }
        assert_eq!(run(&mq).await.cards(), [CARD]);
        assert!(log.text().contains("no key of this name") && log.text().contains(r#"key="new""#));
    }
}

#[tokio::test]
async fn a_limit_on_payloads_means_the_same_with_a_seal() {
    for place in Place::all().await {
        let max = serde_json::to_vec(&pay(CARD)).unwrap().len();
        for keys in [keys(&[NEW]), keys(&[NEW]).sign_only()] {
            let mq = place.sealed(keys).payload_max(max);
            let id = mq.enqueue(pay(CARD)).await.unwrap().id;
            let bytes = place.record(id).await;
            assert_eq!(Record::decode(&bytes).unwrap().payload.len(), max);
            let longer = mq.enqueue(pay(&format!("{CARD}5"))).await.unwrap_err();
            assert!(matches!(longer, EnqueueError::TooLarge { .. }), "{longer}");
        }
        let large = "x".repeat(1024 * 1024 - 100);
        let mq = place.sealed(keys(&[NEW]));
        mq.enqueue(pay(&large)).await.unwrap();
        assert!(run(&mq).await.cards().contains(&large));
    }
}

/// On a key service, say; here it hides nothing from anybody who looks twice.
struct Own {
    is_away: bool,
}

impl Sealer for Own {
    fn seal_now(&self) -> Seal<'_> {
        Seal { scheme: Scheme::Encrypted, key: "service".into(), proof: vec![0].into() }
    }

    fn seal(&self, parts: Parts<'_>) -> Result<(), SealError> {
        if self.is_away {
            return Err(SealError::new("the key service is away"));
        }
        parts.proof[0] = 7;
        parts.payload.iter_mut().for_each(|byte| *byte ^= 0x55);
        Ok(())
    }

    fn accepts_unsealed(&self) -> bool {
        false
    }

    fn has_key_of(&self, seal: &Seal<'_>) -> bool {
        seal.key == "service"
    }

    fn open(&self, _: Scheme, _: &str, parts: Parts<'_>) -> bool {
        parts.payload.iter_mut().for_each(|byte| *byte ^= 0x55);
        parts.proof == [7]
    }
}

#[tokio::test]
async fn a_sealer_of_ones_own_is_asked_and_what_it_cannot_seal_is_not_stored() {
    for place in Place::all().await {
        let mq = place.mq.clone().sealed(Own { is_away: false });
        let id = mq.enqueue(pay(CARD)).await.unwrap().id;
        assert!(!has(&place.record(id).await, CARD));
        assert_eq!(run(&mq).await.cards(), [CARD]);

        let away = place.mq.clone().sealed(Own { is_away: true });
        let error = away.enqueue(pay(CARD)).await.unwrap_err();
        let text = "the job could not be sealed: the key service is away";
        assert!(!error.is_retryable() && mq::chain_text(&error) == text, "{error:?}");
        assert!(away.enqueue_all([pay(CARD)]).await.is_err());
        assert!(away.enqueue_set(JobSet::new().push(pay(CARD))).await.is_err());
        assert!(!busy(&mq, "pay").await, "nothing was stored");
    }
}

#[cfg(feature = "testing")]
#[tokio::test]
async fn a_bench_seals_and_opens() {
    let seen = Seen::default();
    let t = mq::testing::Bench::bare().state(seen.clone()).job::<Pay, Seen>().sealed(keys(&[NEW]));
    let id = t.client().enqueue(Pay { card: CARD.to_owned(), fails: true }).await.unwrap().id;
    assert_eq!(t.enqueued::<Pay>(), [Pay { card: CARD.to_owned(), fails: true }]);
    let before = stored(t.client(), &pay_queue(), id).await;
    assert!(!has(&before, CARD));
    assert_eq!(t.drain_all().await.dead, 1);
    assert_eq!((seen.cards(), seen.records()), (vec![CARD.to_owned(); 6], vec![before; 6]));
    assert!(has(&t.dead_letters()[0].payload, CARD));
}

/// All that is logged on this thread, which is the one of the test's runtime.
fn listen(log: &Log) -> tracing::subscriber::DefaultGuard {
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_default(subscriber)
}

#[tokio::test]
async fn neither_keys_nor_payloads_are_logged_or_shown() {
    let log = Log::default();
    let _guard = listen(&log);
    let mut shown = format!("{:?}", keys(&[NEW, OLD]));
    for place in Place::all().await {
        let mq = place.sealed(keys(&[NEW, OLD]));
        mq.enqueue(Pay { card: CARD.to_owned(), fails: true }).await.unwrap();
        place.sealed(keys(&[("lost", "3d")])).enqueue(pay(CARD)).await.unwrap();
        put(&mq, JobId::new(), &Record::new("pay", CARD.as_bytes())).await;
        let builder = Worker::builder(&mq).job::<Pay, Seen>();
        shown.push_str(&format!("{mq:?} {builder:?} {:?}", mq.enqueue(pay("")).delay(DAY)));
        run(&mq).await;
        let dead = mq.admin().jobs(&Filter::state(State::Dead), None, 100).await.unwrap().jobs;
        assert_eq!(dead.len(), 2);
        dead.iter().for_each(|job| shown.push_str(&format!("{:?}", job.errors)));
    }
    let logged = log.text();
    for word in ["job is dead", "it is not sealed", "no key of this name", "the bank is shut"] {
        assert!(logged.contains(word), "`{word}` was logged");
    }
    for digits in [NEW.1, OLD.1, "3d"] {
        let byte = u8::from_str_radix(digits, 16).unwrap();
        for hidden in [digits.repeat(4), format!("{byte}, {byte}, {byte}"), CARD.to_owned()] {
            assert!(!logged.contains(&hidden) && !shown.contains(&hidden), "{hidden}: {shown}");
        }
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
