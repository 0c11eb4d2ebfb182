//! A case that is not in the list of the suite would never run.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::path::Path;

/// Files that hold no cases.
const OTHERS: [&str; 5] = ["lib", "differential", "fixture", "kit", "suite"];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// `operation::case` of every public async function in the files of the crate.
fn written(src: &Path) -> BTreeSet<String> {
    let mut cases = BTreeSet::new();
    for entry in std::fs::read_dir(src).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let operation = path.file_stem().unwrap().to_string_lossy().into_owned();
        if OTHERS.contains(&operation.as_str()) {
            continue;
        }
        for line in read(&path).lines() {
            if let Some(rest) = line.strip_prefix("pub async fn ") {
                let name = rest.split('(').next().unwrap();
                cases.insert(format!("{operation}::{name}"));
            }
        }
    }
    cases
}

/// `operation::case` of every line in the list.
fn in_the_list(suite: &str) -> Vec<String> {
    let list = suite.split("$fixture;").nth(1).unwrap();
    let mut operation = "";
    let mut cases = Vec::new();
    for line in list.lines().map(str::trim).take_while(|line| !line.contains("};")) {
        if let Some(name) = line.strip_suffix(" {") {
            operation = name;
        } else if let Some(name) = line.strip_suffix(',') {
            cases.push(format!("{operation}::{name}"));
        }
    }
    cases
}

#[test]
fn every_case_is_in_the_list_once() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let listed = in_the_list(&read(&src.join("suite.rs")));
    let unique: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!(listed.len(), unique.len(), "a case is in the list twice");
    assert!(unique.len() > 100, "the list was not read");
    let written = written(&src);
    assert_eq!(written, unique, "what is written (left) is not what is in the list (right)");
}
