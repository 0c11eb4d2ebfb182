//! What every job pays in this crate, one by one: `cargo bench -p mq-core --bench micro`, and
//! `-- record` for those with that word in their name. To see what a change does, run it with
//! `-- --save-baseline before` first and with `-- --baseline before` after.
//!
//! Times differ from machine to machine and from hour to hour, so nothing in CI looks at them; what
//! CI guards are the exact counts of `tests/costs`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use mq_core::lifecycle::{Ended, Policy, decide};
use mq_core::rng::Rng;
use mq_core::{Backoff, History, JobId, QueueName, Record};
use serde::{Deserialize, Serialize};

const NOW_MS: u64 = 1_750_000_000_000;

/// As jobs are: a few fields, 100 bytes as JSON.
#[derive(Serialize, Deserialize)]
struct Mail {
    user_id: u64,
    template: String,
    subject: String,
    is_urgent: bool,
}

fn mail() -> Mail {
    Mail {
        user_id: 1_234_567,
        template: "welcome".to_owned(),
        subject: "It is good to have you here".to_owned(),
        is_urgent: false,
    }
}

fn ids(c: &mut Criterion) {
    let id = JobId::new();
    let text = id.to_text();
    c.bench_function("id: mint", |b| b.iter(JobId::new));
    c.bench_function("id: write", |b| b.iter(|| black_box(id).to_text()));
    c.bench_function("id: read", |b| b.iter(|| JobId::parse(black_box(&text))));
    c.bench_function("queue name: check", |b| b.iter(|| QueueName::new(black_box("mail"))));
}

fn records(c: &mut Criterion) {
    let payload = serde_json::to_vec(&mail()).unwrap_or_default();
    let mut full = Record::new("mail.welcome", &payload[..]);
    full.max_attempts = Some(5);
    full.timeout = Some(Duration::from_secs(30));
    full.idempotency_key = Some("welcome-1234567".into());
    full.tags = vec!["vip".into(), "eu".into()];
    for (name, record) in [("plain", Record::new("mail.welcome", &payload[..])), ("full", full)] {
        let bytes = record.encode();
        let encode = format!("record, {name}: encode");
        c.bench_function(&encode, |b| b.iter(|| black_box(&record).encode()));
        let decode = format!("record, {name}: decode");
        c.bench_function(&decode, |b| b.iter(|| Record::decode(black_box(&bytes)).is_ok()));
    }
}

fn payloads(c: &mut Criterion) {
    let job = mail();
    let json = serde_json::to_vec(&job).unwrap_or_default();
    c.bench_function("payload: to JSON", |b| b.iter(|| serde_json::to_vec(black_box(&job))));
    let read = || serde_json::from_slice::<Mail>(black_box(&json));
    c.bench_function("payload: from JSON", |b| b.iter(read));
}

fn ends(c: &mut Criterion) {
    let error = "connection refused (os error 111)".to_owned();
    let failed = Ended::Failed { error, retry_in: None };
    let mut past = History::default();
    for attempt in 1..=3 {
        past.attempts = attempt;
        past.push_error(NOW_MS, "connection refused (os error 111)");
    }
    let cases = [
        ("done", Ended::Done, History::default()),
        ("failed, first time", failed.clone(), History::default()),
        ("failed, fourth time", failed, past.clone()),
    ];
    let mut rng = Rng::seeded(1);
    for (name, ended, history) in cases {
        c.bench_function(&format!("decide: {name}"), |b| {
            b.iter(|| {
                decide(&Policy::DEFAULT, black_box(&history), black_box(&ended), NOW_MS, &mut rng)
            });
        });
    }
    let delay = Backoff::DEFAULT;
    c.bench_function("backoff", |b| b.iter(|| delay.delay(black_box(4), &mut rng)));
    let bytes = past.encode();
    c.bench_function("history: encode", |b| b.iter(|| black_box(&past).encode()));
    c.bench_function("history: decode", |b| b.iter(|| History::decode(black_box(&bytes))));
}

criterion_group!(benches, ids, records, payloads, ends);
criterion_main!(benches);
