//! The command line, and what is printed for texts of strangers.
//!
//! * Any arguments are accepted or refused, and nothing that is said about them steers a terminal.
//! * A line stays a line, a row a row, whatever is in it, and doing it twice changes nothing.
//! * JSON is made harmless without changing what it says.
//! * A quoted argument cannot end its quotes.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use mq_cli::fuzzing as cli;

use super::Target;
use crate::input::Source;
use crate::promise;

pub(super) const TARGET: Target = Target {
    name: "cli",
    check,
    seeds,
    words: &[
        b"\0--json",
        b"\0--url\0",
        b"\0jobs\0dead",
        b"\0--limit\0",
        b"\0--cursor\0",
        b"\0retry",
        b"\0--all-matching",
        b"\0--state\0dead",
        b"\0--rate\0",
        b"\0enqueue\0kind\0{}",
        b"\0--delay\0",
        b"\0--at\0",
        b"\0--priority\0high",
        b"\0move\0--to\0",
        b"\0queue\0q\0pause",
        b"\0--help",
        b"\x1b[2J",
        b"\xe2\x80\xae",
        b"\xff",
        b"\n",
    ],
    slow: false,
    deep_min: 4,
};

fn check(bytes: &[u8]) {
    let program = std::iter::once(OsString::from("mq"));
    let typed = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    let args: Vec<_> = program.chain(typed.map(|word| OsString::from_vec(word.to_vec()))).collect();
    if understood(&args) {
        promise::deep();
    }
    typed_well(&mut Source::new(bytes));
    let text = String::from_utf8_lossy(bytes);
    shown(&text);
    shown(&Source::new(bytes).text());
    let mut source = Source::new(bytes);
    let (now_ms, at_ms) = (source.number(), source.number());
    promise::message(&cli::stamp(now_ms, at_ms));
}

fn understood(args: &[OsString]) -> bool {
    let refused = cli::refused(args);
    refused.iter().flat_map(|text| text.split('\n')).for_each(promise::harmless);
    refused.is_none()
}

/// A command with options that it has, and values of any content for them.
fn typed_well(source: &mut Source<'_>) {
    const COMMANDS: [&str; 8] = [
        "status",
        "jobs dead",
        "job",
        "retry",
        "queue",
        "enqueue kind",
        "transfer --to r",
        "delete --all-matching --state dead",
    ];
    const OPTIONS: [&str; 12] = [
        "--kind",
        "--tag",
        "--error",
        "--queue",
        "--cursor",
        "--limit",
        "--delay",
        "--at",
        "--key",
        "--rate",
        "--priority",
        "--url",
    ];
    let command = COMMANDS[source.below(COMMANDS.len())];
    let mut args: Vec<_> =
        std::iter::once("mq").chain(command.split(' ')).map(OsString::from).collect();
    while !source.is_empty() && args.len() < 12 {
        match source.below(4) {
            0 => args.push(source.text().into()),
            1 => args.push(source.id().to_string().into()),
            2 => args.push(OsString::from_vec(source.bytes().to_vec())),
            _ => {
                args.push(OPTIONS[source.below(OPTIONS.len())].into());
                args.push(source.text().into());
            }
        }
    }
    understood(&args);
}

fn shown(text: &str) {
    let line = cli::line(text);
    promise::harmless(&line);
    assert_eq!(cli::line(&line), line);
    let json = cli::json(text).expect("a text has a form as JSON");
    promise::harmless(&json);
    assert_eq!(serde_json::from_str::<String>(&json).expect("it is JSON"), text);
    for (shown, lines) in cli::shown(text, text).iter().zip([2, 2]) {
        assert_eq!(shown.lines().count(), lines, "{shown}");
        shown.lines().for_each(promise::harmless);
    }
    let quoted = cli::quoted(text);
    let inside = quoted.replace(r"'\''", "");
    assert!(inside.starts_with('\'') && inside.ends_with('\''), "{quoted}");
    assert_eq!(inside.matches('\'').count(), 2, "{quoted}");
}

fn seeds() -> Vec<Vec<u8>> {
    let lines = [
        "--url|sqlite:a.db|status",
        "queues|--json",
        "queue|mail|pause",
        "workers",
        "audit|--repair",
        "jobs|dead|--limit|10|--kind|k|--error|late|--cursor|{\"queue\":\"q\",\"within\":null}",
        "job|0M1u000000000000000000",
        "retry|--all-matching|--state|dead|--rate|7|--yes",
        "run-now|0M1u000000000000000000",
        "delete|--all-matching|--state|done|--queue|q|--tag|t",
        "enqueue|kind|{\"a\":1}|--delay|5m|--key|k|--priority|high|--tag|a|--tag|b",
        "enqueue|kind|-1|--at|2030-01-31T08:00:00Z",
        "transfer|--to|q|--all-matching|--state|ready",
        "move|--to|sqlite:b.db|--queue|q|--wait|5s",
        "--help",
        "help|jobs",
        "--version",
        "jobs|\x1b[2J",
        "discard|--all-matching",
        "cancel",
        "\u{202e}",
    ];
    let mut seeds: Vec<Vec<u8>> =
        lines.iter().map(|line| line.replace('|', "\0").into_bytes()).collect();
    seeds.push(vec![b'\''; 40]);
    seeds.push(b"jobs\0\xff\xfe".to_vec());
    seeds
}
