//! Bytes that are no record any more, or another one: F83.

use std::time::Duration;

use mq_chaos::{QUEUE, Store, Tier, chance, plain};
use mq_core::engine::{BATCH_MAX, Schedule};
use mq_core::rng::Rng;
use mq_core::{DeathReason, Job, JobId, JobOptions, Priority, Record, RecordError, State};
use serde::{Deserialize, Serialize};

use super::data::{Desk, done, stop};
use super::store_rows;

store_rows! {
    Commit: f83_whatever_the_bytes_are_they_are_kept_and_harm_nobody;
}

#[derive(Debug, Serialize, Deserialize)]
struct Mutant {
    id: u32,
    name: String,
    tags: Vec<String>,
}

impl Job for Mutant {
    type Output = ();
    const KIND: &'static str = "mutant";
    const OPTIONS: JobOptions = JobOptions::DEFAULT.queue(QUEUE);
}

/// What must become of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It runs.
    Done,
    /// This worker does not know the kind or the format; another one may.
    PutOff,
    /// It is a dead letter.
    Dead,
}

/// What the format says, in other words than the worker's.
fn fate(bytes: &[u8]) -> Fate {
    match Record::decode(bytes) {
        Err(RecordError::Version(_) | RecordError::Feature(_)) => Fate::PutOff,
        Err(_) => Fate::Dead,
        Ok(record) if record.kind != Mutant::KIND => Fate::PutOff,
        Ok(record) => match serde_json::from_slice::<Mutant>(&record.payload) {
            Ok(_) => Fate::Done,
            Err(_) => Fate::Dead,
        },
    }
}

/// The key in the full record, which belongs to another job.
const KEY: &str = "somebody else's";

fn originals() -> Vec<Vec<u8>> {
    let payload = r#"{"id":7,"name":"a \" b","tags":["x","\u00e9"]}"#;
    let twice = r#"{"id":7,"id":8,"name":"","tags":[]}"#;
    let plain = Record::new(Mutant::KIND, payload.as_bytes());
    let mut full = plain.clone();
    full.max_attempts = Some(3);
    full.timeout = Some(Duration::from_secs(90));
    full.retention = Some(Duration::from_secs(7_200));
    full.priority = Priority::Low;
    full.idempotency_key = Some(KEY.into());
    full.tags = vec!["tag".into(), "größe".into()];
    full.traceparent = Some("00-aa-bb-01".into());
    [plain, full, Record::new(Mutant::KIND, twice.as_bytes())].map(|r| r.encode()).to_vec()
}

/// One to three changes somewhere.
fn mutate(original: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..rng.between(1, 3) {
        let end = bytes.len() as u64;
        let at = rng.between(0, end.saturating_sub(1)) as usize;
        match rng.between(0, 7) {
            _ if bytes.is_empty() => bytes.push(rng.next_u64() as u8),
            0 => bytes[at] ^= 1 << rng.between(0, 7),
            1 => bytes[at] = rng.next_u64() as u8,
            2 => bytes[at] = 0,
            3 => bytes[at] = 0xff,
            4 => bytes.truncate(at),
            5 => bytes.insert(at, rng.next_u64() as u8),
            6 => drop(bytes.remove(at)),
            _ => {
                let to = rng.between(at as u64, end) as usize;
                let piece = bytes[at..to].to_vec();
                bytes.extend(piece);
            }
        }
    }
    bytes
}

/// Every truncation, other versions, and whatever chance makes of the rest.
fn mutants(count: usize, rng: &mut Rng) -> Vec<Vec<u8>> {
    let originals = originals();
    let mut all: Vec<_> = originals
        .iter()
        .flat_map(|bytes| (0..bytes.len()).map(|end| bytes[..end].to_vec()))
        .collect();
    all.extend([0, 2, 255].map(|version| {
        let mut other = originals[0].clone();
        other[0] = version;
        other
    }));
    all.extend(originals.iter().cloned());
    while all.len() < count {
        let original = &originals[rng.between(0, originals.len() as u64 - 1) as usize];
        all.push(mutate(original, rng));
    }
    all
}

/// F83: each of the mutants runs, waits for another worker or is a dead letter, as the format says,
/// with its bytes; no handler and no worker fails; the next job runs, and what the bytes name, such
/// as another job's key, is left alone.
async fn f83_whatever_the_bytes_are_they_are_kept_and_harm_nobody(store: Store) {
    let desk = Desk::at(&store).await;
    let all = mutants(Tier::of_this_run().pick(1_000, 10_000, 10_000), &mut chance());
    let mut record = Record::new(Mutant::KIND, &b""[..]);
    record.idempotency_key = Some(KEY.into());
    let mut holder = plain(&desk.queue, &record);
    holder.idempotency_key = Some(KEY.to_owned());
    holder.schedule = Schedule::After(Duration::from_secs(36_000));
    let (holder, again) = (desk.put(holder.clone()).await, holder);

    let worker = desk.work(|builder| builder.job_fn(done::<Mutant>));
    let mut sent: Vec<(JobId, &[u8])> = Vec::with_capacity(all.len());
    for batch in all.chunks(BATCH_MAX) {
        let job = |bytes: &Vec<u8>| {
            let mut job = plain(&desk.queue, &Record::new(Mutant::KIND, &b""[..]));
            job.record = bytes.clone();
            job
        };
        let jobs: Vec<_> = batch.iter().map(job).collect();
        sent.extend(jobs.iter().map(|job| job.id).zip(batch.iter().map(Vec::as_slice)));
        let put = desk.client.engine().enqueue(jobs, Duration::from_secs(60)).await;
        put.expect("the engine takes any bytes");
    }
    let next = Mutant { id: 1, name: String::new(), tags: Vec::new() };
    let next = desk.client.enqueue(next).retention(Duration::from_secs(7_200)).await;
    desk.until(next.expect("the next job").id, State::Done).await;
    desk.until_empty().await;
    let report = stop(worker).await;
    let count = |wanted| sent.iter().filter(|(_, bytes)| fate(bytes) == wanted).count() as u64;
    assert_eq!((report.failed, report.dead), (0, count(Fate::Dead)), "{report}");
    assert_eq!(report.done, 1 + count(Fate::Done), "{report}");
    assert!(report.handed_back >= count(Fate::PutOff), "{report}");

    for batch in sent.chunks(BATCH_MAX) {
        let ids: Vec<_> = batch.iter().map(|(id, _)| *id).collect();
        let found = desk.client.engine().get(&desk.queue, &ids).await.expect("a look");
        for ((id, bytes), found) in batch.iter().zip(found) {
            let (fate, state) = (fate(bytes), found.as_ref().map(|job| job.state));
            let fits = match fate {
                Fate::Done => matches!(state, None | Some(State::Done)),
                Fate::PutOff => state == Some(State::Scheduled),
                Fate::Dead => state == Some(State::Dead),
            };
            assert!(fits, "{id} is {state:?} and not {fate:?}: {bytes:?}");
            assert!(found.is_none_or(|job| job.record == *bytes), "{id} was changed: {bytes:?}");
        }
    }
    let reasons = desk.reasons().await;
    assert!(reasons.iter().all(|reason| *reason == DeathReason::Malformed), "{reasons:?}");
    let again = mq_core::engine::NewJob { id: JobId::new(), ..again };
    let reply = desk.client.engine().enqueue(vec![again], Duration::from_secs(60)).await;
    assert_eq!(reply.expect("a reply")[0].id, holder, "the key is still its own job's");
    desk.inspect().await;
}
