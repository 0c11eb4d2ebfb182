//! Nothing is destroyed before somebody has seen what, and agreed.

use crate::store::{CONDITION, FINE, Store, USAGE};
use crate::terminal;

#[test]
fn nothing_is_destroyed_without_a_yes() {
    let store = Store::start();
    let ids = store.enqueue("mail", "welcome", 5);
    for arguments in [
        &["delete", &ids[0]][..],
        &["cancel", &ids[0]],
        &["delete", "--all-matching", "--state", "ready"],
        &["retry", "--all-matching", "--state", "ready"],
        &["run-now", "--all-matching", "--state", "ready", "--json"],
    ] {
        let ran = store.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (USAGE, ""), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("add --yes"), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("kind   welcome"), "the plan is shown: {}", ran.stderr);
    }
    assert_eq!(store.json(&["queue", "mail"])["ready"], 5);

    let plan = store.run(&["delete", "--all-matching", "--state", "ready", "--yes"]);
    assert_eq!(plan.code, FINE, "{}", plan.stderr);
    assert!(plan.stderr.contains("delete 5 jobs") && plan.stderr.contains("state  ready 5"));
    assert_eq!(ids.iter().filter(|id| plan.stderr.contains(id.as_str())).count(), 3, "samples");
    assert!(!plan.stderr.contains("secret"), "{}", plan.stderr);
    assert_eq!(plan.stdout.trim(), "delete: 5 done");
    let none = store.fine(&["delete", "--all-matching", "--state", "ready"]);
    assert!(none.contains("no job matches"), "{none}");
}

#[test]
fn a_terminal_is_asked_and_only_yes_means_yes() {
    let store = Store::start();
    let ids = store.enqueue("mail", "welcome", 2);
    for (answer, code, left) in [("\n", CONDITION, 2), ("no\n", CONDITION, 2), ("y\n", FINE, 1)] {
        let command = store.command(&["delete", &ids[0]]);
        let (got, seen) = terminal::answer(command, "[y/N]", answer, || ());
        assert_eq!(got, code, "{answer:?}: {seen}");
        assert!(seen.contains("delete 1 job"), "{seen}");
        assert!(!seen.contains('\u{1b}'), "no colours, no cursor tricks: {seen:?}");
        assert_eq!(store.json(&["queue", "mail"])["ready"], left);
    }
}

#[test]
fn a_job_that_changes_its_state_while_somebody_thinks_is_left_alone() {
    let store = Store::start();
    store.json(&["enqueue", "stays", "1", "--delay", "1h"]);
    let back = store.json(&["enqueue", "comes.back", "1", "--delay", "1h"]);
    let back = back["id"].as_str().unwrap();
    let command = store.command(&["delete", "--all-matching", "--state", "scheduled"]);
    let (code, seen) = terminal::answer(command, "[y/N]", "yes\n", || {
        store.json(&["enqueue", "late", "1", "--delay", "1h"]);
        store.fine(&["run-now", back]);
    });
    assert_eq!(code, FINE, "{seen}");
    assert_eq!(store.json(&["job", back])["state"], "ready");
    let left = store.json(&["jobs", "scheduled"]);
    assert_eq!((&left["scanned"], &left["jobs"][0]["kind"]), (&1.into(), &"late".into()));
}

#[test]
fn who_watches_a_long_command_sees_how_far_it_is() {
    let store = Store::start();
    store.enqueue("bulk", "many", 2_100);
    let command = store.command(&["delete", "--all-matching", "--state", "ready"]);
    let (code, seen) = terminal::answer(command, "[y/N]", "y\n", || ());
    assert_eq!(code, FINE, "{seen}");
    for expected in ["looked at 1000 jobs, 1000 match", "1000 of 2100", "2100 of 2100 jobs"] {
        assert!(seen.contains(expected), "{expected}: {seen}");
    }
}
