//! The scripts against their own headers and against the list in `script.rs`.
#![expect(clippy::unwrap_used, reason = "a file of ours that cannot be read fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const OPERATION_LINES_MAX: usize = 120;
const FUNCTION_LINES_MAX: usize = 40;

/// A file under `src/lua`.
struct Lua {
    stem: String,
    text: String,
}

/// An entry of `script.rs`.
struct Entry {
    name: String,
    flags: String,
    functions: Vec<String>,
}

/// What a header says about `KEYS` or `ARGV`.
#[derive(Default)]
struct Declared {
    numbers: BTreeSet<usize>,
    /// Whether some are declared by a formula.
    has_more: bool,
}

impl Lua {
    /// The comment lines at the top.
    fn header(&self) -> Vec<&str> {
        let lines = self.text.lines().take_while(|line| line.starts_with("--"));
        lines.map(|line| line.trim_start_matches('-').trim()).collect()
    }

    /// The text without comments.
    fn code(&self) -> String {
        let lines = self.text.lines().map(|line| line.split("--").next().unwrap_or(""));
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn lua_files(folder: &str) -> Vec<Lua> {
    let mut files = Vec::new();
    for entry in fs::read_dir(src().join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "lua") {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            files.push(Lua { stem, text: fs::read_to_string(&path).unwrap() });
        }
    }
    assert!(files.len() > 5, "no scripts in {folder}");
    files.sort_by(|a, b| a.stem.cmp(&b.stem));
    files
}

/// The entries look like `NAME = "name", "flags", ["function", …];`.
fn entries() -> Vec<Entry> {
    let text = fs::read_to_string(src().join("script.rs")).unwrap();
    let list = text.split("\nscripts! {").nth(1).unwrap().split("\n}").next().unwrap();
    let mut entries = Vec::new();
    for entry in list.split(';').filter(|entry| entry.contains('"')) {
        let mut words = entry.split('"').skip(1).step_by(2).map(str::to_owned);
        let (name, flags) = (words.next().unwrap(), words.next().unwrap());
        entries.push(Entry { name, flags, functions: words.collect() });
    }
    entries
}

/// What is between the brackets after each `KEYS` or `ARGV`.
fn indices<'a>(text: &'a str, array: &str) -> Vec<&'a str> {
    let opening = format!("{array}[");
    text.split(&opening).skip(1).map(|rest| rest.split(']').next().unwrap().trim()).collect()
}

fn declared(header: &[&str], array: &str) -> Declared {
    let mut declared = Declared::default();
    for line in header.iter().filter(|line| line.starts_with(array)) {
        let index = indices(line, array)[0];
        match index.parse() {
            Ok(number) => assert!(declared.numbers.insert(number), "{line}: declared twice"),
            Err(_) => declared.has_more = true,
        }
        let meaning = line.split_once(']').map_or("", |(_, rest)| rest);
        assert!(!meaning.trim().is_empty(), "`{line}` does not say what it is");
    }
    declared
}

fn calls(code: &str, function: &str) -> bool {
    let call = format!("{function}(");
    code.match_indices(&call).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
    })
}

/// The code of an entry: its own and that of its functions.
fn joined(entry: &Entry, operations: &[Lua], functions: &[Lua]) -> String {
    let parts = entry.functions.iter().map(|name| find(functions, name).code());
    let own = find(operations, &entry.name).code();
    parts.chain([own]).collect::<Vec<_>>().join("\n")
}

fn find<'a>(files: &'a [Lua], name: &str) -> &'a Lua {
    files.iter().find(|file| file.stem == name).unwrap_or_else(|| panic!("no file {name}.lua"))
}

#[test]
fn every_file_is_listed_and_short_enough() {
    let (operations, functions, entries) = (lua_files("lua"), lua_files("lua/lib"), entries());
    for file in &operations {
        let count = entries.iter().filter(|entry| entry.name == file.stem).count();
        assert_eq!(count, 1, "{}.lua in script.rs", file.stem);
        let lines = file.text.lines().count();
        assert!(lines <= OPERATION_LINES_MAX, "{}.lua has {lines} lines", file.stem);
    }
    assert_eq!(entries.len(), operations.len());
    for file in &functions {
        let is_used = entries.iter().any(|entry| entry.functions.contains(&file.stem));
        assert!(is_used, "lib/{}.lua is used by no script", file.stem);
        let lines = file.text.lines().count();
        assert!(lines <= FUNCTION_LINES_MAX, "lib/{}.lua has {lines} lines", file.stem);
    }
    for file in operations.iter().chain(&functions) {
        let long = file.text.lines().find(|line| line.chars().count() > 100);
        assert_eq!(long, None, "{}.lua has a line of more than 100 characters", file.stem);
    }
}

