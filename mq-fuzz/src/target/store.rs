//! A file with a job in every place, and everything that can be asked of it. Shared by the targets
//! that change the file first.

use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use mq_core::engine::{
    About, Beat, BeatReply, ClaimRequest, Claimed, Engine, EngineError, Finish, Finished,
    ListRequest, NewJob, Pace, PruneLimits, QueueClaim, ReapRequest, Schedule,
};
use mq_core::lifecycle::Transition;
use mq_core::{Claim, JobId, Priority, QueueName, Record, State, WorkerId, chain_text};
use mq_sqlite::SqliteEngine;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::input::{ID, queue};
use crate::promise;

/// One job for each of these, of which the third runs. Everything in it is fixed, so that a change
/// of the file means the same in every run.
const ROWS: &str = "
    UPDATE mq_meta SET store = '0M1u9999999999999999w0', last_ms = 0, lease_ms = 0;
    INSERT INTO mq_queues (pk, name, enqueued) VALUES (1, 'q', 6), (2, 'r', 0);
    INSERT INTO mq_jobs
        (pk, queue, id, state, level, seq, at_ms, worker, number, key, history, record)
    VALUES
        (1, 1, 'A1', 0, 1, 1, NULL, NULL, NULL, 'key', NULL, x'010301016b7b7d'),
        (2, 1, 'A2', 1, 1, NULL, 1700000000000, NULL, NULL, NULL, NULL, x'010301016b7b7d'),
        (3, 1, 'A3', 2, 1, 1, NULL, 'A9', 1, NULL, NULL, x'010301016b7b7d'),
        (4, 1, 'A4', 3, 1, NULL, 9000000000000, NULL, NULL, NULL, NULL, x'010301016b7b7d'),
        (5, 1, 'A5', 4, 0, NULL, 1700000000000, NULL, NULL, NULL,
            CAST('{\"attempts\":1}' AS BLOB), x'010301016b7b7d'),
        (6, 1, 'A6', 5, 2, NULL, 9000000000000, NULL, NULL, NULL, NULL, x'010301016b7b7d');
    INSERT INTO mq_keys (queue, key, id) VALUES (1, 'key', 'A1');
    INSERT INTO mq_workers (queue, worker, until_ms, last, about) VALUES (1, 'A9', 1, 1, '{}');
    INSERT INTO mq_minutes (queue, minute, done) VALUES (1, 28333333, 7);
";

/// The id of a row, by its number.
pub(super) fn id(number: usize) -> JobId {
    text(&format!("A{number}")).parse().expect("an id of ours")
}

fn text(short: &str) -> String {
    ID[0].replace("u0", &short.replace('A', "u"))
}

/// The file's bytes.
pub(super) fn template() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let folder = folder();
        let (made, clean) = (folder.path().join("made.db"), folder.path().join("clean.db"));
        drop(runtime().block_on(SqliteEngine::connect(&url(&made))).expect("a new file"));
        let conn = Connection::open(&made).expect("it can be opened");
        let rows = (1..=9).fold(ROWS.to_owned(), |rows, number| {
            let short = format!("A{number}");
            rows.replace(&format!("'{short}'"), &format!("'{}'", text(&short)))
        });
        conn.execute_batch(&rows).expect("its rows");
        conn.execute("VACUUM INTO ?1", [clean.to_string_lossy()]).expect("a copy");
        fs::read(clean).expect("its bytes")
    })
}

/// In memory where there is such a place: nothing of it is to be kept.
pub(super) fn folder() -> TempDir {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    folder.expect("a place for files")
}

fn url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_multi_thread().enable_all().build().expect("a runtime"))
}

/// Opens a file and asks everything of it. If nothing was done to the job that is ready, nor to
/// what is about the whole queue, it must come to a worker, who ends it and is not lost meanwhile.
pub(super) fn exercise(path: &Path, is_first_whole: bool) {
    runtime().block_on(async {
        match SqliteEngine::connect(&url(path)).await {
            Ok(engine) => {
                promise::deep();
                look(&engine).await;
                let is_done = work(&engine).await;
                assert!(is_done || !is_first_whole, "a job is kept up by what was done to others");
                operate(&engine).await;
                look(&engine).await;
            }
            Err(error) => promise::message(&chain_text(&error)),
        }
    });
}

/// An answer, if there is one; a refusal is one, too.
fn heard<T: Debug>(answer: Result<T, EngineError>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(error) => {
            promise::message(&chain_text(&error));
            None
        }
    }
}

