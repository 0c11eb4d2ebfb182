//! The same on a file, and from a file to a server.

use crate::store::{self, CONDITION, FINE, Store, UNUSABLE, USAGE, file, fine, mq};

#[test]
fn a_file_is_an_engine_like_any_other() {
    let (_directory, url) = file();
    assert_eq!(fine(&["status"], &url)["durability"], "disk1s");
    let receipt = fine(&["enqueue", "welcome", r#"{"a":1}"#, "--queue", "mail"], &url);
    let id = receipt["id"].as_str().unwrap();
    assert_eq!(fine(&["jobs", "ready"], &url)["jobs"][0]["id"], id);
    assert_eq!(fine(&["job", id], &url)["payload"], r#"{"a":1}"#);
    assert_eq!(fine(&["queues"], &url)[0]["ready"], 1);
    assert_eq!(fine(&["cancel", id, "--yes"], &url)["applied"], 1);
    assert_eq!(mq(&["audit"], &url).code, FINE);
    assert_eq!(mq(&["job", id], &url).code, CONDITION);
}

#[test]
fn a_file_that_is_not_there_is_not_made_by_looking_at_it() {
    let (directory, url) = file();
    let url = url.trim_end_matches("?mode=rwc");
    for arguments in [&["status"][..], &["enqueue", "kind", "{}"]] {
        let ran = mq(arguments, url);
        assert_eq!(ran.code, UNUSABLE, "{}", ran.stderr);
        assert!(ran.stderr.contains("jobs.db is not there: check the path"), "{}", ran.stderr);
    }
    assert_eq!(directory.path().read_dir().unwrap().count(), 0);
}

#[test]
fn jobs_are_moved_from_a_file_to_a_server() {
    let (_directory, from) = file();
    let store = Store::start();
    let mut sent = Vec::new();
    for _ in 0..3 {
        let receipt = fine(&["enqueue", "welcome", "{}", "--queue", "mail"], &from);
        sent.push(receipt["id"].as_str().unwrap().to_owned());
    }
    fine(&["enqueue", "render", "{}", "--queue", "pdf", "--delay", "2h"], &from);
    let there = store.url();
    let moving = ["move", "--to", &there];

    let dry = mq(&moving, &from);
    assert_eq!((dry.code, dry.stdout.as_str()), (USAGE, ""));
    assert!(dry.stderr.contains("move 4 jobs") && dry.stderr.contains("--yes"), "{}", dry.stderr);
    assert_eq!(store.json(&["queues"]), serde_json::json!([]));
    assert!(fine(&["queue", "mail"], &from)["paused_since_ms"].is_null());

    let report = fine(&[&moving[..], &["--yes", "--queue", "mail"]].concat(), &from);
    assert_eq!((&report["moved"], &report["complete"]), (&3.into(), &true.into()));
    assert_eq!(report["queues"].as_array().unwrap().len(), 1);
    let ran = mq(&[&moving[..], &["--yes"]].concat(), &from);
    assert_eq!(ran.code, FINE, "{}", ran.stderr);
    assert!(ran.stdout.contains("pdf") && !ran.stdout.contains("paused"), "{}", ran.stdout);

    let page = store.json(&["jobs", "ready"]);
    let ids = page["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap());
    assert_eq!(ids.collect::<Vec<_>>(), sent);
    assert_eq!(store.json(&["jobs", "scheduled"])["jobs"][0]["kind"], "render");
    assert_eq!(fine(&["status"], &from)["ready"], 0);
    assert!(fine(&["queue", "mail"], &from)["paused_since_ms"].is_u64());
    assert!(store.json(&["queue", "mail"])["paused_since_ms"].is_null());
    // Again, as somebody does who is not sure: there is nothing to ask about.
    assert_eq!(fine(&moving, &from)["moved"], 0);
    store.check();
}

#[test]
fn a_move_that_leaves_something_behind_or_cannot_be_made_says_so() {
    let (_directory, to) = file();
    let store = Store::start();
    store.enqueue("mail", "welcome", 2);
    store.claim("mail");
    let same = store.run(&["move", "--to", &store.url(), "--yes"]);
    assert_eq!(same.code, USAGE, "{}", same.stderr);
    assert!(same.stderr.contains("one store"), "{}", same.stderr);
    let away = format!("redis://mq:s3cret@127.0.0.1:{}", store::closed_port());
    let away = store.run(&["move", "--to", &away, "--yes"]);
    assert_eq!(away.code, UNUSABLE, "{}", away.stderr);
    assert!(!away.stderr.contains("s3cret"), "{}", away.stderr);
    let unknown = store.run(&["move", "--to", &to, "--queue", "pdf", "--yes"]);
    assert_eq!(unknown.code, CONDITION, "{}", unknown.stderr);
    assert!(store.json(&["queue", "mail"])["paused_since_ms"].is_null(), "nothing was changed");

    store.fine(&["queue", "mail", "pause"]);
    let ran = store.run(&["move", "--to", &to, "--yes", "--wait", "10ms"]);
    assert_eq!(ran.code, CONDITION, "{}", ran.stderr);
    assert!(ran.stdout.contains("still here") && ran.stdout.contains("resume"), "{}", ran.stdout);
    assert_eq!(fine(&["queue", "mail"], &to)["ready"], 1);
    assert_eq!(store.json(&["queue", "mail"])["running"], 1);
}
