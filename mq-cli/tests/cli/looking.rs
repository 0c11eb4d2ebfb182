//! What there is: queues, jobs, workers, and what an audit finds.

use std::process::Command;

use mq::State;
use serde_json::Value;

use crate::store::{CONDITION, FINE, Ran, Store, USAGE};
use crate::terminal;

#[test]
fn queues_are_listed_shown_paused_and_resumed() {
    let store = Store::start();
    assert!(store.fine(&["queues"]).contains("no queues yet"));
    store.enqueue("mail", "welcome", 3);
    store.enqueue("pdf", "render", 1);

    let queues = store.json(&["queues"]);
    assert_eq!((&queues[0]["name"], &queues[0]["ready"]), (&"mail".into(), &3.into()));
    let paused = store.json(&["queue", "mail", "pause"]);
    assert!(paused["paused_since_ms"].is_u64(), "{paused}");
    assert!(store.fine(&["queues"]).contains("paused"));
    let shown = store.fine(&["queue", "mail"]);
    assert!(shown.contains("3 (0 high, 3 normal, 0 low)"), "{shown}");
    assert!(store.json(&["queue", "mail", "resume"])["paused_since_ms"].is_null());
    assert_eq!(store.run(&["queue", "mail", "stop"]).code, USAGE);
    assert_eq!(store.run(&["queue", "a\nb"]).code, USAGE);

    let status = store.json(&["status"]);
    assert_eq!((&status["ready"], &status["dead"]), (&4.into(), &0.into()));
    assert_eq!(status["queues"].as_array().unwrap().len(), 2);
    let shown = store.fine(&["status"]);
    assert!(shown.contains("4 ready") && shown.contains("warning"), "{shown}");
}

#[test]
fn jobs_come_in_pages_without_payloads_and_the_next_page_is_one_paste_away() {
    let store = Store::start();
    store.enqueue("it's", "a", 5);
    store.enqueue("z", "b", 2);
    let mut arguments = vec!["jobs".to_owned(), "ready".into(), "--limit".into(), "2".into()];
    let mut ids = Vec::new();
    for _ in 0..9 {
        let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let page = store.json(&given);
        for job in page["jobs"].as_array().unwrap() {
            assert!(job.get("payload").is_none());
            ids.push(job["id"].as_str().unwrap().to_owned());
        }
        if page["next"].is_null() {
            break;
        }
        arguments.truncate(4);
        arguments.extend(["--cursor".to_owned(), page["next"].to_string()]);
    }
    assert_eq!(ids.len(), 7);

    let shown = store.fine(&["jobs", "ready", "--limit", "2", "--kind", "a"]);
    assert!(!shown.contains("secret"), "{shown}");
    let next = shown.lines().find_map(|line| line.strip_prefix("there is more: mq ")).unwrap();
    let program = env!("CARGO_BIN_EXE_mq");
    let script = format!("'{program}' {next}");
    let second = Ran::of(store.on_it(Command::new("sh")).args(["-c", &script]));
    assert_eq!(second.code, FINE, "{}", second.stderr);
    assert!(second.stdout.contains(&ids[2]) && !second.stdout.contains(&ids[0]));

    assert_eq!(store.json(&["jobs", "ready", "--queue", "z"])["jobs"][0]["kind"], "b");
    assert_eq!(store.json(&["jobs", "ready", "--tag", "none"])["jobs"], serde_json::json!([]));
    assert!(store.fine(&["jobs", "dead"]).contains("no job here matches"));
    for wrong in [&["jobs", "failed"][..], &["jobs", "ready", "--cursor", "x"], &["jobs"]] {
        assert_eq!(store.run(wrong).code, USAGE, "{wrong:?}");
    }
}

/// The words that scripts use are those of the library.
#[test]
fn every_state_can_be_listed() {
    let store = Store::start();
    for state in State::ALL {
        assert_eq!(store.json(&["jobs", state.as_str()])["scanned"], 0);
    }
}

