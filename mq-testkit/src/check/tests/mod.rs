//! Each check on a history that it must refuse, and on the legal one that is nearest to it.

mod absences;
mod damages;
mod endings;
mod faults;
mod legal;
mod past;
mod plain;
mod records;
mod storage;

use std::sync::Arc;
use std::time::Duration;

use mq_core::engine::{About, ClaimRequest, Durability, Finish, NewJob, QueueClaim, Schedule};
use mq_core::lifecycle::{Decision, Transition};
use mq_core::{Claim, Client, JobId, Priority, Record, State, WorkerId};

use self::past::Past;
use super::*;
use crate::MemoryEngine;
use crate::recorder::{Destination, Event, Recorder};

/// The names of the checks that a history violates, at rest and by the usual rules.
fn violated(past: &Past) -> Vec<&'static str> {
    violated_by(past, &Rules::default())
}

fn violated_by(past: &Past, rules: &Rules) -> Vec<&'static str> {
    let verdict = past.verdict(rules);
    verdict.checks().into_iter().map(Check::as_str).collect()
}

#[track_caller]
fn clean(past: &Past) -> Verdict {
    clean_by(past, &Rules::default())
}

#[track_caller]
fn clean_by(past: &Past, rules: &Rules) -> Verdict {
    let verdict = past.verdict(rules);
    verdict.assert_clean();
    verdict
}

#[test]
fn a_report_has_the_verdict_for_people_and_machines_and_a_page_per_job() {
    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").started(0, "a.1").on(2).claimed(0, "b.1").done(0, "b.1");
    past.enqueued(1).enqueued(2).kept(2, State::Ready);
    let verdict = past.verdict(&Rules::default()).replayed_by("MQ_SEED=7 cargo test f97");
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("report");
    verdict.write_report(&dir, &past.entries).unwrap();

    let names = std::fs::read_dir(&dir).unwrap();
    let mut names: Vec<_> =
        names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let pages = [past.ids[0], past.ids[1]].map(|id| format!("{id}.html"));
    assert_eq!(names, [&pages[0], &pages[1], "verdict.json", "verdict.txt"]);
    let json = std::fs::read(dir.join("verdict.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["counts"]["acked"], 3);
    assert_eq!(json["violations"]["lost"]["examples"][0]["job"], past.ids[1].to_string());
    assert_eq!(json["replay"], "MQ_SEED=7 cargo test f97");
    let text = std::fs::read_to_string(dir.join("verdict.txt")).unwrap();
    for part in ["jobs       3 in all", "VIOLATION  rerun: 1", "MQ_SEED=7 cargo test f97"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
#[should_panic(expected = "VIOLATION  lost: 1")]
fn a_verdict_that_is_not_clean_ends_a_test() {
    let mut past = Past::new();
    past.enqueued(0).verdict(&Rules::default()).assert_clean();
}

#[test]
fn at_most_20_jobs_are_named_and_all_are_counted() {
    let mut past = Past::new();
    for job in 0..30 {
        past.enqueued(job);
    }
    let verdict = past.verdict(&Rules::default());
    assert_eq!(verdict.count(Check::Lost), 30);
    assert_eq!(verdict.violations[&Check::Lost].examples.len(), 20);
    assert!(verdict.to_string().contains("and 10 more"));
}

#[tokio::test]
async fn what_a_recorder_saw_is_judged_by_what_the_store_lists() {
    let (dir, second) = (tempfile::tempdir().unwrap(), Duration::from_secs(1));
    let path = dir.path().join("history");
    let recorder = Recorder::open(&path).unwrap();
    let store = Client::with_engine(Arc::new(MemoryEngine::new(past::EPOCH_MS)));
    let watched = recorder.watch(&store);
    let (engine, queue, worker) = (watched.engine(), past::queue(), WorkerId::random());
    let ids = [JobId::new(), JobId::new()];
    let jobs = ids.map(|id| NewJob {
        queue: queue.clone(),
        id,
        record: Record::new("kind", b"{}".as_slice()).encode(),
        schedule: Schedule::Now,
        priority: Priority::Normal,
        idempotency_key: None,
    });
    engine.enqueue(jobs.to_vec(), second).await.unwrap();
    engine.join(&queue, worker, second, &About::default()).await.unwrap();
    let claim = Claim { queue: queue.clone(), worker, number: 1 };
    let queues = vec![QueueClaim { claim: claim.clone(), limit: 1 }];
    let request = ClaimRequest { finishes: Vec::new(), limit: 1, queues };
    let job = engine.claim(request).await.unwrap().jobs.remove(0);
    let (id, token) = (job.id, claim.to_string());
    recorder.write(Event::Started { id, claim: token.clone() }).unwrap();
    recorder.write(Event::Ended { id, claim: token, ok: true }).unwrap();
    let decision = Decision { transition: Transition::Done, history: None };
    engine.finish(vec![Finish::interrupted(job, decision)]).await.unwrap();

    let verdict = async || {
        let end = Final::of(&store).await.unwrap();
        check(&Recorder::read(&path).unwrap(), &end, &Rules::default())
    };
    let before = verdict().await;
    before.assert_clean();
    assert_eq!((before.counts.acked, before.counts.done, before.counts.open), (2, 1, 1));
    // Behind the recorder's back.
    store.engine().delete(&queue, &ids[1..]).await.unwrap();
    assert_eq!(verdict().await.checks(), [Check::Lost]);
}
