//! Lines 9 to 12 and 15: what is read from the store was written by anybody.

use std::sync::atomic::{AtomicUsize, Ordering};

use mq::prelude::*;
use mq::{DeathReason, JobId, Record, State};
use serde_json::Value;

use crate::kit::{Store, stores};

/// Takes whatever is JSON, so that nothing but mq itself keeps a payload from its handler.
#[derive(Serialize, Deserialize, Job)]
#[job(name = "open", max_attempts = 1)]
#[serde(transparent)]
struct Open(Value);

#[mq::handler]
impl Open {
    async fn run(self, _: Context) -> Result<(), String> {
        OPENED.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

static OPENED: AtomicUsize = AtomicUsize::new(0);

async fn malformed(store: &Store, id: JobId) -> String {
    let dead = store.job_in(id, State::Dead).await;
    assert_eq!(dead.death_reason(), Some(DeathReason::Malformed), "{}: {dead:?}", store.name);
    assert_eq!(dead.attempts, 0, "{}: nothing was run", store.name);
    dead.last_error().unwrap().to_owned()
}

/// Formats that other job systems decode, several of which run code while they do.
const FOREIGN: &[(&str, &[u8])] = &[
    ("pickle", b"\x80\x04\x95\x1d\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94."),
    ("pickle, protocol 0", b"cos\nsystem\n(S'id'\ntR."),
    ("YAML", b"!!python/object/apply:os.system ['id']"),
    ("JSON", br#"{"kind":"open","payload":{}}"#),
    ("JSON that claims a version", br#"{"version":1,"kind":"open","payload":{}}"#),
    ("Java", b"\xac\xed\0\x05sr\0\x11java.util.HashMap"),
    ("PHP", br#"O:8:"stdClass":0:{}"#),
    ("MessagePack", b"\x82\xa4kind\xa4open\xa7payload\x80"),
    ("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\x03"),
    ("zstd", b"\x28\xb5\x2f\xfd\x04\0"),
    ("nothing", b""),
    ("a format before the first", b"\0\x06\x01\x04open{}"),
    ("damaged", b"\x01\x06\x01\x09open{}"),
    ("without a kind", b"\x01\0{}"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_record_of_mq_is_a_dead_letter_with_its_bytes_and_reaches_no_handler() {
    for store in stores().await {
        let mut ids = Vec::new();
        for (_, record) in FOREIGN {
            ids.push(store.put(record.to_vec()).await);
        }
        // As a newer mq would write it; ours would read what follows.
        let mut newer = Record::new("open", &b"{}"[..]).encode();
        newer[0] = 2;
        let newer_id = store.put(newer.clone()).await;
        let opened = OPENED.load(Ordering::SeqCst);
        let all_settled = async {
            for ((what, record), id) in FOREIGN.iter().zip(ids) {
                malformed(&store, id).await;
                let kept = store.job_in(id, State::Dead).await.payload;
                assert!(kept == *record, "{} {what}: the bytes are kept", store.name);
            }
            let put_off = store.job_in(newer_id, State::Scheduled).await;
            assert_eq!(put_off.payload, newer);
        };
        let report = store.while_running(|worker| worker.job::<Open, ()>(), all_settled).await;
        assert_eq!((report.done, report.failed), (0, 0), "{}", store.name);
        assert_eq!(OPENED.load(Ordering::SeqCst), opened, "{}", store.name);
        store.is_sound().await;
    }
}

/// Counts how often it is decoded.
#[derive(Serialize, Job)]
#[job(name = "counted")]
struct Counted;

static DECODED: AtomicUsize = AtomicUsize::new(0);

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DECODED.fetch_add(1, Ordering::SeqCst);
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

#[mq::handler]
impl Counted {
    async fn run(self, _: Context) -> Result<(), String> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_no_producer_may_send_is_a_dead_letter_before_it_is_decoded() {
    for store in stores().await {
        let payload = |len: usize| format!("\"{}\"", "x".repeat(len - 2)).into_bytes();
        let record = |len| Record::new("counted", payload(len)).encode();
        let large = store.put(record(1024 * 1024 + 1)).await;
        let fits = store.put(record(1024 * 1024)).await;
        let before = DECODED.load(Ordering::SeqCst);
        let judged = async {
            let error = malformed(&store, large).await;
            assert!(error.contains("1048577") && error.contains("payload_max"), "{error}");
            store.gone(fits).await;
        };
        store.while_running(|worker| worker.job::<Counted, ()>(), judged).await;
        assert_eq!(DECODED.load(Ordering::SeqCst), before + 1, "{}: only the other", store.name);

        store.mq.admin().retry(large).await.unwrap();
        let patient = store.connect().await.payload_max(2 * 1024 * 1024);
        let worker = Worker::builder(&patient).job::<Counted, ()>().build().unwrap().spawn();
        store.gone(large).await;
        worker.stop(Duration::from_secs(5)).await.unwrap();
    }
}

#[tokio::test]
async fn texts_that_are_too_long_or_steer_a_terminal_are_refused_by_the_producer() {
    let long = "x".repeat(129);
    for store in stores().await {
        let job = || store.mq.enqueue(Open(Value::Null));
        let refused = [
            job().queue(&long).await,
            job().idempotency_key(&long).await,
            job().tag(&long).await,
            job().traceparent(&long).await,
            job().queue("a\nb").await,
            job().idempotency_key("a\u{1b}[31m").await,
            job().tag("a\u{202e}b").await,
            job().traceparent("00-aa\r\nset x y").await,
            (0..33).fold(job(), |job, _| job.tag("t")).await,
        ];
        for (at, result) in refused.into_iter().enumerate() {
            assert!(!result.unwrap_err().is_retryable(), "{} {at}", store.name);
        }
        assert!(store.mq.admin().queues().await.unwrap().is_empty(), "{}", store.name);
    }
}

/// Whatever is JSON, as a tree of values.
#[derive(Serialize, Deserialize, Job)]
#[job(name = "value")]
#[serde(transparent)]
struct Any(Value);

#[mq::handler]
impl Any {
    async fn run(self, _: Context) -> Result<(), String> {
        Ok(())
    }
}

/// A type whose values are as deep as their JSON.
#[derive(Serialize, Deserialize, Job)]
#[job(name = "tree")]
struct Tree(Vec<Tree>);

#[mq::handler]
impl Tree {
    async fn run(self, _: Context) -> Result<(), String> {
        Ok(())
    }
}

/// Has no use for most of what it is given.
#[derive(Serialize, Deserialize, Job)]
#[job(name = "loose")]
struct Loose {
    n: u32,
}

#[mq::handler]
impl Loose {
    async fn run(self, _: Context) -> Result<(), String> {
        let _ = self.n;
        Ok(())
    }
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

#[tokio::test(flavor = "multi_thread")]
async fn json_half_a_million_levels_deep_takes_no_worker_down() {
    const DEEP: usize = 500_000;
    for store in stores().await {
        let put = async |kind: &'static str, json: String| {
            store.put(Record::new(kind, json.into_bytes()).encode()).await
        };
        let mut bad = Vec::new();
        for kind in ["value", "tree"] {
            bad.push(put(kind, nested(DEEP)).await);
            bad.push(put(kind, "[".repeat(2 * DEEP)).await);
            bad.push(put(kind, nested(200)).await);
        }
        bad.push(put("value", "{\"a\":".repeat(DEEP / 5)).await);
        bad.push(put("loose", format!("{{\"n\":{}}}", nested(DEEP))).await);
        bad.push(put("loose", nested(DEEP)).await);
        let good = [
            put("value", nested(100)).await,
            put("tree", nested(100)).await,
            // What nobody looks at is passed over, however deep.
            put("loose", format!("{{\"extra\":{},\"n\":1}}", nested(DEEP))).await,
        ];
        let judged = async {
            for id in &bad {
                malformed(&store, *id).await;
            }
            for id in good {
                store.gone(id).await;
            }
        };
        let jobs = |worker: mq::WorkerBuilder| {
            worker.job::<Any, ()>().job::<Tree, ()>().job::<Loose, ()>()
        };
        let report = store.while_running(jobs, judged).await;
        assert_eq!((report.done, report.dead), (3, bad.len() as u64), "{}", store.name);
        store.is_sound().await;
    }
}

/// As strict as a type can be.
#[derive(Serialize, Deserialize, Job)]
#[job(name = "pay")]
#[serde(deny_unknown_fields)]
struct Pay {
    cents: u64,
    to: String,
}

#[mq::handler]
impl Pay {
    async fn run(self, _: Context) -> Result<(), String> {
        panic!("{} was paid {}", self.to, self.cents)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_of_another_kind_is_malformed_and_not_taken_for_what_it_looks_like() {
    let others = [
        r#"{"to":"a"}"#,
        r#"{"cents":"1","to":"a"}"#,
        r#"{"cents":-1,"to":"a"}"#,
        r#"{"cents":1.0,"to":"a"}"#,
        r#"{"cents":1,"to":null}"#,
        r#"{"cents":1,"to":"a","note":"of another kind"}"#,
        r#"{"cents":1,"to":"a","cents":2}"#,
        r#"{"cents":1,"to":"a"} {"cents":2,"to":"b"}"#,
        r#"{"cents":1,"to":"a"}x"#,
        "null",
        "",
    ];
    for store in stores().await {
        let mut ids = Vec::new();
        for payload in others {
            ids.push(store.put(Record::new("pay", payload.as_bytes()).encode()).await);
        }
        let judged = async {
            for id in ids {
                let error = malformed(&store, id).await;
                assert!(error.contains("does not decode as `pay`"), "{error}");
            }
        };
        store.while_running(|worker| worker.job::<Pay, ()>(), judged).await;
    }
}
