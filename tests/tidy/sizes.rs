//! How long things may be: what fits a screen is read, what does not is skipped.

use super::repo::{File, Finding, Repo};
use super::source;

const LINE_MAX: usize = 100;
const FUNCTION_MAX: usize = 70;
const FILE_MAX: usize = 500;
const TEST_FILE_MAX: usize = 800;
const EXAMPLE_MAX: usize = 80;
const LUA_OPERATION_MAX: usize = 120;
const LUA_LIBRARY_MAX: usize = 40;

/// Lines over 100 characters, except links and the tables of documents and comments, which
/// cannot be broken.
pub(crate) fn long_lines(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.files.iter().filter(|file| !has_free_lines(file)) {
        for (index, line) in file.text.lines().enumerate() {
            let len = line.chars().count();
            if len > LINE_MAX && !cannot_be_broken(file, line) {
                findings.push(file.at(index + 1, format!("{len} characters, at most {LINE_MAX}")));
            }
        }
    }
    findings
}

/// Files that are too long for what they are.
pub(crate) fn long_files(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &repo.files {
        let lines = file.text.lines().count();
        if let Some(max) = file_max(file).filter(|&max| lines > max) {
            findings.push(file.whole(format!("{lines} lines, at most {max}: divide it by duty")));
        }
    }
    findings
}

/// Functions over 70 lines.
pub(crate) fn long_functions(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.ending(".rs") {
        for function in source::functions(&source::code(&file.text)) {
            let lines = function.last_line - function.first_line + 1;
            if lines > FUNCTION_MAX {
                let text = format!("{} has {lines} lines, at most {FUNCTION_MAX}", function.name);
                findings.push(file.at(function.first_line, text));
            }
        }
    }
    findings
}

/// What TOML cannot fold, mistakes made on purpose, and what the compiler says about them.
fn has_free_lines(file: &File) -> bool {
    file.path.ends_with(".toml") || file.path.starts_with("tests/ui/")
        // Drawn by a program, for programs.
        || file.path.ends_with(".svg")
}

/// A closure's bars stand at the start of a line only where rustfmt has put them, which breaks it.
fn cannot_be_broken(file: &File, line: &str) -> bool {
    let text = line.trim_start().trim_start_matches(['/', '!', ' ']);
    text.starts_with('|') && !file.is_lua() || line.contains("https://")
}

/// `examples/x/…` is a program of several files, which shows how mq looks in earnest.
fn is_application(file: &File) -> bool {
    file.path.matches('/').count() > 1
}

fn file_max(file: &File) -> Option<usize> {
    if file.is_lua() {
        let is_library = file.path.contains("/lib/");
        return Some(if is_library { LUA_LIBRARY_MAX } else { LUA_OPERATION_MAX });
    }
    match file.is_rust() {
        false => None,
        true if file.is_example() && !is_application(file) => Some(EXAMPLE_MAX),
        true if file.is_test() => Some(TEST_FILE_MAX),
        true => Some(FILE_MAX),
    }
}