#[test]
fn sealed_payloads_are_shown_to_those_who_have_the_key() {
    let store = Store::start();
    let (key, other) = (format!("k1:{}", "1f".repeat(32)), format!("k2:{}", "2e".repeat(32)));
    let with = |keys: &str, arguments: &[&str]| {
        let ran = Ran::of(store.command(arguments).env("MQ_KEYS", keys));
        assert_eq!(ran.code, FINE, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    let payload = r#"{"card":"4929"}"#;
    let receipt = with(&key, &["--json", "enqueue", "pay", payload]);
    let receipt: Value = serde_json::from_str(&receipt).unwrap();
    let id = receipt["id"].as_str().unwrap();

    let shown = with(&format!("{other} {key}"), &["job", id]);
    assert!(shown.contains("encrypted with the key `k1`\n") && shown.contains(payload), "{shown}");
    for closed in [store.fine(&["job", id]), with(&other, &["job", id])] {
        let why = "encrypted with the key `k1`: it is encrypted with the key `k1`, which is not";
        assert!(closed.contains(why) && closed.contains("cannot be shown"), "{closed}");
        assert!(!closed.contains("4929"), "{closed}");
    }
    let job = store.json(&["job", id]);
    assert_eq!((&job["payload"], &job["seal"]["key"]), (&"".into(), &"k1".into()));
    let job: Value = serde_json::from_str(&with(&key, &["--json", "job", id])).unwrap();
    assert_eq!((&job["payload"], &job["seal"]["problem"]), (&payload.into(), &Value::Null));

    let mut wrong = store.command(&["status"]);
    let refused = Ran::of(wrong.env("MQ_KEYS", &key[..40]));
    assert_eq!(refused.code, USAGE);
    assert!(refused.stderr.contains("MQ_KEYS cannot be used: the key `k1`"), "{refused:?}");
    assert!(!refused.stderr.contains("1f1f"), "{refused:?}");
    store.check();
}

#[test]
fn workers_and_their_jobs_are_listed() {
    let store = Store::start();
    assert!(store.fine(&["workers"]).contains("no worker"));
    let workers = store.with_worker(|| {
        let shown = store.fine(&["workers"]);
        assert!(shown.contains("holds") && shown.contains("boom"), "{shown}");
        let note = store.run(&["enqueue", "boom", r#"{"text":"x"}"#, "--queue", "boom"]);
        assert!(!note.stderr.contains("no worker"), "{}", note.stderr);
        store.json(&["workers"])
    });
    assert_eq!(workers[0]["about"]["pid"], std::process::id());
    assert_eq!(workers[0]["queue"], "boom");
    let note = store.run(&["enqueue", "nobody.knows", "{}", "--queue", "boom"]);
    assert_eq!(note.code, FINE);
    assert!(note.stderr.contains("no worker on `boom` runs"), "{}", note.stderr);
}

#[test]
fn the_audit_finds_mends_and_says_so_by_its_code() {
    let store = Store::start();
    store.enqueue("mail", "welcome", 3);
    assert!(store.fine(&["audit"]).contains("mail"));
    store.lose_a_record("mail");

    let found = store.run(&["audit", "--json"]);
    assert_eq!(found.code, CONDITION);
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!((&found[0]["queue"], &found[0]["repaired"]), (&"mail".into(), &0.into()));
    assert_eq!(found[0]["findings"][0]["kind"], "no_record");
    let shown = store.run(&["audit"]);
    assert!(shown.stdout.contains("no_record") && shown.stdout.contains("audit --repair"));

    let unasked = store.run(&["audit", "--repair"]);
    assert_eq!(unasked.code, USAGE, "nobody is there to ask");
    assert!(unasked.stderr.contains("no_record") && unasked.stderr.contains("--yes"));
    assert_eq!(store.run(&["audit"]).code, CONDITION, "nothing was changed");
    let command = store.command(&["audit", "--repair"]);
    let (code, seen) = terminal::answer(command, "[y/N]", "y\n", || ());
    assert_eq!(code, FINE, "{seen}");
    assert!(seen.contains("mend 1 finding?"), "{seen}");
    // Where nothing is wrong nobody is asked.
    assert_eq!(store.json(&["audit", "--repair"])[0]["repaired"], 0);

    store.lose_a_record("mail");
    assert_eq!(store.json(&["audit", "--repair", "--yes"])[0]["repaired"], 1);
    store.check();
}
