//! What operations cost in an SQLite file: what they append to its log.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use mq::Client;
use mq::engine::Engine;

use crate::operations::{self as of, CASES, Case, Stage};
use crate::table::Table;

const ABOUT: &str = "\
    What operations write to the log of an SQLite file, each with jobs of 100 bytes.
    Written by `MQ_BLESS=1 cargo test --test costs`.
    commits: transactions that write. pages: how many different ones they write, of 4096 bytes";

/// Without two cases: how many callers share a commit is up to the threads, and what looks after a
/// queue writes nothing if it comes in the same millisecond as what was before.
#[tokio::test]
async fn operations_cost_on_sqlite_what_is_written() {
    let mut table = Table::new("sqlite.txt", ABOUT, &["commits", "pages"]);
    let is_steady = |case: &Case| !matches!(case, Case::EnqueueByMany | Case::Tidy);
    for (name, case) in CASES.into_iter().filter(|(_, case)| is_steady(case)) {
        table.row(name, &cost(case).await, "");
    }
    table.check();
}

/// A fresh file.
struct Sqlite {
    engine: Arc<dyn Engine>,
    wal: PathBuf,
    /// Frames that were there before.
    start: Mutex<usize>,
    _folder: tempfile::TempDir,
}

async fn cost(case: Case) -> [u64; 2] {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let client = Client::connect(format!("sqlite:{}", path.display())).await.unwrap();
    let (engine, wal) = (Arc::clone(client.engine()), folder.path().join("jobs.db-wal"));
    let sqlite = Sqlite { engine, wal, start: Mutex::default(), _folder: folder };
    case.run(&sqlite).await;
    let frames = sqlite.frames();
    let new = &frames[*sqlite.start.lock().unwrap()..];
    let commits = new.iter().filter(|frame| frame.commits).count();
    let pages: BTreeSet<u32> = new.iter().map(|frame| frame.page).collect();
    [commits, pages.len()].map(|count| count as u64)
}

impl Stage for Sqlite {
    fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    async fn begin(&self) {
        // The time is in the file, too, and written if it is another one than before.
        of::later(&self.engine).await;
        *self.start.lock().unwrap() = self.frames().len();
    }
}

/// A page in the log.
struct Frame {
    page: u32,
    /// Whether it is the last one of a transaction.
    commits: bool,
}

impl Sqlite {
    /// The log as <https://sqlite.org/fileformat2.html#walformat> has it. None of these cases fills
    /// it so far that SQLite begins it anew.
    fn frames(&self) -> Vec<Frame> {
        let log = std::fs::read(&self.wal).unwrap();
        let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
        let page_size = number(8) as usize;
        let starts = (32..log.len()).step_by(24 + page_size);
        // What was left by an earlier log has other salts.
        let valid = starts.take_while(|at| log[at + 8..at + 16] == log[16..24]);
        valid.map(|at| Frame { page: number(at), commits: number(at + 4) != 0 }).collect()
    }
}
