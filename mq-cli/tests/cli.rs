//! The built program, from outside: every command, its JSON, its exit codes, its manners.

mod store;
mod terminal;

use std::process::Command;

use mq::prelude::TimeDelta;
use mq::{JobId, State};
use serde_json::Value;

use store::{HOSTILE, Ran, Store, file, fine, mq, mq_without_url};

const FINE: i32 = 0;
const CONDITION: i32 = 1;
const USAGE: i32 = 2;
const UNUSABLE: i32 = 3;

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

#[test]
fn what_strangers_wrote_does_not_steer_the_terminal() {
    let store = Store::start();
    let kind = format!("kind{HOSTILE}");
    let id = store.raw(&kind, HOSTILE);
    store.boom(HOSTILE, 1);
    store.let_all_die(1);
    let dead = store.json(&["jobs", "dead"]);
    assert_eq!(dead["jobs"][0]["errors"][0]["error"], HOSTILE, "JSON gives back what was there");
    assert_eq!(store.json(&["job", &id])["kind"], kind);
    let dead = dead["jobs"][0]["id"].as_str().unwrap();
    for arguments in [
        &["jobs", "ready"][..],
        &["jobs", "ready", "--json"],
        &["jobs", "dead"],
        &["jobs", "dead", "--json"],
        &["job", &id],
        &["job", &id, "--json"],
        &["job", dead],
        &["jobs", HOSTILE],
        &["queue", HOSTILE],
        &["enqueue", HOSTILE, HOSTILE],
        &["retry", HOSTILE],
        &["--url", HOSTILE, "status"],
        &["delete", &id],
        &["delete", &id, "--yes"],
    ] {
        let ran = store.run(arguments);
        let seen = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!seen.is_empty());
        assert!(!seen.chars().any(store::steers), "{arguments:?}: {seen:?}");
    }
}

#[test]
fn an_engine_that_cannot_be_used_has_a_code_of_its_own() {
    let closed = format!("redis://mq:s3cret@127.0.0.1:{}", store::closed_port());
    let ran = mq(&["status"], &closed);
    assert_eq!((ran.code, ran.stdout.as_str()), (UNUSABLE, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("127.0.0.1") && ran.stderr.contains("server runs"));
    assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);

    let locked = mq_testkit::RedisServer::with(&["--requirepass", "right"]);
    let ran = mq(&["queues"], &locked.url());
    assert_eq!(ran.code, UNUSABLE, "{}", ran.stderr);
    let unfit = mq_testkit::RedisServer::with(&["--maxmemory-policy", "allkeys-lru"]);
    let ran = mq(&["queues"], &unfit.url());
    assert_eq!(ran.code, UNUSABLE, "{}", ran.stderr);
    assert!(ran.stderr.contains("noeviction"), "{}", ran.stderr);
}

#[test]
fn a_command_that_is_not_meant_so_says_what_to_write() {
    for (arguments, hint) in [
        (&["status"][..], "--url redis://127.0.0.1:6379"),
        (&["--url", "", "status"], "MQ_URL"),
        (&["--url", "postgres://u:s3cret@h/d", "status"], "this build knows"),
        (&["--url", "s3cret", "status"], "redis://127.0.0.1:6379"),
        (&["statsu"], "status"),
        (&[], "Usage"),
    ] {
        let ran = mq_without_url(arguments);
        assert_eq!(ran.code, USAGE, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(hint), "{arguments:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
    }
    let help = mq(&["--help"], "redis://u:s3cret@127.0.0.1:1");
    assert_eq!(help.code, FINE);
    assert!(help.stdout.contains("MQ_URL") && help.stdout.contains("Exit codes"));
    assert!(!help.stdout.contains("s3cret"), "{}", help.stdout);
    assert_eq!(mq_without_url(&["--version"]).code, FINE);
}

#[test]
fn the_variable_and_the_argument_both_name_the_engine_and_the_argument_wins() {
    let store = Store::start();
    store.enqueue("mail", "welcome", 1);
    let other = store.url();
    let ran = mq(&["--url", &other, "queues", "--json"], "redis://127.0.0.1:1");
    assert_eq!(ran.code, FINE, "{}", ran.stderr);
    assert!(ran.stdout.contains("mail"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let store = Store::start();
    store.enqueue("mail", "welcome", 900);
    let program = env!("CARGO_BIN_EXE_mq");
    let script = format!("'{program}' jobs ready --limit 900 --json | head -1; ");
    let script = format!("set -o pipefail 2>/dev/null; {script} echo $?");
    let ran = Ran::of(store.on_it(Command::new("bash")).args(["-c", &script]));
    assert_eq!(ran.stdout, "{\n0\n", "{}", ran.stderr);
}

/// The words that scripts use are those of the library.
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
fn every_state_can_be_listed() {
    let store = Store::start();
    for state in State::ALL {
        assert_eq!(store.json(&["jobs", state.as_str()])["scanned"], 0);
    }
}
