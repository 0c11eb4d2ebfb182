//! One operation, one name, one file each: contract, engine, suite.

use super::repo::{Finding, Repo, missing};
use super::source;

const CONTRACT: &str = "mq-core/src/engine/mod.rs";
const LUA: &str = "mq-redis/src/lua/";
const OPS: &str = "mq-redis/src/ops/";
const SQLITE_OPS: &str = "mq-sqlite/src/ops/";
const SUITE: &str = "mq-conformance/src/";
const SUITE_LIST: &str = "mq-conformance/src/suite.rs";

/// Methods of `Engine` that are no operation on jobs, so that nothing is named after them.
const NO_OPERATION: [(&str, &str); 6] = [
    ("durability", "answered from memory; checks.rs finds it out, which needs servers of its own"),
    ("warnings", "as durability"),
    ("identity", "names the store; store.rs has its cases, as for all that handles share"),
    ("database", "as identity, known from the start"),
    ("detached", "makes a second handle and asks the store nothing"),
    ("ping", "one command, TIME; the suite needs it for everything"),
];

/// Methods whose code or cases are at home elsewhere: (method, file that must speak of it, why).
const ELSEWHERE: [(&str, &str, &str); 8] = [
    ("wait", "mq-redis/src/wait.rs", "blocks, so it has a connection and a file of its own"),
    ("wait", "mq-sqlite/src/hub.rs", "blocks, and asks the file next to nothing"),
    ("get", "mq-redis/src/ops/locate.rs", "the verbs look a job up in the same way"),
    ("join", "mq-conformance/src/join_leave.rs", "a worker's coming is shown by its going"),
    ("leave", "mq-conformance/src/join_leave.rs", "as join"),
    ("resume", "mq-conformance/src/pause.rs", "a pause is shown by its end"),
    ("queues", "mq-conformance/src/names.rs", "their names are what can go wrong with them"),
    ("workers", "mq-conformance/src/stats.rs", "workers are a part of a queue's figures"),
];

/// Scripts that serve several operations, and why they are none.
const SHARED: [(&str, &str); 1] = [("locate", "says where jobs are, for get and for the verbs")];

/// Cases that are about several methods; `verbs` puts each verb to jobs in each state.
const CROSSWISE: [&str; 4] = ["names", "payload", "store", "verbs"];
/// Files of the suite without cases.
const SUITE_FRAME: [&str; 5] = ["lib", "differential", "fixture", "kit", "suite"];

/// Cases that no engine runs, because the suite's list lacks them.
pub(crate) fn unlisted_cases(repo: &Repo) -> Vec<Finding> {
    let list = repo.find(SUITE_LIST).map_or(String::new(), |file| source::code(&file.text));
    let mut findings = Vec::new();
    for file in repo.files.iter().filter(|file| cases_of(&file.path).is_some()) {
        let listed = list.split_once(&format!(" {} {{", file.stem())).map_or("", |(_, rest)| rest);
        let listed = listed.split('}').next().unwrap_or("");
        for function in source::functions(&source::code(&file.text)) {
            let head = file.text.lines().nth(function.first_line - 1).unwrap_or("");
            let is_case = head.starts_with("pub async fn ");
            if is_case && source::lines_with(listed, &function.name).is_empty() {
                let text = format!("{} is not in the list of {SUITE_LIST}", function.name);
                findings.push(file.at(function.first_line, text));
            }
        }
    }
    findings
}

/// What a file of the suite has cases about.
fn cases_of(path: &str) -> Option<&str> {
    let name = path.strip_prefix(SUITE)?.strip_suffix(".rs")?;
    (!name.contains('/') && !SUITE_FRAME.contains(&name)).then_some(name)
}

