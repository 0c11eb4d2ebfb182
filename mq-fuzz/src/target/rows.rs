//! A file of ours in which another program has written: any value in any column, of any type, for
//! SQLite's columns take them all.
//!
//! * It is opened, or refused with a message. Then every method ends with an answer, or an error
//!   that can be printed, and no thread of the engine dies.
//! * What was done to other jobs and to other tables keeps no worker from the job that is whole.
//! * Pages come to an end, sums of sizes do not overflow, and what is listed is in its state.
//!
//! An input is up to eight changes: table and column, row, and a value.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::{Target, store};
use crate::input::Source;

pub(super) const TARGET: Target = Target {
    name: "rows",
    check,
    seeds,
    words: &[
        b"\x03\x1b[2J",
        b"\x01\x0f",
        b"\x01\x0e",
        b"\x01\x0c",
        b"\x04\0\x04\xff\xfe\0{",
        b"\x00",
        b"\x02\x0f",
    ],
    slow: true,
    deep_min: 80,
};

/// Every column, with its table.
const COLUMNS: [(&str, &str); 44] = [
    ("mq_jobs", "queue"),
    ("mq_jobs", "id"),
    ("mq_jobs", "state"),
    ("mq_jobs", "level"),
    ("mq_jobs", "seq"),
    ("mq_jobs", "at_ms"),
    ("mq_jobs", "is_retry"),
    ("mq_jobs", "worker"),
    ("mq_jobs", "number"),
    ("mq_jobs", "cancel"),
    ("mq_jobs", "key"),
    ("mq_jobs", "history"),
    ("mq_jobs", "record"),
    ("mq_jobs", "pk"),
    ("mq_queues", "pk"),
    ("mq_queues", "name"),
    ("mq_queues", "paused_ms"),
    ("mq_queues", "swept_ms"),
    ("mq_queues", "grace_ms"),
    ("mq_queues", "wakes"),
    ("mq_queues", "enqueued"),
    ("mq_queues", "done"),
    ("mq_queues", "failed"),
    ("mq_queues", "dead"),
    ("mq_queues", "interrupted"),
    ("mq_workers", "queue"),
    ("mq_workers", "worker"),
    ("mq_workers", "until_ms"),
    ("mq_workers", "is_revoked"),
    ("mq_workers", "last"),
    ("mq_workers", "housekeeper"),
    ("mq_workers", "about"),
    ("mq_keys", "queue"),
    ("mq_keys", "key"),
    ("mq_keys", "id"),
    ("mq_keys", "free_ms"),
    ("mq_minutes", "queue"),
    ("mq_minutes", "minute"),
    ("mq_minutes", "done"),
    ("mq_minutes", "failed"),
    ("mq_meta", "version"),
    ("mq_meta", "last_ms"),
    ("mq_meta", "lease_ms"),
    ("mq_meta", "store"),
];

fn check(bytes: &[u8]) {
    let folder = store::folder();
    let path = folder.path().join("jobs.db");
    std::fs::write(&path, store::template()).expect("a file");
    let conn = Connection::open(&path).expect("it can be opened");
    let (mut source, mut is_first_whole) = (Source::new(bytes), true);
    for _ in 0..8 {
        if source.is_empty() {
            break;
        }
        let (table, column) = COLUMNS[source.below(COLUMNS.len())];
        let row = 1 + source.below(6);
        is_first_whole &= match table {
            "mq_jobs" => row != 1,
            table => table != "mq_meta" && table != "mq_queues",
        };
        // As bytes that are said to be a text, which may be none.
        let (value, is_cast) = value(&mut source);
        let written = if is_cast { "CAST(?1 AS TEXT)" } else { "?1" };
        let of_row = if table == "mq_jobs" { "pk = ?2" } else { "?2 = ?2" };
        let sql = format!("UPDATE OR IGNORE {table} SET {column} = {written} WHERE {of_row}");
        // Some are refused: a text as the number of a row, nothing where something must be.
        let _ = conn.execute(&sql, (value, row as i64));
    }
    drop(conn);
    store::exercise(&path, is_first_whole);
}

fn value(source: &mut Source<'_>) -> (Value, bool) {
    match source.below(6) {
        0 => (Value::Null, false),
        1 => (Value::Integer(source.signed()), false),
        2 => (Value::Real(f64::from_bits(source.number())), false),
        3 => (Value::Text(source.text()), false),
        4 => (Value::Blob(source.bytes().to_vec()), false),
        _ => (Value::Blob(source.bytes().to_vec()), true),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![Vec::new()];
    for column in 0..COLUMNS.len() as u8 {
        // Nothing; the largest number, and the smallest; a text that steers; bytes that are none.
        for value in [&[0][..], &[1, 15, 0], &[1, 13, 1], b"\x03\x04\xc6[2J", b"\x05\0\x03\xff\0{"]
        {
            let row = column % 6;
            seeds.push([&[column, row], value].concat());
        }
    }
    seeds
}
