//! Which crate may depend on which of ours: what DESIGN calls the arrows.

use super::repo::{Finding, Repo};

/// What each crate may name in its `[dependencies]`; tests may use more. A crate that is not here
/// is a finding, so that nobody forgets to decide.
///
/// `mq-worker` and the engines do not know each other: only so can an engine be added without
/// touching the worker, and the suite in `mq-conformance` mean the same for all of them.
const MAY_USE: [(&str, &[&str]); 15] = [
    ("mq-core", &[]),
    ("mq-macros", &[]),
    ("mq-redis", &["mq-core"]),
    ("mq-seal", &["mq-core"]),
    ("mq-sqlite", &["mq-core"]),
    ("mq-worker", &["mq-core"]),
    ("mq-testkit", &["mq-core", "mq-worker"]),
    ("mq-conformance", &["mq-core", "mq-testkit"]),
    // Says in its own words what engines and workers do, and only asks the rules themselves.
    ("mq-model", &["mq-core"]),
    (
        "mq",
        &["mq-core", "mq-macros", "mq-redis", "mq-seal", "mq-sqlite", "mq-testkit", "mq-worker"],
    ),
    // A program for people, which uses mq as its users do.
    ("mq-cli", &["mq"]),
    // A program that measures, on throw-away servers, and uses mq as its users do.
    ("mq-bench", &["mq", "mq-core", "mq-testkit"]),
    // What reads bytes of strangers, wherever it is.
    ("mq-fuzz", &["mq-cli", "mq-core", "mq-redis", "mq-sqlite", "mq-testkit"]),
    // The same task in mq and in its peers, outside of the workspace because of what they bring.
    ("mq-peers", &["mq"]),
    // A program of its own for the fault tests, which uses mq as its users do.
    ("mq-chaos", &["mq", "mq-core", "mq-redis", "mq-sqlite", "mq-testkit", "mq-worker"]),
];

/// Edges between our crates that [`MAY_USE`] does not have.
pub(crate) fn forbidden_edges(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.ending("Cargo.toml") {
        let manifest = Manifest::parse(&file.text);
        let Some(name) = manifest.name else { continue };
        let Some((_, allowed)) = MAY_USE.iter().find(|(of, _)| *of == name) else {
            findings.push(file.whole(format!("{name} has no line in MAY_USE of tests/tidy")));
            continue;
        };
        for (line, dependency) in manifest.ours {
            if !allowed.contains(&dependency.as_str()) {
                let text = format!("{name} must not depend on {dependency}, see ARCHITECTURE.md");
                findings.push(file.at(line, text));
            }
        }
    }
    findings
}

struct Manifest {
    name: Option<String>,
    /// Line and name of each dependency of ours that is not for tests only.
    ours: Vec<(usize, String)>,
}

impl Manifest {
    fn parse(text: &str) -> Self {
        let mut manifest = Self { name: None, ours: Vec::new() };
        let mut section = String::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.trim_matches(['[', ']']).to_owned();
                if let Some(dependency) = after_dependencies(&section) {
                    manifest.add(index + 1, dependency);
                }
            } else if section == "package" && line.starts_with("name") {
                manifest.name = line.split('"').nth(1).map(str::to_owned);
            } else if is_dependencies(&section) {
                let end = line.find(['.', '=', ' ']).unwrap_or(0);
                manifest.add(index + 1, &line[..end]);
            }
        }
        manifest
    }

    fn add(&mut self, line: usize, dependency: &str) {
        let dependency = dependency.trim_matches('"');
        if dependency == "mq" || dependency.starts_with("mq-") {
            self.ours.push((line, dependency.to_owned()));
        }
    }
}

fn is_dependencies(section: &str) -> bool {
    let last = section.rsplit('.').next().unwrap_or(section);
    matches!(last, "dependencies" | "build-dependencies") && !section.starts_with("workspace")
}

/// `mq-core` in `dependencies.mq-core`.
fn after_dependencies(section: &str) -> Option<&str> {
    let (before, name) = section.rsplit_once('.')?;
    is_dependencies(before).then_some(name)
}

#[test]
fn dependencies_are_found_in_every_notation() {
    let text = "[package]\nname = \"x\"\n[dependencies]\nmq-core.workspace = true\n\
        [dependencies.mq-worker]\npath = \"..\"\n[target.'cfg(unix)'.dependencies]\n\
        mq = { path = \"..\" }\n[dev-dependencies]\nmq-redis = \"1\"\n";
    let names = Manifest::parse(text).ours.into_iter().map(|(_, name)| name);
    assert_eq!(names.collect::<Vec<_>>(), ["mq-core", "mq-worker", "mq"]);
}