/// Operations without their files, and files without their operation.
pub(crate) fn four_files(repo: &Repo) -> Vec<Finding> {
    let Some(contract) = repo.find(CONTRACT) else {
        return vec![missing(CONTRACT, "the contract is not there")];
    };
    let methods = methods(&contract.text);
    let mut findings = Vec::new();
    for method in methods.iter().filter(|method| !is_no_operation(method)) {
        findings.extend(unserved(repo, method));
        findings.extend(unserved_by_sqlite(repo, method));
        findings.extend(uncased(repo, method));
    }
    findings.extend(orphans(repo, &methods));
    for (excepted, _) in NO_OPERATION {
        if !methods.iter().any(|method| method == excepted) {
            findings.push(contract.whole(format!("{excepted} is gone: take it off the list")));
        }
    }
    findings
}

/// The methods of `trait Engine`.
fn methods(contract: &str) -> Vec<String> {
    let code = source::code(contract);
    let body = code.split_once("trait Engine").map_or("", |(_, rest)| rest);
    let starts = body.split("fn ").skip(1);
    let names = starts.filter_map(|rest| rest.split_once('(')).map(|(name, _)| name.trim());
    names.map(str::to_owned).collect()
}

fn unserved(repo: &Repo, method: &str) -> Option<Finding> {
    let homes = [
        format!("{LUA}{method}.lua"),
        format!("{OPS}{method}.rs"),
        elsewhere(method, "mq-redis/").unwrap_or_default().to_owned(),
    ];
    if homes.iter().any(|home| repo.find(home).is_some_and(|file| file.text.contains(method))) {
        return None;
    }
    Some(missing(CONTRACT, format!("Engine::{method} has neither {} nor {}", homes[0], homes[1])))
}

fn unserved_by_sqlite(repo: &Repo, method: &str) -> Option<Finding> {
    let own = format!("{SQLITE_OPS}{method}.rs");
    let home = elsewhere(method, "mq-sqlite/").unwrap_or(&own);
    if repo.find(home).is_some_and(|file| file.text.contains(method)) {
        return None;
    }
    Some(missing(CONTRACT, format!("Engine::{method} is not in {home}")))
}

fn uncased(repo: &Repo, method: &str) -> Option<Finding> {
    let own = format!("{SUITE}{method}.rs");
    let home = elsewhere(method, SUITE).unwrap_or(&own);
    if repo.find(home).is_some_and(|file| file.text.contains(method)) {
        return None;
    }
    Some(missing(CONTRACT, format!("Engine::{method} has no cases in {home}")))
}

/// Scripts and cases that no method is named for. A script may serve a part of an operation:
/// `transfer_take.lua` is a part of `transfer`.
fn orphans(repo: &Repo, methods: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &repo.files {
        let stem = file.stem();
        let is_own = methods.iter().any(|method| method == stem);
        let is_part = methods.iter().any(|method| {
            stem.strip_prefix(method.as_str()).is_some_and(|part| part.starts_with('_'))
        });
        let folder = file.path.strip_suffix(&format!("{stem}.lua")).unwrap_or_default();
        let is_shared = SHARED.iter().any(|(name, _)| *name == stem);
        if folder == LUA && !is_own && !is_part && !is_shared {
            findings.push(file.whole("no method of Engine has this name"));
        }
        let is_cases = cases_of(&file.path).is_some_and(|name| !CROSSWISE.contains(&name));
        if is_cases && !is_own && !ELSEWHERE.iter().any(|(_, home, _)| *home == file.path) {
            findings.push(file.whole("no method of Engine has this name"));
        }
    }
    findings
}

fn is_no_operation(method: &str) -> bool {
    NO_OPERATION.iter().any(|(name, _)| *name == method)
}

fn elsewhere(method: &str, folder: &str) -> Option<&'static str> {
    let mut entries =
        ELSEWHERE.iter().filter(|(of, home, _)| *of == method && home.starts_with(folder));
    entries.next().map(|(_, home, _)| *home)
}

#[test]
fn methods_are_read_from_the_trait() {
    let text = "fn free() {}\npub trait Engine: Debug {\n    /// fn not_this(\n    \
        async fn enqueue(\n        &self,\n    ) -> R;\n    fn ping(&self) -> R;\n}\n";
    assert_eq!(methods(text), ["enqueue", "ping"]);
}
