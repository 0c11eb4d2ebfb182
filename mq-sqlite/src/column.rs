//! Reading columns. SQLite's hold values of any type, and another program may have written into the
//! file: what is not what mq writes is read as nothing. One damaged row must not keep a queue from
//! its other jobs, a worker from its heartbeat, or an operator from a look at them.

use mq_core::{JobId, WorkerId};
use rusqlite::Row;
use rusqlite::types::ValueRef;

type Read<T> = rusqlite::Result<Option<T>>;

/// A whole number.
pub(crate) fn integer(row: &Row<'_>, column: usize) -> Read<i64> {
    Ok(match row.get_ref(column)? {
        ValueRef::Integer(number) => Some(number),
        _ => None,
    })
}

/// A text.
pub(crate) fn text(row: &Row<'_>, column: usize) -> Read<String> {
    Ok(row.get_ref(column)?.as_str().ok().map(str::to_owned))
}

/// Bytes. A text has some: whoever edits a record by hand leaves one.
pub(crate) fn bytes(row: &Row<'_>, column: usize) -> Read<Vec<u8>> {
    Ok(row.get_ref(column)?.as_bytes().ok().map(<[u8]>::to_vec))
}

/// The id of a job.
pub(crate) fn id(row: &Row<'_>, column: usize) -> Read<JobId> {
    Ok(row.get_ref(column)?.as_bytes().ok().and_then(|text| JobId::parse(text).ok()))
}

/// The id of a worker.
pub(crate) fn worker(row: &Row<'_>, column: usize) -> Read<WorkerId> {
    Ok(row.get_ref(column)?.as_bytes().ok().and_then(|text| WorkerId::parse(text).ok()))
}
