//! All scenarios in small: that they run and that their rows are complete, never how fast.
#![expect(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const ROUNDS: usize = 2;

fn bench(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mq-bench"));
    command.args(args).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Scenarios and engines, as the program lists them.
fn listed() -> (Vec<String>, Vec<String>) {
    let listed = bench(&["list"]);
    assert!(listed.status.success());
    let lines = text(&listed.stdout);
    let (mut scenarios, mut engines) = (Vec::new(), Vec::new());
    for line in lines.lines().filter(|line| !line.starts_with(' ') && !line.is_empty()) {
        match line.strip_prefix("engines: ") {
            Some(names) => engines.extend(names.split(", ").map(str::to_owned)),
            None => scenarios.push(line.to_owned()),
        }
    }
    (scenarios, engines)
}

#[test]
fn every_scenario_measures_every_engine_and_a_floor_with_complete_rows() {
    let (scenarios, engines) = listed();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.json");
    let (rounds, file_name) = (ROUNDS.to_string(), file.display().to_string());
    let run = bench(&["--scale", "0.001", "--rounds", &rounds, "--json", &file_name]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(report["about"]["rounds"], ROUNDS);

    // Per scenario and case, the measures that each subject has.
    let mut seen: BTreeMap<(String, String), BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for row in report["rows"].as_array().unwrap() {
        let field = |name: &str| row[name].as_str().unwrap().to_owned();
        let samples = row["samples"].as_array().unwrap();
        assert_eq!(samples.len(), ROUNDS, "{row}");
        let number = |value: &Value| value.as_f64().filter(|figure| *figure >= 0.0).unwrap();
        let (min, median, max) = (number(&row["min"]), number(&row["median"]), number(&row["max"]));
        assert!(min <= median && median <= max, "{row}");
        assert!(matches!(row["better"].as_str(), Some("higher" | "lower")), "{row}");
        let of_case = seen.entry((field("scenario"), field("case"))).or_default();
        assert!(of_case.entry(field("subject")).or_default().insert(field("measure")), "{row}");
    }
    let table = text(&run.stdout);
    for scenario in &scenarios {
        let subjects: BTreeSet<_> = seen
            .iter()
            .filter(|((name, _), _)| name == scenario)
            .flat_map(|(_, subjects)| subjects.keys())
            .collect();
        for engine in &engines {
            assert!(subjects.contains(engine), "{scenario} has no rows of {engine}");
        }
        assert!(subjects.iter().any(|name| name.starts_with("floor")), "{scenario} has no floor");
        assert!(table.contains(&format!("\n{scenario}\n")), "{table}");
    }
    // Those of one store are compared, so they have the same measures.
    for (case, subjects) in &seen {
        for (subject, measures) in subjects.iter().filter(|(name, _)| !name.starts_with("floor")) {
            let store = subject.strip_prefix("redis").map(str::to_owned);
            let floor = format!("floor{}", store.unwrap_or_else(|| format!("-{subject}")));
            let floor = subjects.get(&floor);
            assert!(floor.is_none_or(|floor| floor == measures), "{case:?}, {subject}");
        }
    }
}

#[test]
fn what_is_not_known_is_refused_with_what_is() {
    for args in [["drian"].as_slice(), &["--engine", "mysql"]] {
        let refused = bench(args);
        assert_eq!(refused.status.code(), Some(2));
        let said = text(&refused.stderr);
        assert!(said.contains("known are") && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn without_a_server_it_says_how_to_get_one() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mq-bench"));
    let refused = command.arg("drain").env("PATH", "").output().unwrap();
    assert_eq!(refused.status.code(), Some(3));
    let said = text(&refused.stderr);
    assert!(said.contains("redis-server") && said.contains("./ci setup"), "{said}");
}

#[test]
fn a_stop_shows_what_was_measured_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mq-bench"));
    command.args(["drain", "--engine", "sqlite", "--scale", "0.01", "--rounds", "1000"]);
    command.env("TMPDIR", folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = command.spawn().unwrap();
    let mut stderr = BufReader::new(run.stderr.take().unwrap()).lines();
    assert!(stderr.any(|line| line.unwrap().starts_with("[4/")));
    let kill = format!("kill -TERM {}", run.id());
    assert!(Command::new("sh").arg("-c").arg(kill).status().unwrap().success());
    let said: Vec<_> = stderr.map(Result::unwrap).collect();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{said:?}");
    assert!(said.last().unwrap().ends_with("stopped by a signal"), "{said:?}");
    assert!(text(&output.stdout).contains("floor-sqlite"), "{}", text(&output.stdout));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
