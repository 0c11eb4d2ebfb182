//! Exit codes, hints, and what is never shown.

use std::process::Command;

use crate::store::{self, FINE, HOSTILE, Ran, Store, UNUSABLE, USAGE, mq, mq_without_url};

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
