//! What is enqueued from a shell.

use mq::JobId;
use mq::prelude::TimeDelta;
use serde_json::Value;

use crate::store::{Store, USAGE};

#[test]
fn a_job_that_is_enqueued_is_there_as_it_was_typed() {
    let store = Store::start();
    let payload = r#"{"big": 9007199254740993,  "a":"\u00e9"}"#;
    let options = ["--queue", "mail", "--priority", "high", "--tag", "x", "--tag", "y", "--key"];
    let receipt =
        store.json(&[&["enqueue", "mail.welcome", payload][..], &options, &["k1"]].concat());
    assert_eq!(receipt["duplicate"], false);
    assert_eq!(receipt["queue"], "mail");
    assert_eq!(receipt["durability"], "memory");
    let id = receipt["id"].as_str().unwrap();

    let again = store.json(&["enqueue", "mail.welcome", "{}", "--queue", "mail", "--key", "k1"]);
    assert_eq!((&again["id"], &again["duplicate"]), (&receipt["id"], &Value::Bool(true)));

    let job = store.json(&["job", id]);
    assert_eq!(job["payload"], payload, "not one byte differs");
    assert_eq!(job["tags"], serde_json::json!(["x", "y"]));
    assert_eq!((&job["priority"], &job["state"]), (&"high".into(), &"ready".into()));
    assert_eq!(job["idempotency_key"], "k1");

    let shown = store.fine(&["job", id]);
    assert!(shown.contains("mail.welcome") && shown.contains(payload), "{shown}");
    store.check();
}

#[test]
fn a_job_may_wait_for_its_time() {
    let store = Store::start();
    store.json(&["enqueue", "a", "1", "--delay", "2h"]);
    let in_a_year = JobId::new().created_at() + TimeDelta::days(365);
    store.json(&["enqueue", "b", "-2", "--at", &in_a_year.to_rfc3339()]);
    store.json(&["enqueue", "c", "[]", "--at", "1999-01-01T00:00:00+01:00"]);
    let page = store.json(&["jobs", "scheduled"]);
    let kinds: Vec<_> = page["jobs"].as_array().unwrap().iter().map(|j| &j["kind"]).collect();
    assert_eq!(kinds, ["a", "b"]);
    assert_eq!(page["jobs"][1]["at_ms"], in_a_year.timestamp_millis());
    assert_eq!(store.json(&["jobs", "ready"])["jobs"][0]["kind"], "c", "the past means at once");
}

#[test]
fn what_cannot_be_enqueued_is_said_and_nothing_is_stored() {
    let store = Store::start();
    for (arguments, hint) in [
        (&["enqueue", "a", "text"][..], "needs quotes"),
        (&["enqueue", "a", "{} x"], "not JSON"),
        (&["enqueue", "", "{}"], "kind is empty"),
        (&["enqueue", "a\u{1b}[31m", "{}"], "control character"),
        (&["enqueue", "a", "{}", "--queue", " "], "queue name is empty"),
        (&["enqueue", "a", "{}", "--tag", ""], "tag is empty"),
        (&["enqueue", "a", "{}", "--delay", "5"], "30s"),
        (&["enqueue", "a", "{}", "--delay", "4000d"], "ten years"),
        (&["enqueue", "a", "{}", "--at", "2999-01-01T00:00:00Z"], "ten years"),
        (&["enqueue", "a", "{}", "--at", "tomorrow"], "2030-01-31T08:00:00"),
        (&["enqueue", "a", "{}", "--at", "2030-01-31T08:00:00Z", "--delay", "1s"], "--delay"),
        (&["enqueue", "a", "{}", "--priority", "urgent"], "high"),
    ] {
        let ran = store.run(arguments);
        assert_eq!(ran.code, USAGE, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(hint), "{arguments:?}: {}", ran.stderr);
    }
    assert_eq!(store.json(&["queues"]), serde_json::json!([]));
}
