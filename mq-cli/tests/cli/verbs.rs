//! What is done to jobs, one by one and in bulk.

use mq::JobId;
use serde_json::Value;

use crate::store::{CONDITION, Store, UNUSABLE, USAGE};
use crate::terminal;

#[test]
fn verbs_answer_for_each_job_and_the_code_tells_whether_all_were_done() {
    let store = Store::start();
    let ids = store.enqueue("mail", "welcome", 3);
    let stranger = JobId::new().to_string();

    let moved = store.json(&["transfer", &ids[0], "--to", "slow"]);
    assert_eq!((&moved["applied"], &moved["jobs"][0]["queue"]), (&1.into(), &"mail".into()));
    assert_eq!(store.json(&["job", &ids[0]])["queue"], "slow");
    assert_eq!(store.json(&["transfer", &ids[0], "--to", "slow"])["already"], 1);
    assert_eq!(store.json(&["retry", &ids[1]])["already"], 1, "a ready job runs anyway");

    // Options stand behind ids as well as before them.
    let deleted = store.run(&["delete", &ids[1], &ids[1], &stranger, "--yes", "--json"]);
    assert_eq!(deleted.code, CONDITION, "{}", deleted.stderr);
    let deleted: Value = serde_json::from_str(&deleted.stdout).unwrap();
    assert_eq!((&deleted["matched"], &deleted["applied"]), (&2.into(), &1.into()), "{deleted}");
    assert_eq!(deleted["jobs"][1]["result"], "not_found");
    let gone = store.run(&["job", &ids[1], "--json"]);
    assert_eq!((gone.code, gone.stdout.trim()), (CONDITION, "null"));
    assert!(gone.stderr.contains("there is no job"), "{}", gone.stderr);

    let delayed = store.json(&["enqueue", "later", "{}", "--delay", "1h"]);
    let later = delayed["id"].as_str().unwrap();
    assert_eq!(store.json(&["run-now", later])["applied"], 1);
    assert_eq!(store.json(&["job", later])["state"], "ready");
    let cancelled = store.fine(&["cancel", later, "--yes"]);
    assert!(cancelled.contains("done") && cancelled.contains(later), "{cancelled}");
    for wrong in [&["retry", "nonsense"][..], &["retry"], &["transfer", &ids[2]]] {
        assert_eq!(store.run(wrong).code, USAGE, "{wrong:?}");
    }
    store.check();
}

#[test]
fn a_verb_that_does_not_apply_is_refused_with_the_state() {
    let store = Store::start();
    let ids = store.enqueue("mail", "welcome", 1);
    store.claim("mail");
    let refused = store.run(&["delete", &ids[0], "--yes", "--json"]);
    assert_eq!(refused.code, CONDITION);
    let refused: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!((&refused["refused"], &refused["jobs"][0]["state"]), (&1.into(), &"running".into()));
    let shown = store.run(&["delete", &ids[0], "--yes"]);
    assert!(shown.stdout.contains("refused: it is running"), "{}", shown.stdout);
    assert_eq!(store.json(&["cancel", &ids[0], "--yes"])["requested"], 1);
}

#[test]
fn only_what_matches_is_touched_in_batches_and_the_rest_stays() {
    let store = Store::start();
    store.enqueue("bulk", "many", 2_300);
    store.enqueue("bulk", "other", 7);
    store.enqueue("elsewhere", "many", 4);
    let arguments = ["--all-matching", "--state", "ready", "--queue", "bulk", "--kind", "many"];
    let done = store.json(&[&["cancel", "--yes"][..], &arguments].concat());
    assert_eq!((&done["matched"], &done["applied"]), (&2_300.into(), &2_300.into()));
    assert!(done.get("jobs").is_none(), "{done}");
    let left = (store.json(&["queue", "bulk"]), store.json(&["queue", "elsewhere"]));
    assert_eq!((&left.0["ready"], &left.1["ready"]), (&7.into(), &4.into()));
    for wrong in [
        &["cancel", "--all-matching"][..],
        &["cancel", "--state", "dead"],
        &["cancel", "--queue", "bulk"],
        &["cancel", "0Q7w6PGDS0rGnJ1ei8PQpG", "--queue", "bulk"],
        &["cancel", "0Q7w6PGDS0rGnJ1ei8PQpG", "--all-matching", "--state", "dead"],
        &["delete", "--all-matching", "--state", "ready", "--rate", "5"],
        &["retry", "--all-matching", "--state", "dead", "--rate", "0"],
    ] {
        assert_eq!(store.run(wrong).code, USAGE, "{wrong:?}");
    }
    store.check();
}

#[test]
fn dead_jobs_are_found_by_their_error_and_retried_at_a_rate() {
    let store = Store::start();
    store.boom("timed out", 1_100);
    store.boom("other", 1);
    store.let_all_die(1_101);
    let find = ["--state", "dead", "--error", "timed", "--all-matching", "--yes"];
    let done = store.json(&[&["retry", "--rate", "10"][..], &find].concat());
    assert_eq!(done["applied"], 1_100);
    assert_eq!(store.json(&["queue", "boom"])["dead"], 1);
    // Ten a second: the last one is due in 110 s, behind the first batch and not beside it.
    let due = store.scheduled_ms("boom");
    let span_ms = due.last().unwrap() - due.first().unwrap();
    assert!((105_000..130_000).contains(&span_ms), "{span_ms}");
    let per_second = due.windows(2).filter(|pair| pair[1] < pair[0] + 90).count();
    assert!(per_second < 3, "{per_second} pairs are too close");
    store.check();
}

#[test]
fn a_discarded_job_is_a_dead_letter_that_can_be_retried() {
    let store = Store::start();
    let ids = store.enqueue("mail", "welcome", 3);
    let done = store.json(&["discard", &ids[0]]);
    assert_eq!((&done["verb"], &done["applied"]), (&"discard".into(), &1.into()));
    let job = store.json(&["job", &ids[0]]);
    assert_eq!((&job["state"], &job["death"]["reason"]), (&"dead".into(), &"operator".into()));
    let all = ["discard", "--all-matching", "--state", "ready", "--queue", "mail"];
    assert_eq!(store.run(&all).code, USAGE, "it asks first");
    assert_eq!(store.json(&[&all[..], &["--yes"]].concat())["applied"], 2);
    assert_eq!(store.json(&["retry", &ids[0]])["applied"], 1);
    assert_eq!(store.json(&["queue", "mail"])["dead"], 2);
    store.check();
}

#[test]
fn a_store_that_goes_away_in_the_middle_is_told_with_what_was_done() {
    let mut store = Store::start();
    let ids = store.enqueue("mail", "welcome", 1);
    let command = store.command(&["delete", &ids[0]]);
    let killed = std::cell::RefCell::new(&mut store);
    let (code, seen) = terminal::answer(command, "[y/N]", "y\n", || killed.borrow_mut().kill());
    assert_eq!(code, UNUSABLE, "{seen}");
    assert!(seen.contains("stopped after 0 of 1 job") && seen.contains("run it again"), "{seen}");
}
