//! Lines 9, 16, 30, 31 and 32: what can be seen in the sources and in the lock file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder, with their paths from the root.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.ends_with(ending) {
                let text = read(&path);
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "no {ending} in {folder}");
    found
}

/// The crates that users run.
const PRODUCTS: [&str; 6] =
    ["src", "mq-core/src", "mq-worker/src", "mq-redis/src", "mq-sqlite/src", "mq-cli/src"];

fn products() -> impl Iterator<Item = (String, String)> {
    PRODUCTS.into_iter().flat_map(|folder| files(folder, ".rs"))
}

/// Without what follows `#[cfg(test)]`, and without comments.
fn code(text: &str) -> String {
    let product = text.split("\n#[cfg(test)]").next().unwrap_or(text);
    let lines = product.lines().map(|line| match line.find("//") {
        Some(at) if !line[..at].ends_with(':') => &line[..at],
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The names of the packages that a user's build with all features links, by the lock file.
fn linked() -> BTreeSet<String> {
    let lock = read("Cargo.lock");
    let mut packages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in lock.split("[[package]]").skip(1) {
        let field = |name: &str| {
            let line = entry.lines().find_map(|line| line.strip_prefix(&format!("{name} = \"")));
            line.map(|rest| rest.trim_end_matches('"').to_owned())
        };
        let (_, list) = entry.split_once("dependencies = [").unwrap_or(("", ""));
        let list = list.split(']').next().unwrap_or("");
        let names = list.lines().filter_map(|line| line.trim().strip_prefix('"'));
        let names = names.filter_map(|line| line.split([' ', '"']).next()).map(str::to_owned);
        packages.entry(field("name").unwrap()).or_default().extend(names);
    }
    // The lock file does not tell what is for tests only, the manifests do.
    for (name, folder) in [
        ("mq", "."),
        ("mq-core", "mq-core"),
        ("mq-macros", "mq-macros"),
        ("mq-worker", "mq-worker"),
        ("mq-redis", "mq-redis"),
        ("mq-sqlite", "mq-sqlite"),
        ("mq-seal", "mq-seal"),
        ("mq-cli", "mq-cli"),
    ] {
        let manifest = read(&format!("{folder}/Cargo.toml"));
        let mut section = "";
        let mut real = BTreeSet::new();
        for line in manifest.lines() {
            match line.strip_prefix('[') {
                Some(head) => section = head,
                None if section == "dependencies]" || section.ends_with("'.dependencies]") => {
                    real.extend(line.split(['.', ' ', '=']).next());
                }
                None => {}
            }
        }
        packages.get_mut(name).unwrap().retain(|dependency| real.contains(dependency.as_str()));
    }
    let (mut linked, mut open) = (BTreeSet::new(), vec!["mq".to_owned(), "mq-cli".to_owned()]);
    while let Some(name) = open.pop() {
        if linked.insert(name.clone()) {
            open.extend(packages.get(&name).cloned().unwrap_or_default());
        }
    }
    linked
}

/// Decoders that are told by the data what to make of it, or take it on trust, and what loads code;
/// and clients of HTTP: mq calls nobody, so nobody's address can be put into its mouth.
const BANNED: &[&str] = &[
    "bincode",
    "bincode2",
    "serde-pickle",
    "serde_pickle",
    "serde_yaml",
    "serde_yml",
    "serde_yaml_ng",
    "yaml-rust",
    "yaml-rust2",
    "typetag",
    "erased-serde",
    "libloading",
    "dlopen",
    "dlopen2",
    "mlua",
    "wasmtime",
    "reqwest",
    "ureq",
    "isahc",
    "curl",
    "attohttpc",
];

#[test]
fn nothing_that_runs_or_fetches_what_data_names_is_linked() {
    let linked = linked();
    for expected in ["serde_json", "redis", "rusqlite", "rustls", "tokio", "clap"] {
        assert!(linked.contains(expected), "the lock file is read rightly: {linked:?}");
    }
    assert!(!linked.contains("proptest") && !linked.contains("trybuild"), "{linked:?}");
    let deny = read("deny.toml");
    for banned in BANNED {
        assert!(!linked.contains(*banned), "{banned} is linked");
        let refused = format!("crate = \"{banned}\"");
        assert!(deny.contains(&refused), "deny.toml does not refuse {banned}");
    }
}

/// `Any` is for the states that a worker was built with; no type is made of what a store says.
#[test]
fn a_job_becomes_the_type_that_its_kind_was_registered_with_and_no_other() {
    const HOMES: [&str; 5] = [
        "mq-core/src/handler.rs",
        "mq-core/src/middleware.rs",
        "mq-core/src/registry.rs",
        "mq-worker/src/handlers.rs",
        "mq-worker/src/panic.rs",
    ];
    for (path, text) in products() {
        let uses = code(&text).contains("any::{Any") || code(&text).contains("any::Any");
        assert!(!uses || HOMES.contains(&path.as_str()), "{path} uses Any");
    }
    let handler = code(&read("mq-core/src/handler.rs"));
    assert_eq!(handler.matches("serde_json::from_slice(payload)").count(), 1, "the one decoder");
}

#[test]
fn scripts_are_constants_and_their_language_cannot_make_more() {
    // Planted mistakes are for tests and do not compile into a release.
    let shipped = files("mq-redis/src", ".rs").into_iter();
    for (path, text) in shipped.filter(|(path, _)| !path.ends_with("/mutants.rs")) {
        let code = code(&text);
        for command in ["\"EVAL\"", "\"EVAL_RO\"", "\"FUNCTION\"", "\"FCALL\"", ".eval("] {
            assert!(!code.contains(command), "{path} sends {command}");
        }
        let is_home = path.ends_with("/script.rs");
        assert!(is_home || !code.contains("Script::new("), "{path} makes a script");
        assert!(is_home || !code.contains("original:"), "{path} makes a script");
        for line in code.lines().filter(|line| line.contains("\"LOAD\"")) {
            assert!(line.contains(".arg(script.source())"), "{path}: {line}");
        }
    }
    // Of the text that the server gets, nothing comes from elsewhere than from these files.
    let home = read("mq-redis/src/script.rs");
    let (_, source) = home.split_once("original: concat!(").unwrap();
    let source = source.split("\n            ),").next().unwrap();
    assert_eq!(source.matches("include_str!").count(), 2, "{source}");
    assert!(!code(&home).contains("format!"), "no text is put together");
    for (path, text) in files("mq-redis/src/lua", ".lua") {
        let lines = text.lines().map(|line| line.split("--").next().unwrap_or(""));
        let code = lines.collect::<Vec<_>>().join("\n");
        for word in ["load(", "loadstring", "dofile", "cjson", "cmsgpack", "setfenv", "_G"] {
            assert!(!code.contains(word), "{path} has {word}");
        }
    }
}

#[test]
fn statements_of_sqlite_are_constants_too() {
    for (path, text) in files("mq-sqlite/src", ".rs") {
        let code = code(&text);
        for line in code.lines().filter(|line| line.contains("format!(\"")) {
            let upper = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "PRAGMA ", "ATTACH "];
            assert!(!upper.iter().any(|word| line.contains(word)), "{path}: {line}");
        }
        assert!(!code.contains("load_extension"), "{path}");
    }
}

#[test]
fn no_file_has_a_fixed_name_in_a_place_that_all_users_share() {
    for (path, text) in products() {
        for place in ["/tmp", "temp_dir(", "/var/run", "/var/lock", "/dev/shm", ".pid\""] {
            assert!(!code(&text).contains(place), "{path} has {place}");
        }
    }
}

/// Everything that reads what others wrote; clippy refuses what can panic there.
const DECODERS: &[&str] = &[
    "mq-core/src/record.rs",
    "mq-core/src/history.rs",
    "mq-core/src/text22.rs",
    "mq-core/src/id.rs",
    "mq-core/src/name.rs",
    "mq-core/src/handler.rs",
    "mq-core/src/admin/info.rs",
    "mq-worker/src/execute.rs",
    "mq-redis/src/reply.rs",
    "mq-redis/src/url.rs",
    "mq-redis/src/ops/answer.rs",
    "mq-redis/src/ops/claim.rs",
    "mq-redis/src/ops/list.rs",
    "mq-redis/src/ops/reap.rs",
    "mq-sqlite/src/jobs.rs",
    "mq-sqlite/src/url.rs",
    "mq-sqlite/src/ops/claim.rs",
    "mq-sqlite/src/ops/get.rs",
    "mq-sqlite/src/ops/list.rs",
];

#[test]
fn decoders_have_nothing_that_can_panic() {
    const LINTS: &str =
        "#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]";
    for path in DECODERS {
        assert!(read(path).contains(LINTS), "{path} lacks {LINTS}");
    }
    for (path, text) in products() {
        let decodes = ["Record::decode(", "History::decode(", "fn decode(", "fn parse("];
        let is_home = path.starts_with("mq-core/src/") || path.starts_with("mq-worker/src/execute");
        let defines = decodes[2..].iter().any(|word| code(&text).contains(word));
        assert!(!(is_home && defines) || DECODERS.contains(&path.as_str()), "{path} decodes");
    }
}

#[test]
fn there_is_no_unsafe_code() {
    let manifest = read("Cargo.toml");
    assert!(manifest.contains("\nunsafe_code = \"deny\""), "the workspace denies it");
    for folder in PRODUCTS {
        let path = match folder.strip_suffix("/src") {
            Some(folder) => format!("{folder}/Cargo.toml"),
            None => "Cargo.toml".to_owned(),
        };
        assert!(read(&path).contains("[lints]\nworkspace = true"), "{path} inherits the lints");
    }
    for (path, text) in products().chain(files("mq-macros/src", ".rs")) {
        for word in ["unsafe {", "unsafe impl", "unsafe extern", "(unsafe_code"] {
            assert!(!code(&text).contains(word), "{path} has `{word}`");
        }
    }
}
