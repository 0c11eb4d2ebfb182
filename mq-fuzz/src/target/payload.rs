//! Payloads, as a worker gives them to a handler.
//!
//! * Any bytes end in an outcome: the handler ran, or they are malformed, as is said in a message
//!   that can be printed and has nothing of the payload in it. A million brackets are no exception.
//! * A handler gets exactly the numbers and bytes that are in the payload.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use mq_core::context::{Attempt, AttemptFacts};
use mq_core::registry::{Entry, Place};
use mq_core::signal::Signal;
use mq_core::{Claim, Client, Context, Handler, Job, JobRequest, Outcome, Registry, WorkerId};
use mq_testkit::MemoryEngine;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::{Target, cuts};
use crate::input::{ID, Source, queue};
use crate::promise;

pub(super) const TARGET: Target = Target {
    name: "payload",
    check,
    seeds,
    words: &[
        b"\"user_id\":",
        b"\"secret\":\"",
        b"Zq9Xw7",
        b"\"tree\":[",
        b"18446744073709551615",
        b"9007199254740993",
        b"-0.0",
        b"1e308",
        b"1e999",
        b"NaN",
        b"null",
        b"\\u0000",
        b"\\ud800",
        b"\xff",
        b"\0",
        b"[[[[[[[[",
        b"{\"a\":{\"a\":",
        b"\"Welcome\"",
        b"\"Bye\"",
    ],
    slow: false,
    deep_min: 7,
};

/// What must not get out; the dictionary puts it in.
const SECRET: &str = "Zq9Xw7";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    user_id: u64,
    #[serde(default)]
    secret: String,
    #[serde(default)]
    what: Option<What>,
}

#[derive(Debug, Serialize, Deserialize)]
enum What {
    Welcome,
    Bye { at: f64, bytes: Vec<u8> },
}

/// A type that nests as deep as its data.
#[derive(Debug, Serialize, Deserialize)]
struct Tree {
    #[serde(default)]
    tree: Vec<Tree>,
    #[serde(default)]
    boxed: Option<Box<Tree>>,
}

/// Whatever is JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Loose(BTreeMap<String, Value>);

macro_rules! job {
    ($name:ident, $kind:literal) => {
        impl Job for $name {
            type Output = ();
            const KIND: &'static str = $kind;
        }

        impl Handler for $name {
            type Error = Infallible;
            async fn run(self, _: Context) -> Result<(), Infallible> {
                same(&self);
                Ok(())
            }
        }
    };
}

job!(Strict, "strict");
job!(Tree, "tree");
job!(Loose, "loose");

/// A job that was read is the same when it is stored and read again.
fn same<J: Job>(job: &J) {
    let stored = serde_json::to_vec(job).expect("it can be stored");
    let again: J = serde_json::from_slice(&stored).expect("it can be read again");
    assert_eq!(serde_json::to_vec(&again).expect("it can be stored"), stored);
}

/// What all inputs share.
struct Bench {
    runtime: Runtime,
    client: Client,
    entries: Vec<Arc<Entry>>,
}

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let mut registry = Registry::new();
        let place = Place { file: file!(), line: line!() };
        registry.job::<Strict, ()>(place);
        registry.job::<Tree, ()>(place);
        registry.job::<Loose, ()>(place);
        Bench {
            runtime: Builder::new_current_thread().build().expect("a runtime"),
            client: Client::with_engine(Arc::new(MemoryEngine::new(1))),
            entries: registry.entries().to_vec(),
        }
    })
}

fn check(bytes: &[u8]) {
    if handle(bytes) {
        promise::deep();
    }
    let mut made = String::new();
    json(&mut Source::new(bytes), 6, &mut made);
    handle(made.as_bytes());
}

/// JSON of any shape, with the names that the jobs know.
fn json(source: &mut Source<'_>, depth: usize, out: &mut String) {
    const NAMES: [&str; 8] = ["user_id", "secret", "what", "tree", "boxed", "Bye", "at", "bytes"];
    let kind = if depth == 6 { 7 } else { source.below(if depth == 0 { 5 } else { 8 }) };
    match kind {
        0 => out.push_str("null"),
        1 => out.push_str(&source.number().to_string()),
        2 => out.push_str(&f64::from_bits(source.number()).to_string().replace("NaN", "-0.0")),
        3 => out.push_str(&Value::from(source.text()).to_string()),
        4 => out.push_str(if source.flag() {
            "\"Welcome\""
        } else {
            "{\"Bye\":{\"at\":1,\"bytes\":[0]}}"
        }),
        5 | 6 => {
            out.push('[');
            for at in 0..source.below(4) {
                out.push_str(if at > 0 { "," } else { "" });
                json(source, depth - 1, out);
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            for at in 0..source.below(4) {
                let name = NAMES[source.below(NAMES.len())];
                out.push_str(&format!("{}\"{name}\":", if at > 0 { "," } else { "" }));
                json(source, depth - 1, out);
            }
            out.push('}');
        }
    }
}

/// Whether a handler got to see the payload.
fn handle(bytes: &[u8]) -> bool {
    let (bench, mut is_seen) = (bench(), false);
    for entry in &bench.entries {
        let claim = Claim { queue: queue(), worker: WorkerId::random(), number: 1 };
        let facts = AttemptFacts {
            id: ID[0].parse().expect("an id of ours"),
            kind: entry.kind().into(),
            claim,
            number: 1,
            max_attempts: 25,
            tags: Vec::new(),
            traceparent: None,
        };
        let attempt = Attempt::new(facts, bench.client.clone(), Signal::new());
        let request = JobRequest::new(Arc::new(attempt), bytes.to_vec());
        match bench.runtime.block_on(entry.handler().call(request, Arc::new(()))) {
            Outcome::Done => is_seen = true,
            Outcome::Malformed { error } => {
                promise::message(&error);
                assert!(!error.contains(SECRET), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
    is_seen
}

fn seeds() -> Vec<Vec<u8>> {
    let full =
        br#"{"user_id":9007199254740993,"secret":"Zq9Xw7","what":{"Bye":{"at":-0.0,"bytes":[0]}}}"#;
    let mut seeds: Vec<Vec<u8>> = cuts(full, 10).collect();
    for text in [
        &full[..],
        br#"{"user_id":1,"user_id":2}"#,
        br#"{"user_id":"Zq9Xw7"}"#,
        b"{\"user_id\":1}\0",
        br#"{"user_id":1,"Zq9Xw7":2}"#,
        br#"{"user_id":1,"what":"Zq9Xw7"}"#,
        b"{\"a\":\"\xff\"}",
        br#"{"user_id":1e999}"#,
        br#"{"user_id":-1}"#,
        br#"{"tree":[{"boxed":{"tree":[]}}]}"#,
        br#"{"a":[],"b":{},"c":1e308,"d":18446744073709551615,"e":"\u0000"}"#,
        b"null",
        b"",
        b"\xef\xbb\xbf{}",
    ] {
        seeds.push(text.to_vec());
    }
    // F84, in brackets and in objects.
    for depth in [120, 127, 128, 129, 100_000, 1_000_000] {
        seeds.push([br#"{"a":"#.to_vec(), vec![b'['; depth]].concat());
        seeds.push(br#"{"boxed":"#.repeat(depth));
    }
    seeds
}
