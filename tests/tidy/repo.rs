//! The repository as data, so that a check can also be given a small bad one.

use std::fmt;
use std::fs;
use std::path::Path;

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 2] = ["target", ".git"];
/// What is read; the rest (licences, lock file) has no rules. Pictures, for the links to them.
const READ: [&str; 7] = ["rs", "lua", "sql", "md", "toml", "stderr", "svg"];
/// Scripts without an extension.
const SCRIPTS: [&str; 2] = ["ci", ".ci/run"];

/// Some files of a repository, sorted by path.
pub(crate) struct Repo {
    pub(crate) files: Vec<File>,
}

/// One text file.
pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// One breach of a rule.
#[derive(Debug)]
pub(crate) struct Finding(String);

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Repo {
    /// The repository that this test belongs to.
    pub(crate) fn this() -> Self {
        let mut files = Vec::new();
        collect(Path::new(env!("CARGO_MANIFEST_DIR")), "", &mut files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { files }
    }

    /// A made-up one.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file =
            |(path, text): &(&str, &str)| File { path: (*path).into(), text: (*text).into() };
        Self { files: files.iter().map(file).collect() }
    }

    pub(crate) fn find(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    /// All files whose path ends so.
    pub(crate) fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.path.ends_with(end))
    }
}

impl File {
    /// A breach at a line, counted from 1.
    pub(crate) fn at(&self, line: usize, text: impl fmt::Display) -> Finding {
        Finding(format!("{}:{line}: {text}", self.path))
    }

    /// A breach by the file as a whole.
    pub(crate) fn whole(&self, text: impl fmt::Display) -> Finding {
        missing(&self.path, text)
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(crate) fn is_lua(&self) -> bool {
        self.path.ends_with(".lua")
    }

    /// The name without folder and extension.
    pub(crate) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.split('.').next().unwrap_or(name)
    }

    /// Whether all of it is test code: integration tests, `tests.rs` beside the code, benches, and
    /// the crates that exist for tests. Not the engine in memory, which is as good as the others.
    pub(crate) fn is_test(&self) -> bool {
        let path = format!("/{}", self.path);
        path.contains("/tests/")
            || path.contains("/benches/")
            || path.ends_with("/tests.rs")
            || path.starts_with("/mq-testkit/") && !path.starts_with("/mq-testkit/src/memory/")
            || path.starts_with("/mq-conformance/")
            || path.starts_with("/mq-chaos/")
            || path.starts_with("/mq-fuzz/")
    }

    /// Whether it is an example, which is what users copy from.
    pub(crate) fn is_example(&self) -> bool {
        format!("/{}", self.path).contains("/examples/")
    }

    /// Whether it is part of what users run.
    pub(crate) fn is_product(&self) -> bool {
        self.is_rust() && !self.is_test() && !self.is_example()
    }
}

/// A breach by something that is not there.
pub(crate) fn missing(path: &str, text: impl fmt::Display) -> Finding {
    Finding(format!("{path}: {text}"))
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    let entries = fs::read_dir(folder).expect("the repository is readable");
    for entry in entries {
        let entry = entry.expect("the repository is readable");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.file_type().expect("the file system knows its entries").is_dir() {
            // A folder of sources may be about targets.
            if !SKIPPED.contains(&name.as_str()) || prefix.ends_with("/src/") {
                collect(&entry.path(), &format!("{path}/"), files);
            }
        } else if is_read(&path) {
            let text = fs::read_to_string(entry.path())
                .unwrap_or_else(|error| panic!("{path} is not a text file: {error}"));
            files.push(File { path, text });
        }
    }
}

fn is_read(path: &str) -> bool {
    SCRIPTS.contains(&path) || READ.iter().any(|end| path.ends_with(&format!(".{end}")))
}
