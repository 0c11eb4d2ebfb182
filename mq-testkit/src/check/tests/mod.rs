//! Each check on a history that it must refuse, and on the legal one that is nearest to it.

mod damages;
mod faults;
mod legal;
mod past;
mod plain;

use std::time::Duration;

use mq_core::State;
use mq_core::engine::Durability;

use self::past::Past;
use super::*;
use crate::recorder::{Destination, Event};

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