async fn look(engine: &SqliteEngine) {
    for name in heard(engine.queues().await).unwrap_or_default() {
        promise::harmless(name.as_str());
    }
    if let Some(stats) = heard(engine.stats(&queue()).await) {
        assert!(stats.all() >= stats.open());
    }
    for state in State::ALL {
        let request = ListRequest { queue: queue(), state, cursor: None, limit: 1 };
        let mut pages = 0;
        let mut next = Some(request.clone());
        // As many as there are jobs, or a cursor leads in a circle.
        while let Some(request) = next.take() {
            pages += 1;
            assert!(pages <= 12, "pages of {state} without end");
            let page = heard(engine.list(request.clone()).await).unwrap_or_default();
            assert!(page.jobs.iter().all(|job| job.state == state));
            next = page.next.map(|cursor| ListRequest { cursor: Some(cursor), ..request });
        }
    }
    heard(engine.get(&queue(), &(1..=6).map(id).collect::<Vec<_>>()).await);
    heard(engine.workers(&queue()).await);
    heard(engine.identity().await);
    heard(engine.ping().await);
    audit(engine, false).await;
}

async fn audit(engine: &SqliteEngine, repair: bool) {
    let Some(report) = heard(engine.audit(&queue(), repair).await) else { return };
    for finding in report.findings {
        promise::message(&finding.detail);
        promise::harmless(&finding.subject);
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

/// Whether the first job was done, and signs of life were accepted.
async fn work(engine: &SqliteEngine) -> bool {
    let worker: WorkerId = ID[1].parse().expect("an id of ours");
    let claim = |number| Claim { queue: queue(), worker, number };
    heard(engine.join(&queue(), worker, HOUR, &About::default()).await);
    let beat = Beat { queue: queue(), worker, lease: HOUR, about: None, names_claims: true };
    let beats = heard(engine.extend(vec![beat]).await).unwrap_or_default();
    let is_alive = matches!(beats[..], [BeatReply::Extended { .. }]);
    heard(engine.promote(&queue(), 9).await);
    // Twice: the second sweep finds who has been gone for long.
    for number in [1, 2] {
        heard(engine.reap(ReapRequest { claim: claim(number), limit: 9, lease: HOUR }).await);
    }
    let asked = vec![QueueClaim { claim: claim(3), limit: 9 }];
    let request = ClaimRequest { finishes: Vec::new(), limit: 9, queues: asked };
    let jobs = heard(engine.claim(request).await).map(|reply| reply.jobs).unwrap_or_default();
    let is_mine = |job: &Claimed| job.id == id(1);
    let first = jobs.iter().position(is_mine);
    let endings = [Transition::Done, Transition::Bury, Transition::Retry { at_ms: 1 << 52 }];
    let ends = jobs.into_iter().zip(endings.into_iter().cycle()).map(|(job, transition)| Finish {
        id: job.id,
        claim: job.claim,
        transition,
        history: None,
        had_history: false,
        priority: Priority::Normal,
        idempotency_key: Some("key".to_owned()),
        failed: true,
        run_time: HOUR,
    });
    let ended = heard(engine.finish(ends.collect()).await).unwrap_or_default();
    heard(engine.prune(&queue(), PruneLimits::default()).await);
    heard(engine.leave(&queue(), worker).await);
    is_alive && first.and_then(|at| ended.get(at)) == Some(&Finished::Applied)
}

async fn operate(engine: &SqliteEngine) {
    let (queue, other) = (queue(), QueueName::new("r").expect("a good name"));
    let ids: Vec<_> = (1..=6).map(id).collect();
    heard(engine.discard(&queue, &ids).await);
    heard(engine.retry(&queue, &ids, Some(Pace::every(HOUR))).await);
    heard(engine.run_now(&queue, &ids).await);
    heard(engine.cancel(&queue, &ids[..2]).await);
    heard(engine.transfer(&queue, &other, &ids[2..4]).await);
    audit(engine, true).await;
    heard(engine.delete(&queue, &ids[..1]).await);
    heard(engine.pause(&queue).await);
    heard(engine.resume(&queue).await);
    let job = NewJob {
        queue,
        id: id(7),
        record: Record::new("k", &b"{}"[..]).encode(),
        schedule: Schedule::After(HOUR),
        priority: Priority::High,
        idempotency_key: Some("key".to_owned()),
    };
    heard(engine.enqueue(vec![job], HOUR).await);
}
