//! The rules of this repository that a compiler does not know, as tests. STYLE.md says why each
//! exists. Every rule is also tried on a small repository that breaks it: a check that cannot fail
//! would be worse than none.

#[path = "tidy/acl.rs"]
mod acl;
#[path = "tidy/bans.rs"]
mod bans;
#[path = "tidy/edges.rs"]
mod edges;
#[path = "tidy/keys.rs"]
mod keys;
#[path = "tidy/lists.rs"]
mod lists;
#[path = "tidy/operations.rs"]
mod operations;
#[path = "tidy/repo.rs"]
mod repo;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/source.rs"]
mod source;

use repo::{Finding, Repo};

type Check = fn(&Repo) -> Vec<Finding>;

/// Fails with everything that breaks the rule, not only with the first.
fn keeps(check: Check) {
    let findings = check(&Repo::this());
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

fn accepts(check: Check, good: &[(&str, &str)]) {
    let findings = check(&Repo::of(good));
    assert!(findings.is_empty(), "the good sample is refused: {findings:?}");
}

fn refuses(check: Check, bad: &[(&str, &str)]) {
    assert!(!check(&Repo::of(bad)).is_empty(), "a bad sample passes: {bad:?}");
}

/// Two tests per rule: the repository keeps it, and the check can tell.
macro_rules! rule {
    ($name:ident: $check:path, good: $good:expr, bad: [$($bad:expr),+ $(,)?]) => {
        mod $name {
            use super::*;

            #[test]
            fn is_kept() {
                keeps($check);
            }

            #[test]
            fn tells_good_from_bad() {
                accepts($check, &$good);
                $(refuses($check, &$bad);)+
            }
        }
    };
}

const LONG: &str = "// 34567890123456789012345678901234567890123456789012345678901234567890\
    123456789012345678901234567890123456789\n";

fn lines(count: usize) -> String {
    "\n".repeat(count)
}

fn function(lines: usize) -> String {
    format!("fn long() {{\n{}}}\n", "    x();\n".repeat(lines - 2))
}

rule! { crates_depend_only_where_the_design_allows: edges::forbidden_edges,
    good: [
        ("mq-redis/Cargo.toml", "[package]\nname = \"mq-redis\"\n[dependencies]\nmq-core = \"1\"\n\
            [dev-dependencies]\nmq-worker = \"1\"\n"),
    ],
    bad: [
        [("w/Cargo.toml", "[package]\nname = \"mq-worker\"\n[dependencies]\nmq-redis = \"1\"\n")],
        [("e/Cargo.toml", "[package]\nname = \"mq-redis\"\n[dependencies.mq-worker]\n")],
        [("c/Cargo.toml", "[package]\nname = \"mq-core\"\n[build-dependencies]\nmq-macros = 1\n")],
        [("n/Cargo.toml", "[package]\nname = \"mq-new\"\n")],
    ]
}

rule! { lines_are_at_most_100_characters: sizes::long_lines,
    good: [("a.md", "| https table, but no breaks"), ("b.rs", "// short")],
    bad: [[("a.rs", LONG)], [("a.lua", LONG)], [("a.sql", LONG)], [("a.md", LONG)]]
}

rule! { files_are_short: sizes::long_files,
    good: [("a/src/a.rs", lines(500).as_str()), ("a/tests/a.rs", lines(800).as_str())],
    bad: [
        [("a/src/a.rs", lines(501).as_str())],
        [("a/tests/a.rs", lines(801).as_str())],
        [("examples/a.rs", lines(81).as_str())],
        [("a/src/lua/a.lua", lines(121).as_str())],
        [("a/src/lua/lib/a.lua", lines(41).as_str())],
    ]
}

rule! { functions_fit_a_screen: sizes::long_functions,
    good: [("a.rs", function(70).as_str())],
    bad: [[("a.rs", function(71).as_str())]]
}

rule! { calls_stay_at_home: bans::banned_calls,
    good: [
        ("mq-core/src/clock.rs", "fn a() { Instant::now() }"),
        ("mq-redis/src/a.rs", "/// x.unwrap()\nfn a() { redis::cmd(\".unwrap()\") }\n\
            #[cfg(test)]\nmod tests { fn a() { b.unwrap() } }"),
        ("examples/a.rs", "fn main() { println!(); Utc::now() }"),
    ],
    bad: [
        [("mq-core/src/a.rs", "fn a() { std::time::Instant::now() }")],
        [("mq-core/src/a.rs", "fn a() { tokio::spawn(b) }")],
        [("tests/a.rs", "fn a() { Utc::now() }")],
        [("mq-worker/src/a.rs", "fn a() { redis::cmd(\"GET\") }")],
        [("mq-worker/src/a.rs", "fn a() { b.unwrap() }")],
        [("mq-worker/src/a.rs", "fn a() { b\n.expect(\"\") }")],
        [("src/lib.rs", "fn a() { panic!(\"\") }")],
        [("src/lib.rs", "fn a() { println!(\"\") }")],
        [("tests/a.rs", "#[ignore = \"slow\"]\nfn a() {}")],
        [("tests/a.rs", "fn a() { dbg!(b) }")],
    ]
}

rule! { keys_are_made_in_one_place: bans::key_literals,
    good: [
        ("mq-redis/src/keys.rs", "const A: &str = \"mq:{a}:jobs\";"),
        ("mq-redis/src/a.rs", "// mq:{a}:jobs"),
        ("tests/a.rs", "const A: &str = \"redis://mq:{password}@b\";"),
    ],
    bad: [
        [("mq-redis/src/a.rs", "fn a() { format!(\"mq:{{a}}:jobs\") }")],
        [("mq-redis/src/lua/a.lua", "redis.call('DEL', 'mq:{a}:jobs')")],
    ]
}

rule! { lua_declares_its_keys: bans::keys_made_in_lua,
    good: [("a.lua", "redis.call('GET', KEYS[1], ARGV[1] .. 'x')\nreturn 'a' .. KEYS[1] .. 'b'")],
    bad: [[("a.lua", "redis.call('GET', KEYS[1] .. ':x')")]]
}

rule! { tests_do_not_sleep_and_hope: bans::sleeping_tests,
    good: [
        ("mq-worker/src/a.rs", "fn a() { tokio::time::sleep(b) }"),
        ("tests/a.rs", "// sleep: a job that takes its time\nsleep(b).await;"),
        ("mq-chaos/a.rs", "//! Sleeps: the fault must last\nfn a() { sleep(b).await }"),
    ],
    bad: [
        [("tests/a.rs", "fn a() { tokio::time::sleep(b).await }")],
        [("mq-worker/src/a.rs", "#[cfg(test)]\nmod tests { fn a() { thread::sleep(b) } }")],
        [("mq-conformance/src/a.rs", "fn a() { sleep(b).await }")],
    ]
}

rule! { lints_are_switched_off_with_a_reason: bans::unexplained_allows,
    good: [("a.rs", "#[expect(dead_code, reason = \"…\")]\nfn a() { b.expect(\"\") }")],
    bad: [[("a.rs", "#[allow(dead_code)]\nfn a() {}")], [("a.rs", "#![expect(\n  x\n)]")]]
}

rule! { nothing_is_left_over: bans::leftovers,
    good: [("a.rs", "// fixmetal")],
    bad: [
        [("a.rs", concat!("// FIX", "ME: later"))],
        [("ci", concat!("# XX", "X"))],
        [("a.md", concat!("TO", "DO"))],
    ]
}

const CONTRACT: (&str, &str) = (
    "mq-core/src/engine/mod.rs",
    "trait Engine { fn claim(&self); fn durability(&self); fn warnings(&self); \
     fn detached(&self); fn identity(&self); fn database(&self); fn ping(&self); }",
);
const CLAIM_LUA: (&str, &str) = ("mq-redis/src/lua/claim.lua", "-- claim: gives jobs");
const CLAIM_SQLITE: (&str, &str) = ("mq-sqlite/src/ops/claim.rs", "fn claim() {}");
const CLAIM_CASES: (&str, &str) = ("mq-conformance/src/claim.rs", "fn claim() {}");

rule! { every_operation_has_its_files: operations::four_files,
    good: [CONTRACT, CLAIM_LUA, CLAIM_SQLITE, CLAIM_CASES],
    bad: [
        [CONTRACT, CLAIM_LUA, CLAIM_SQLITE],
        [CONTRACT, CLAIM_LUA, CLAIM_CASES],
        [CONTRACT, CLAIM_SQLITE, CLAIM_CASES],
        [CONTRACT, CLAIM_LUA, CLAIM_SQLITE, CLAIM_CASES, ("mq-redis/src/lua/take.lua", "")],
        [CONTRACT, CLAIM_LUA, CLAIM_SQLITE, CLAIM_CASES, ("mq-conformance/src/x.rs", "")],
        [CLAIM_LUA, CLAIM_SQLITE, CLAIM_CASES],
    ]
}

const CASES: (&str, &str) =
    ("mq-conformance/src/claim.rs", "pub async fn a(f: &F) {}\nasync fn helper() {}\n");

rule! { every_case_is_in_the_suite: operations::unlisted_cases,
    good: [CASES, ("mq-conformance/src/suite.rs", "(\n    claim {\n a,\n }\n)")],
    bad: [
        [CASES, ("mq-conformance/src/suite.rs", "(\n    claim {\n ab,\n }\n    finish {\n a,\n }")],
        [CASES],
    ]
}

rule! { every_example_is_run: lists::unlisted_examples,
    good: [("ci", "examples=(\n    \"a URL\"\n    \"b\"\n)\n"), ("examples/a.rs", ""),
        ("examples/b/main.rs", ""), ("examples/b/more.rs", "")],
    bad: [
        [("ci", "examples=(\n)\n"), ("examples/a.rs", "")],
        [("ci", "examples=(\n    \"a\"\n)\n")],
        [("examples/a.rs", "")],
    ]
}

rule! { every_compile_error_is_pinned: lists::unpaired_compile_errors,
    good: [("tests/ui/fail/a.rs", ""), ("tests/ui/fail/a.stderr", ""), ("tests/ui/pass/a.rs", "")],
    bad: [[("tests/ui/fail/a.rs", "")], [("tests/ui/fail/a.stderr", "")]]
}

const VERSION: (&str, &str) = ("Cargo.toml", "[workspace.package]\nversion = \"0.2.0\"\n");

rule! { the_changelog_begins_with_this_version: lists::stale_changelog,
    good: [VERSION, ("CHANGELOG.md", "# Changelog\n\n## 0.2.0 (unreleased)\n## 0.1.0\n")],
    bad: [
        [VERSION, ("CHANGELOG.md", "## 0.1.0\n## 0.2.0\n")],
        [VERSION],
        [("CHANGELOG.md", "## 0.2.0\n")],
    ]
}

rule! { the_report_quotes_the_promise: lists::misquoted_promise,
    good: [
        ("docs/promise.md", "# P\n\n**P1 A** is\nb.\n\nother\n"),
        ("docs/reliability.md", "word\n\n**P1 A** is\nb.\n"),
    ],
    bad: [
        [
            ("docs/promise.md", "**P1 A** is\nb.\n\n**P2** c"),
            ("docs/reliability.md", "**P1 A** is\nb."),
        ],
        [("docs/promise.md", "**P1 A** is b.")],
    ]
}

rule! { every_file_is_compiled: lists::unreachable_files,
    good: [("a/src/lib.rs", "mod b;"), ("a/src/b.rs", "mod c;\nmod d;"), ("a/src/b/c.rs", ""),
        ("a/src/b/d/mod.rs", ""), ("src/lib.rs", "")],
    bad: [[("a/src/lib.rs", "// mod b;"), ("a/src/b.rs", "")], [("a/src/b/c.rs", "")]]
}

rule! { all_lua_is_used: lists::unused_lua,
    good: [
        ("mq-redis/src/script.rs", "CLAIM = \"claim\", [\"now\"];"),
        ("mq-redis/src/lua/claim.lua", ""),
        ("mq-redis/src/lua/lib/now.lua", ""),
    ],
    bad: [[("mq-redis/src/script.rs", "CLAIM = \"claim\";"), ("mq-redis/src/lua/x.lua", "")]]
}

const KEYS: (&str, &str) = (
    "mq-redis/src/keys.rs",
    "/// HASH: id to record,\n/// and more.\njobs = \"jobs\";\n/// LIST: claimed.\n\
     fn claims() { named(\"claims:\"); }\n/// Words.\nfn other() { \"other\" }\n",
);

rule! { every_key_is_documented: keys::undocumented_keys,
    good: [KEYS, ("docs/keys.md", "| key |\n| `mq:{queue}:jobs` | HASH | id to record, and more |\n\
        | `mq:{queue}:claims:…` | LIST | claimed |\n")],
    bad: [
        [KEYS, ("docs/keys.md", "| `mq:{queue}:jobs` | HASH | id to record, and more |")],
        [KEYS, ("docs/keys.md", "| `mq:{queue}:jobs` | HASH | id to record, and more |\n\
            | `mq:{queue}:claims:…` | LIST | claimed |\n| `mq:{queue}:x` | LIST | y |")],
        [KEYS],
        [("mq-redis/src/keys.rs", ""), ("docs/keys.md", "")],
    ]
}

rule! { documents_name_what_exists: lists::dead_links,
    good: [("docs/a.md", "[b](../b.md#x) [c](https://c) [d](#d)"), ("b.md", "[docs](docs)"),
        ("c.md", "`mq-a/src/b.rs` `mq-a/src/` `mq-a/src/<x>.rs` `c/d`"), ("mq-a/src/b.rs", "")],
    bad: [[("docs/a.md", "[b](b.md)"), ("b.md", "")], [("docs/a.md", "`mq-a/src/c.rs`")]]
}

rule! { the_readme_is_compiled: lists::uncompiled_readme,
    good: [("src/lib.rs", "#![doc = include_str!(\"../README.md\")]\n")],
    bad: [[("src/lib.rs", "//! Jobs.")], [("README.md", "")]]
}

rule! { witnesses_exist: lists::missing_witnesses,
    good: [("a.md", "`tests/a.rs::b` and `tests/a.rs`"), ("tests/a.rs", "fn b() {}")],
    bad: [
        [("a.md", "`tests/a.rs::b`"), ("tests/a.rs", "fn c() {} // fn b() {}")],
        [("a.md", "`tests/a.rs::b`")],
    ]
}

/// A page with all lines, of which the last is another.
fn security(last: &str) -> String {
    let lines = (1..=34).map(|number| format!("| {number} | x *Not yet* | |\n"));
    lines.chain([last.to_owned()]).collect()
}

rule! { every_line_of_the_security_checklist_is_answered: lists::unanswered_lines,
    good: [("docs/security.md", security("| 35 | x | `a.rs::b` |").as_str())],
    bad: [
        [("docs/security.md", security("| 35 | x | |").as_str())],
        [("docs/security.md", security("").as_str())],
        [("docs/security.md", security("| 1 | x | *Not yet* |").as_str())],
        [("docs/promise.md", "")],
    ]
}

const LIFE: (&str, &str) = (
    "mq-core/src/lifecycle.rs",
    "pub enum State {\n    /// X.\n    Ready,\n}\npub enum Ended {\n    Failed {\n        \
     error: String,\n    },\n}\n",
);

rule! { the_lifecycle_is_drawn: lists::undrawn_lifecycle,
    good: [LIFE, ("docs/lifecycle.md", "| ready | x |\n| x | `Failed` | y |")],
    bad: [
        [LIFE, ("docs/lifecycle.md", "| x | `Failed` | y |")],
        [LIFE, ("docs/lifecycle.md", "| ready | x |")],
        [LIFE],
        [("mq-core/src/lifecycle.rs", ""), ("docs/lifecycle.md", "")],
    ]
}

const SENDS: (&str, &str) = (
    "mq-redis/src/a.rs",
    "fn a() { redis::cmd(\"GET\") }\n#[cfg(test)]\nmod tests { fn b() { cmd(\"FLUSHALL\") } }",
);

rule! { users_of_the_store_have_the_rights_they_need: acl::wrong_rights,
    good: [SENDS, ("mq-redis/src/lua/a.lua", "redis.call('CLIENT', 'ID') -- redis.call('DEL')"),
        ("docs/operate.md", "ACL SETUSER mq on +get +client|id\n +hello\n```\n+set")],
    bad: [
        [SENDS, ("docs/operate.md", "ACL SETUSER mq on")],
        [SENDS, ("docs/operate.md", "ACL SETUSER mq on +get +set")],
        [SENDS],
    ]
}