#[test]
fn every_script_says_purpose_guarantee_and_reply() {
    for file in lua_files("lua") {
        let (name, header) = (&file.stem, file.header());
        let purpose = header[0].strip_prefix(&format!("{name}: "));
        assert!(purpose.is_some_and(|text| text.len() > 10), "{name}: first line is its purpose");
        for word in ["Guarantee: ", "Returns "] {
            let count = header.iter().filter(|line| line.starts_with(word)).count();
            assert_eq!(count, 1, "{name}: lines that start with `{word}`");
        }
    }
}

#[test]
fn every_key_and_argument_that_is_used_is_declared() {
    let (operations, functions) = (lua_files("lua"), lua_files("lua/lib"));
    for entry in entries() {
        let name = &entry.name;
        let header = find(&operations, name).header();
        let code = joined(&entry, &operations, &functions);
        for array in ["KEYS", "ARGV"] {
            let declared = declared(&header, array);
            let count = declared.numbers.len();
            assert_eq!(declared.numbers.last().copied().unwrap_or(0), count, "{name}: a gap");
            let mut by_number = BTreeSet::new();
            let mut by_formula = false;
            for index in indices(&code, array) {
                match index.parse::<usize>() {
                    Ok(number) => {
                        let is_known = declared.numbers.contains(&number);
                        assert!(is_known, "{name}: {array}[{number}] is used but not declared");
                        by_number.insert(number);
                    }
                    Err(_) => by_formula = true,
                }
            }
            by_formula |= code.contains(&format!("unpack({array}"));
            assert!(
                !by_formula || declared.has_more || count > 0,
                "{name}: {array} is used by a formula that the header does not declare"
            );
            if !by_formula {
                let unused: Vec<_> = declared.numbers.difference(&by_number).collect();
                let header = header.join("\n");
                let is_excused = |n: &&&usize| header.contains(&format!("{array}[{n}] unused"));
                let unused: Vec<_> = unused.iter().filter(|n| !is_excused(n)).collect();
                assert!(unused.is_empty(), "{name}: {array}{unused:?} declared but not used");
                assert!(!declared.has_more, "{name}: no formula for {array} in the code");
            }
        }
    }
}

#[test]
fn no_key_is_made_in_lua() {
    for file in lua_files("lua").iter().chain(&lua_files("lua/lib")) {
        for call in ["redis.call(", "redis.pcall(", "bulk("] {
            for rest in file.code().split(call).skip(1) {
                let key = rest.split([',', ')']).nth(1).unwrap_or("");
                assert!(!key.contains(".."), "{}.lua makes a key:{key}", file.stem);
                assert!(!key.trim().starts_with('\''), "{}.lua names a key:{key}", file.stem);
            }
        }
    }
}

#[test]
fn a_library_file_is_one_function_that_says_what_it_does() {
    for file in lua_files("lua/lib") {
        let top: Vec<_> =
            file.text.lines().filter(|line| !line.starts_with([' ', '-', 'e'])).collect();
        assert_eq!(top.len(), 1, "lib/{}.lua: one function and nothing else", file.stem);
        let start = format!("local function {}(", file.stem);
        assert!(top[0].starts_with(&start), "lib/{}.lua is not `{start}…)`", file.stem);
        assert!(!file.header().is_empty(), "lib/{}.lua does not say what it does", file.stem);
    }
}

/// A local function that is missing would be noticed only when its line is reached, in production.
#[test]
fn every_script_has_the_functions_that_it_calls_and_no_others() {
    let (operations, functions) = (lua_files("lua"), lua_files("lua/lib"));
    for entry in entries() {
        let name = &entry.name;
        let own = find(&operations, name).code();
        for function in &functions {
            let stem = &function.stem;
            let place = entry.functions.iter().position(|listed| listed == stem);
            let is_redefined = own.contains(&format!("local function {stem}("));
            let mut is_called = calls(&own, stem) && !is_redefined;
            for (at, other) in entry.functions.iter().enumerate().filter(|(_, o)| *o != stem) {
                if calls(&find(&functions, other).code(), stem) {
                    is_called = true;
                    assert!(place < Some(at), "{name}: {stem} must come before {other}");
                }
            }
            assert_eq!(place.is_some(), is_called, "{name}: {stem} listed, called");
        }
    }
}

#[test]
fn only_what_fills_the_store_is_refused_at_the_memory_limit() {
    for entry in entries() {
        let fills = matches!(entry.name.as_str(), "enqueue" | "import");
        let expected = if fills { "" } else { " flags=allow-oom" };
        assert_eq!(entry.flags, expected, "{}", entry.name);
    }
}
