//! Things that must stand in two places, or come in pairs.

use super::repo::{Finding, Repo, missing};
use super::source;

const SCRIPT: &str = "ci";
const CHANGELOG: &str = "CHANGELOG.md";
const LIFECYCLE_CODE: &str = "mq-core/src/lifecycle.rs";
const LIFECYCLE_PAGE: &str = "docs/lifecycle.md";
const SECURITY: &str = "docs/security.md";
const SCRIPTS: &str = "mq-redis/src/script.rs";

/// Examples that CI does not run, and entries of CI's list that are not there.
pub(crate) fn unlisted_examples(repo: &Repo) -> Vec<Finding> {
    let Some(script) = repo.find(SCRIPT) else {
        return vec![missing(SCRIPT, "the script with the list of examples is not there")];
    };
    let listed = listed_examples(&script.text);
    let mut there: Vec<&str> = Vec::new();
    let mut findings = Vec::new();
    for file in repo.files.iter().filter(|file| file.is_example() && file.is_rust()) {
        let Some(name) = example_name(&file.path) else { continue };
        there.push(name);
        if !listed.contains(&name) {
            findings
                .push(file.whole(format!("add it to `examples` in `{SCRIPT}`, so that it runs")));
        }
    }
    for name in listed.iter().filter(|name| !there.contains(name)) {
        findings.push(script.whole(format!("lists the example {name}, which does not exist")));
    }
    findings
}

/// Compile errors whose text is not pinned, and texts without their mistake.
pub(crate) fn unpaired_compile_errors(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.files.iter().filter(|file| file.path.starts_with("tests/ui/fail/")) {
        let Some((base, end)) = file.path.rsplit_once('.') else { continue };
        let other = if end == "rs" { "stderr" } else { "rs" };
        if !repo.has(&format!("{base}.{other}")) {
            findings.push(file.whole(format!("has no .{other} beside it")));
        }
    }
    findings
}

/// A changelog that does not begin with the version that is being built.
pub(crate) fn stale_changelog(repo: &Repo) -> Vec<Finding> {
    let Some(manifest) = repo.find("Cargo.toml") else {
        return vec![missing("Cargo.toml", "is not there")];
    };
    let Some(changelog) = repo.find(CHANGELOG) else {
        return vec![missing(CHANGELOG, "is not there")];
    };
    let package = manifest.text.split_once("[workspace.package]").map_or("", |(_, rest)| rest);
    let version = package.lines().find_map(|line| line.strip_prefix("version = "));
    let version = version.map_or("", |text| text.trim_matches('"'));
    let head = changelog.text.lines().find_map(|line| line.strip_prefix("## ")).unwrap_or("");
    if head.split_whitespace().next() == Some(version) {
        return Vec::new();
    }
    vec![changelog.whole(format!("begins with `{head}`, but the version is {version}"))]
}

/// Clauses of the promise that the report on reliability does not quote word for word.
pub(crate) fn misquoted_promise(repo: &Repo) -> Vec<Finding> {
    const REPORT: &str = "docs/reliability.md";
    let Some(promise) = repo.find("docs/promise.md") else { return Vec::new() };
    let Some(report) = repo.find(REPORT) else { return vec![missing(REPORT, "is not there")] };
    let clauses = promise.text.split("\n\n").filter(|part| part.starts_with("**P"));
    let lacks = clauses.filter(|clause| !report.text.contains(clause.trim()));
    let name = |clause: &str| clause.split_whitespace().next().unwrap_or("").replace('*', "");
    lacks.map(|clause| report.whole(format!("does not quote {} as it is", name(clause)))).collect()
}

/// Files that no `mod` reaches: the compiler does not see them, and nobody notices.
pub(crate) fn unreachable_files(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.ending(".rs").filter(|file| format!("/{}", file.path).contains("/src/")) {
        let Some((name, parents)) = module(&file.path) else { continue };
        let declared = parents.iter().filter_map(|parent| repo.find(parent)).any(|parent| {
            !source::lines_with(&source::code(&parent.text), &format!("mod {name};")).is_empty()
        });
        if !declared {
            findings.push(file.whole(format!("no `mod {name};` in {}", parents.join(" or "))));
        }
    }
    findings
}

/// Lua that no script is made of.
pub(crate) fn unused_lua(repo: &Repo) -> Vec<Finding> {
    let scripts = repo.find(SCRIPTS).map_or("", |file| file.text.as_str());
    let unused = repo.ending(".lua").filter(|f| !scripts.contains(&format!("\"{}\"", f.stem())));
    unused.map(|file| file.whole(format!("is not named in {SCRIPTS}"))).collect()
}

/// Links and paths of sources in documents that lead nowhere.
pub(crate) fn dead_links(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.ending(".md") {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (index, line) in file.text.lines().enumerate() {
            let links = link_targets(line).map(|target| (target, joined(folder, target)));
            let sources = source_paths(line).map(|path| (path, joined("", path)));
            for (target, path) in links.chain(sources) {
                let is_folder = repo.files.iter().any(|f| f.path.starts_with(&format!("{path}/")));
                if !repo.has(&path) && !is_folder && !is_unread(&path) {
                    findings.push(file.at(index + 1, format!("`{target}` does not exist")));
                }
            }
        }
    }
    findings
}

/// Tests that a document calls its witness, as `path.rs::name`, and that are not there.
pub(crate) fn missing_witnesses(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.ending(".md") {
        for (index, line) in file.text.lines().enumerate() {
            for (path, name) in code_spans(line).filter_map(|span| span.split_once(".rs::")) {
                let path = format!("{path}.rs");
                let there = repo.find(&path).is_some_and(|code| {
                    source::functions(&source::code(&code.text)).iter().any(|f| f.name == name)
                });
                if !there {
                    findings.push(file.at(index + 1, format!("{path} has no test {name}")));
                }
            }
        }
    }
    findings
}

