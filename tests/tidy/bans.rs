//! What must not be written, except where it is at home; each with what to write instead.

use super::repo::{File, Finding, Repo};
use super::source;

/// A call that has one home.
struct Ban {
    call: &'static str,
    instead: &'static str,
    applies: fn(&File) -> bool,
    /// Whether the tests inside a product file are free to use it.
    spares_tests: bool,
}

const TIME: &str = "ask mq_core::clock, the one place where time is read";
const NO_PANIC: &str = "return an error: a library that panics takes its user's process along";
const NO_IO: &str = "mq-core does no I/O and spawns nothing: it belongs into an engine or a worker";

const BANS: [Ban; 22] = [
    time("SystemTime::now"),
    time("Instant::now"),
    time("Utc::now"),
    time("Local::now"),
    // Users say `.at(Utc::now() + …)`, so examples may.
    Ban {
        call: "redis::cmd",
        instead: "add a method to Engine: only mq-redis talks to Redis",
        // Tests and benches may look at the server with their own eyes, and what is measured beside
        // mq is the same by hand.
        applies: |file| {
            !in_folder(file, "mq-redis") && !in_folder(file, "mq-bench") && !file.is_test()
        },
        spares_tests: true,
    },
    in_product(".unwrap()", NO_PANIC),
    in_product(".expect(", NO_PANIC),
    in_product("panic!(", NO_PANIC),
    in_product("todo!(", NO_PANIC),
    in_product("unimplemented!(", NO_PANIC),
    in_product("println!(", "use tracing: a library does not own its user's output"),
    in_product("eprintln!(", "use tracing: a library does not own its user's output"),
    in_product("print!(", "use tracing: a library does not own its user's output"),
    in_product("thread::sleep(", "await: it would block a thread that runs other jobs"),
    everywhere("dbg!(", "remove it"),
    everywhere("#[ignore", "assert today's wrong behaviour with a note, or fix it"),
    in_core("tokio::spawn"),
    in_core("tokio::net"),
    in_core("std::net"),
    in_core("std::fs"),
    // Fail points are told by their environment where to fail, and are not built for users.
    Ban {
        applies: |file| {
            in_folder(file, "mq-core") && !["failpoint", "mutant"].contains(&file.stem())
        },
        ..in_core("std::env")
    },
    in_core("thread::spawn"),
];

const fn everywhere(call: &'static str, instead: &'static str) -> Ban {
    Ban { call, instead, applies: |_| true, spares_tests: false }
}

/// Examples and what is compiled to see messages are our users' code, which reads any clock; so are
/// the programs of other job systems.
const fn time(call: &'static str) -> Ban {
    let applies = |file: &File| {
        !is_clock(file)
            && !file.is_example()
            && !in_folder(file, "tests/ui")
            && !in_folder(file, "benches/peers")
    };
    Ban { call, instead: TIME, applies, spares_tests: false }
}

const fn in_product(call: &'static str, instead: &'static str) -> Ban {
    Ban { call, instead, applies: File::is_product, spares_tests: true }
}

const fn in_core(call: &'static str) -> Ban {
    Ban { call, instead: NO_IO, applies: |file| in_folder(file, "mq-core"), spares_tests: true }
}

/// Calls outside their home.
pub(crate) fn banned_calls(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.ending(".rs") {
        let (all, product) = (source::code(&file.text), source::product(&file.text));
        for ban in BANS.iter().filter(|ban| (ban.applies)(file)) {
            let code = if ban.spares_tests { &product } else { &all };
            for line in source::lines_with(code, ban.call) {
                findings.push(file.at(line, format!("{} is banned: {}", ban.call, ban.instead)));
            }
        }
    }
    findings
}

