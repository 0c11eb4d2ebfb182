//! The peers, and mq as one of them.

/// One line of the table: a system in one form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// As its people write it, and as `--only` has it.
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    /// Whether it runs in the form that its documents advise for speed, beside the usual one.
    pub(crate) is_tuned: bool,
    /// Jobs of a drain, for about three seconds.
    pub(crate) jobs: u64,
    /// How many drains are one measurement.
    pub(crate) times: u32,
    /// What its documents say about a worker that was killed; begins with "lost" if its job is.
    pub(crate) after_a_kill: &'static str,
}

/// A program of `benches/peers/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// `rust/src/bin/NAME.rs`.
    Rust(&'static str),
    /// `node/NAME.js`.
    Node(&'static str),
    /// `python/peer_NAME.py`, in an environment of its own with `python/NAME.txt`.
    Python(&'static str),
}

impl Program {
    /// From `benches/peers/`.
    pub(crate) fn path(self) -> String {
        match self {
            Self::Rust(name) => format!("rust/src/bin/{name}.rs"),
            Self::Node(name) => format!("node/{name}.js"),
            Self::Python(name) => format!("python/peer_{name}.py"),
        }
    }
}

impl Peer {
    /// Whether a job is gone with the worker that had it, which the name says wherever it stands.
    pub(crate) fn loses_jobs(&self) -> bool {
        self.after_a_kill.starts_with("lost")
    }
}

const fn peer(name: &'static str, program: Program, jobs: u64, after_a_kill: &'static str) -> Peer {
    Peer { name, program, is_tuned: false, jobs, times: 1, after_a_kill }
}

/// No worker of apalis-redis can fetch from a queue of about 8,000 jobs or more, so it is given
/// fewer, several times.
const APALIS: Peer = Peer {
    times: 10,
    ..peer("apalis-redis", Program::Rust("apalis"), 7_500, "after 10 heartbeats of 30 s")
};

const OXANA: Peer =
    peer("oxana", Program::Rust("oxana"), 20_000, "its process is dead after 5 s without a word");

/// In the order of the table.
pub(crate) const ALL: &[Peer] = &[
    peer("mq", Program::Rust("mq"), 1_000_000, "within 20 s"),
    APALIS,
    Peer { is_tuned: true, times: 40, ..APALIS },
    OXANA,
    Peer { is_tuned: true, ..OXANA },
    peer(
        "bullmq-official",
        Program::Rust("bullmq"),
        20_000,
        "its lock of 30 s must be over, which is looked at every 30 s",
    ),
    peer("rusty-sidekiq", Program::Rust("sidekiq"), 30_000, "lost: it leaves Redis when taken"),
    peer(
        "bullmq",
        Program::Node("bullmq"),
        20_000,
        "its lock of 30 s must be over, which is looked at every 30 s",
    ),
    peer("bee-queue", Program::Node("bee-queue"), 50_000, "after stallInterval, 5 s, and a check"),
    peer(
        "celery",
        Program::Python("celery"),
        3_000,
        "after visibility_timeout, an hour; not at all without acks_late",
    ),
    peer("rq", Program::Python("rq"), 300, "when its registry is cleaned, every 10 minutes"),
    peer(
        "dramatiq",
        Program::Python("dramatiq"),
        10_000,
        "its process is dead after 60 s without a word, which is looked at by chance",
    ),
    peer("arq", Program::Python("arq"), 3_000, "after job_timeout, 300 s, and 10 s"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    /// Files of the folders of programs that are none.
    const SHARED: [&str; 2] = ["node/peer.js", "python/peer.py"];

    fn folder() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/peers"))
    }

    #[test]
    fn every_program_is_a_peer_and_every_peer_has_its_program() {
        let mut there = BTreeSet::new();
        for (inside, end) in [("rust/src/bin", ".rs"), ("node", ".js"), ("python", ".py")] {
            for entry in fs::read_dir(folder().join(inside)).unwrap() {
                let path = format!("{inside}/{}", entry.unwrap().file_name().to_string_lossy());
                if path.ends_with(end) && !SHARED.contains(&path.as_str()) {
                    there.insert(path);
                }
            }
        }
        let listed: BTreeSet<_> = ALL.iter().map(|peer| peer.program.path()).collect();
        assert_eq!(there, listed);
    }

    #[test]
    fn the_page_has_a_row_for_every_peer_and_no_other() {
        let page = fs::read_to_string(folder().join("README.md")).unwrap();
        let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
        let rows = rows.filter(|cell| !["peer", "measure"].contains(cell) && !cell.is_empty());
        let named: BTreeSet<_> = rows.filter(|cell| !cell.starts_with('`')).collect();
        assert_eq!(named, ALL.iter().map(|peer| peer.name).collect());
    }
}