/// Lines of the security checklist that their page leaves out, or answers neither by a test nor by
/// saying that there is none.
pub(crate) fn unanswered_lines(repo: &Repo) -> Vec<Finding> {
    const LAST: usize = 35;
    let Some(page) = repo.find(SECURITY) else {
        return vec![missing(SECURITY, "is not there")];
    };
    let mut findings = Vec::new();
    for number in 1..=LAST {
        let head = format!("| {number} | ");
        let rows: Vec<&str> = page.text.lines().filter(|row| row.starts_with(&head)).collect();
        let [row] = rows[..] else {
            findings.push(page.whole(format!("has {} rows for line {number}", rows.len())));
            continue;
        };
        let answers = [".rs::", "*Not yet*", "*does not concern mq*", "*do not concern mq*"];
        if !answers.iter().any(|answer| row.contains(answer)) {
            findings.push(page.whole(format!(
                "line {number} names no test: add it as `path.rs::name`, or say *Not yet*"
            )));
        }
    }
    findings
}

/// States and ends of attempts that the drawing of the lifecycle does not have.
pub(crate) fn undrawn_lifecycle(repo: &Repo) -> Vec<Finding> {
    let Some(code) = repo.find(LIFECYCLE_CODE) else {
        return vec![missing(LIFECYCLE_CODE, "is not there")];
    };
    let Some(page) = repo.find(LIFECYCLE_PAGE) else {
        return vec![missing(LIFECYCLE_PAGE, "is not there")];
    };
    let states = variants(&code.text, "enum State").into_iter();
    let states = states.map(|name| format!("| {} |", name.to_lowercase()));
    let ends = variants(&code.text, "enum Ended").into_iter().map(|name| format!("| `{name}` |"));
    let wanted: Vec<String> = states.chain(ends).collect();
    let mut findings: Vec<Finding> = Vec::new();
    if wanted.len() < 2 {
        findings.push(code.whole("has neither `enum State` nor `enum Ended`"));
    }
    for cell in wanted.iter().filter(|cell| !page.text.contains(*cell)) {
        findings.push(page.whole(format!("has no row with {cell}")));
    }
    findings
}

/// A README whose code is not compiled goes wrong with the next change.
pub(crate) fn uncompiled_readme(repo: &Repo) -> Vec<Finding> {
    let Some(facade) = repo.find("src/lib.rs") else {
        return vec![missing("src/lib.rs", "is not there")];
    };
    if facade.text.contains("#![doc = include_str!(\"../README.md\")]") {
        return Vec::new();
    }
    vec![facade.whole("begins without `#![doc = include_str!(\"../README.md\")]`")]
}

/// The first word of each entry of `examples=( "name arguments" … )`.
fn listed_examples(script: &str) -> Vec<&str> {
    let list = script.split_once("examples=(").map_or("", |(_, rest)| rest);
    let list = list.split_once(")\n").map_or(list, |(list, _)| list);
    let entries = list.lines().filter_map(|line| line.trim().strip_prefix('"'));
    entries.filter_map(|entry| entry.split([' ', '"']).next()).collect()
}

/// `a` of `examples/a.rs` and of `examples/a/main.rs`.
fn example_name(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("examples/")?;
    match rest.split_once('/') {
        None => rest.strip_suffix(".rs"),
        Some((name, "main.rs")) => Some(name),
        Some(_) => None,
    }
}

/// A module's name and the files that may declare it; none for the root of a crate.
fn module(path: &str) -> Option<(&str, Vec<String>)> {
    let (folder, file) = path.rsplit_once('/')?;
    let stem = file.strip_suffix(".rs")?;
    if folder.ends_with("src") && matches!(stem, "lib" | "main") || folder.ends_with("/bin") {
        return None;
    }
    if stem == "mod" {
        let (parent, name) = folder.rsplit_once('/')?;
        return Some((name, declarers(parent)));
    }
    Some((stem, declarers(folder)))
}

fn declarers(folder: &str) -> Vec<String> {
    if folder.ends_with("src") {
        return vec![format!("{folder}/lib.rs"), format!("{folder}/main.rs")];
    }
    vec![format!("{folder}/mod.rs"), format!("{folder}.rs")]
}

/// The names in an enum whose variants stand one per line, as rustfmt puts them.
fn variants(code: &str, head: &str) -> Vec<String> {
    let code = source::code(code);
    let body = code.split_once(head).map_or("", |(_, rest)| rest);
    let body = body.split("\n}").next().unwrap_or(body);
    let names = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = names.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    names.filter_map(|line| line.split([',', ' ', '{', '(']).next()).map(str::to_owned).collect()
}

/// Paths from the root to sources, between backticks; not those with a `<name>` in them.
fn source_paths(line: &str) -> impl Iterator<Item = &str> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let spans =
        code_spans(line).filter(move |span| span.contains('/') && span.chars().all(is_path));
    spans.filter(|span| span.starts_with("mq-") || span.starts_with("tests/"))
}

/// What stands between backticks.
fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// `x` of `](x)`, without anchors, other hosts and pages of the documentation site.
fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let targets = targets.map(|target| target.split('#').next().unwrap_or(""));
    targets.filter(|target| !target.is_empty() && !target.contains("://"))
}

fn joined(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Files that are there but have no rules.
fn is_unread(path: &str) -> bool {
    matches!(path, "LICENSE-MIT" | "LICENSE-APACHE" | "")
}