/// Names of keys that are spelt out instead of made by `keys.rs`. Tests of mq-redis spell them as
/// an operator would see them, so that a key that changes its name breaks a test.
pub(crate) fn key_literals(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &repo.files {
        let code = match file.path.as_str() {
            "mq-redis/src/keys.rs" => continue,
            path if path.starts_with("mq-redis/") && file.is_test() => continue,
            // They look at a store as somebody who is not mq, or play the store themselves.
            path if path.starts_with("mq-chaos/src/fsck/") => continue,
            "mq-chaos/tests/vandal_faults.rs" | "mq-fuzz/src/target/replies/seeds.rs" => continue,
            // What they are about: rules for keys, and names of queues that look like keys.
            path if path.starts_with("tests/tidy") => continue,
            "mq-conformance/src/names.rs" => continue,
            _ if file.is_lua() => source::lua_code(&file.text),
            _ if file.is_rust() => source::without_comments(&file.text),
            _ => continue,
        };
        // Not after a slash: that is the user and password of a URL.
        let is_key = |line: &str| line.replace("/mq:{", "").contains("mq:{");
        for (index, _) in code.lines().enumerate().filter(|(_, line)| is_key(line)) {
            findings.push(file.at(index + 1, "keys are made by mq-redis/src/keys.rs only"));
        }
    }
    findings
}

/// Sleeps in tests that do not say why they prove nothing. A test that sleeps and then looks is
/// slow on every machine and wrong on a busy one; a job that takes its time is another matter, and
/// says so by `// sleep: …` in the same line or the one above. A file of fault tests, where faults
/// must last a while, says so once in its head by `//! Sleeps: …`.
pub(crate) fn sleeping_tests(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The test kit is the home of polling a condition with a deadline.
    for file in repo.ending(".rs").filter(|file| !in_folder(file, "mq-testkit")) {
        let raw: Vec<&str> = file.text.lines().collect();
        if raw.iter().any(|line| line.starts_with("//! Sleeps: ")) {
            continue;
        }
        let read = if file.is_test() { source::code } else { source::tests_only };
        let code = read(&file.text);
        for line in source::lines_with(&code, "sleep(") {
            let said = raw[line.saturating_sub(2)..line].iter().any(|l| l.contains("// sleep: "));
            if !said {
                let text = "await a signal or poll with a deadline; or say why by `// sleep: …`";
                findings.push(file.at(line, text));
            }
        }
    }
    findings
}

/// Names of keys put together inside Lua: a key that is not in KEYS breaks on a cluster.
pub(crate) fn keys_made_in_lua(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.ending(".lua") {
        for (index, line) in source::lua_code(&file.text).lines().enumerate() {
            let joined = line.match_indices("KEYS[").any(|(at, _)| {
                let after = line[at..].split_once(']').map_or("", |(_, rest)| rest);
                // With something before it, it is a message for people that names the key.
                after.trim_start().starts_with("..") && !line[..at].trim_end().ends_with("..")
            });
            if joined {
                findings.push(file.at(index + 1, "declare the key in KEYS instead of building it"));
            }
        }
    }
    findings
}

/// Lints that are switched off without a word.
pub(crate) fn unexplained_allows(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.ending(".rs") {
        let code = source::code(&file.text);
        for opening in ["allow(", "expect("] {
            for (at, _) in code.match_indices(&format!("[{opening}")) {
                let end = code[at..].find(']').map_or(code.len(), |len| at + len);
                if !code[at..end].contains("reason") {
                    let line = code[..at].matches('\n').count() + 1;
                    findings.push(file.at(line, "say why: `reason = \"…\"`"));
                }
            }
        }
    }
    findings
}

/// Notes to oneself. Work that is left belongs into an issue, a reason into a comment.
pub(crate) fn leftovers(repo: &Repo) -> Vec<Finding> {
    // In two parts each, or this file would break its own rule.
    let words = [concat!("FIX", "ME"), concat!("XX", "X"), concat!("TO", "DO")];
    let mut findings = Vec::new();
    for file in &repo.files {
        for word in words {
            for line in source::lines_with(&file.text, word) {
                findings.push(file.at(line, format!("{word}: do it, or open an issue")));
            }
        }
    }
    findings
}

fn in_folder(file: &File, folder: &str) -> bool {
    file.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn is_clock(file: &File) -> bool {
    file.path == "mq-core/src/clock.rs"
}
