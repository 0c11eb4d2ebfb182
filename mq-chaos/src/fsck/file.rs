//! A file, by SQL of its own.

use std::collections::BTreeMap;
use std::path::Path;

use mq_core::State;
use rusqlite::Connection;

use super::{Dump, Seen};
use crate::file::File;

/// Questions to which any answer is wrong, each with what is to be said about it.
const NEVER: [(&str, &str); 8] = [
    ("SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'", "the file is damaged"),
    (
        "SELECT id FROM mq_jobs WHERE length(id) <> 22 OR CASE state WHEN 0 THEN seq IS NULL
         WHEN 2 THEN worker IS NULL OR number IS NULL WHEN 1 THEN at_ms IS NULL
         WHEN 3 THEN at_ms IS NULL WHEN 4 THEN at_ms IS NULL WHEN 5 THEN at_ms IS NULL ELSE 1 END",
        "this job is nowhere",
    ),
    ("SELECT id FROM mq_jobs WHERE state <> 2 AND worker IS NOT NULL", "held and not running"),
    ("SELECT id FROM mq_jobs WHERE queue NOT IN (SELECT pk FROM mq_queues)", "of no queue"),
    (
        "SELECT job.id FROM mq_jobs AS job LEFT JOIN mq_workers AS known
         ON known.queue = job.queue AND known.worker = job.worker AND known.is_revoked < 2
         WHERE job.state = 2 AND known.worker IS NULL",
        "held by a worker that is not registered",
    ),
    ("SELECT id FROM mq_jobs WHERE state >= 3 AND cancel <> 0", "to be cancelled, and has ended"),
    (
        "SELECT mq_keys.key FROM mq_keys LEFT JOIN mq_jobs AS job
         ON job.queue = mq_keys.queue AND job.id = mq_keys.id
         WHERE mq_keys.free_ms IS NULL AND job.id IS NULL",
        "this key is held by a job that is not there",
    ),
    (
        "SELECT name FROM mq_queues WHERE enqueued NOT BETWEEN 0 AND 1e18
         OR done NOT BETWEEN 0 AND 1e18 OR failed NOT BETWEEN 0 AND 1e18
         OR dead NOT BETWEEN 0 AND 1e18 OR interrupted NOT BETWEEN 0 AND 1e18",
        "a counter of this queue is none",
    ),
];

/// All tables of mq in the file of a URL.
pub(super) fn dump(url: &str) -> Dump {
    let path = url.trim_start_matches("sqlite:").split('?').next().unwrap_or_default();
    let mut dump = Dump::default();
    let file = File::at(Path::new(path));
    if !file.has_tables() {
        return dump;
    }
    let conn = file.open();
    // One snapshot for all questions.
    let begun = conn.execute_batch("BEGIN");
    begun.unwrap_or_else(|error| panic!("{error}"));
    for (question, meaning) in NEVER {
        let found = texts(&conn, question);
        dump.wrong.extend(found.iter().map(|subject| format!("{subject}: {meaning}")));
    }
    let queues = "SELECT name, enqueued, done, failed, dead, interrupted FROM mq_queues";
    let totals = |row: &rusqlite::Row<'_>| {
        let count = |at| row.get::<_, i64>(at).map_or(0, |count| count.max(0) as u64);
        Ok((row.get::<_, String>(0)?, [1, 2, 3, 4, 5].map(count)))
    };
    for (name, totals) in all(&conn, queues, totals) {
        dump.queues.insert(name, Seen { totals, ..Seen::default() });
    }
    // Those of 2 are gone, and only remembered.
    let workers = "SELECT name, worker FROM mq_workers JOIN mq_queues ON pk = queue
         WHERE is_revoked < 2";
    for (queue, worker) in all(&conn, workers, |row| Ok((text(row, 0)?, text(row, 1)?))) {
        seen(&mut dump.queues, queue).held.entry(worker).or_default();
    }
    let jobs = "SELECT name, id, state, worker FROM mq_jobs JOIN mq_queues ON mq_queues.pk = queue";
    let read = |row: &rusqlite::Row<'_>| {
        let state = row.get::<_, i64>(2).ok().and_then(|at| State::ALL.get(at as usize).copied());
        Ok((text(row, 0)?, text(row, 1)?, state, row.get::<_, Option<String>>(3)?))
    };
    for (queue, id, state, worker) in all(&conn, jobs, read) {
        let seen = seen(&mut dump.queues, queue);
        if let Some(worker) = worker {
            seen.held.entry(worker).or_default().insert(id.clone());
        }
        if let Some(state) = state {
            seen.jobs.insert(id, state);
        }
    }
    dump
}

fn seen(queues: &mut BTreeMap<String, Seen>, name: String) -> &mut Seen {
    queues.entry(name).or_default()
}

fn text(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<String> {
    row.get_ref(column).map(|value| match value {
        rusqlite::types::ValueRef::Text(bytes) | rusqlite::types::ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        other => format!("{other:?}"),
    })
}

fn texts(conn: &Connection, question: &str) -> Vec<String> {
    all(conn, question, |row| text(row, 0))
}

fn all<T>(
    conn: &Connection,
    question: &str,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Vec<T> {
    let found = conn
        .prepare(question)
        .and_then(|mut question| question.query_map([], read)?.collect::<Result<Vec<_>, _>>());
    found.unwrap_or_else(|error| panic!("{question}: {error}"))
}
