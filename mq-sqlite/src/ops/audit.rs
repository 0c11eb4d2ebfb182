//! Looks for disagreements. A job is one row, so it cannot be in two places; what is left are rows
//! in no place at all, the tables beside, figures, and the file itself.

use mq_core::engine::{AuditReport, BATCH_MAX, EngineError, EngineErrorKind, Finding, FindingKind};
use mq_core::{History, JobId, QueueName, Record, RecordError};
use rusqlite::types::Value;

use crate::error::Result;
use crate::jobs::{DEAD, DONE, Place};
use crate::sql;
use crate::tx::{Queue, Tx, ms, time};
use mq_core::name::quoted;

/// A stored history, if there is one.
type Past = Option<Vec<u8>>;

/// Records that are read at a time.
const PAGE_LEN: i64 = 100;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A question whose answers are all wrong in the same way: what the repair names it by, and what
/// the report does.
struct Check {
    kind: FindingKind,
    find: &'static str,
    detail: &'static str,
    mend: &'static str,
}

const FORGET_KEY: &str = "DELETE FROM mq_keys WHERE queue = ?1 AND key = ?2";

/// In this order: a job of a worker that is none has been made ready before.
const CHECKS: [Check; 8] = [
    Check {
        kind: FindingKind::Orphan,
        find: sql!("audit_orphans"),
        detail: "a key that is held by a job that is not there",
        mend: FORGET_KEY,
    },
    Check {
        kind: FindingKind::Orphan,
        find: sql!("audit_strangers"),
        detail: "a key that is held by a job which has not got it",
        mend: FORGET_KEY,
    },
    Check {
        kind: FindingKind::Orphan,
        find: "SELECT pk, id FROM mq_jobs WHERE queue = ?1 AND state >= 3 AND cancel <> 0 LIMIT ?2",
        detail: "a request to cancel a job that has ended",
        mend: "UPDATE mq_jobs SET cancel = 0 WHERE queue = ?1 AND pk = ?2",
    },
    Check {
        kind: FindingKind::Garbage,
        find: sql!("audit_workers"),
        detail: "a worker that is none of mq's",
        mend: "DELETE FROM mq_workers WHERE queue = ?1 AND worker = ?2",
    },
    Check {
        kind: FindingKind::Garbage,
        find: sql!("audit_leases"),
        detail: "a worker that no sweep would find gone, or whose claims have no number",
        mend: sql!("audit_lease"),
    },
    Check {
        kind: FindingKind::Unleased,
        find: sql!("audit_unleased"),
        detail: "it holds jobs and is not registered",
        mend: sql!("audit_register"),
    },
    Check {
        kind: FindingKind::Garbage,
        find: sql!("audit_figures"),
        detail: "the figure is none",
        mend: sql!("audit_figure"),
    },
    Check {
        kind: FindingKind::Garbage,
        find: sql!("audit_minutes"),
        detail: "the figures of this minute are none",
        mend: "DELETE FROM mq_minutes WHERE queue = ?1 AND minute = ?2",
    },
];

/// See [`Engine::audit`](mq_core::engine::Engine::audit).
pub(crate) fn audit(tx: &mut Tx<'_>, name: &QueueName, repair: bool) -> Result<AuditReport> {
    let mut report = AuditReport::default();
    let check: String = tx.row("PRAGMA quick_check(1)", [], |row| row.get(0))?.unwrap_or_default();
    if check != "ok" {
        let text = format!(
            "the database file is damaged ({}): stop all programs that use it and restore a \
             copy",
            quoted(&check)
        );
        return Err(EngineError::new(EngineErrorKind::Damaged, text));
    }
    let Some(queue) = tx.queue(name)? else { return Ok(report) };
    report.jobs = time(tx.number("SELECT count(*) FROM mq_jobs WHERE queue = ?1", [queue.pk])?);
    misplaced(tx, &queue, &mut report, repair)?;
    for check in &CHECKS {
        run(tx, &queue, &mut report, check, repair)?;
    }
    unreadable(tx, &queue, &mut report, repair)?;
    Ok(report)
}

fn room(report: &AuditReport) -> i64 {
    BATCH_MAX.saturating_sub(report.findings.len()) as i64
}

fn add(report: &mut AuditReport, kind: FindingKind, subject: String, detail: &str, repair: bool) {
    report.findings.push(Finding::new(kind, subject, detail));
    report.repaired += u64::from(repair);
}

fn run(
    tx: &Tx<'_>,
    queue: &Queue,
    report: &mut AuditReport,
    check: &Check,
    repair: bool,
) -> Result<()> {
    let found: Vec<(Value, Value)> =
        tx.rows(check.find, (queue.pk, room(report)), |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (at, subject) in found {
        if repair {
            tx.execute(check.mend, (queue.pk, &at))?;
        }
        add(report, check.kind, shown(&subject), check.detail, repair);
    }
    Ok(())
}

/// A value as a report shows it.
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => text.escape_debug().to_string(),
        Value::Blob(bytes) => bytes.escape_ascii().to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Null => "nothing".to_owned(),
    }
}

/// Rows in no place that mq knows, and rows under what is no id.
fn misplaced(tx: &mut Tx<'_>, queue: &Queue, report: &mut AuditReport, repair: bool) -> Result<()> {
    let found: Vec<(i64, Vec<u8>, Option<Vec<u8>>)> =
        tx.rows(sql!("audit_foreign"), (queue.pk, room(report)), |row| {
            let history = row.get_ref(2)?.as_bytes_or_null().unwrap_or_default();
            Ok((row.get(0)?, row.get(1)?, history.map(<[u8]>::to_vec)))
        })?;
    for (pk, id, history) in found {
        let subject = id.escape_ascii().to_string();
        if JobId::parse(&id).is_ok() {
            if repair {
                put_home(tx, queue, pk, history.as_deref())?;
            }
            add(report, FindingKind::Nowhere, subject, "the job is in no state", repair);
        } else {
            if repair {
                let error = format!("the record was stored under `{subject}`");
                let adopt = (pk, JobId::new().to_string());
                tx.execute("UPDATE mq_jobs SET id = ?2 WHERE pk = ?1", adopt)?;
                bury(tx, queue, pk, history.as_deref(), &error)?;
            }
            let detail = "a job under this, which is not the id of a job";
            add(report, FindingKind::Garbage, subject, detail, repair);
        }
    }
    Ok(())
}

/// Puts a job where its history says that it ended, or makes it ready.
fn put_home(tx: &mut Tx<'_>, queue: &Queue, pk: i64, history: Option<&[u8]>) -> Result<()> {
    let past = history.map(History::decode).unwrap_or_default();
    let place = match (past.death, past.ended_ms) {
        (Some(death), _) => Place::Kept { state: DEAD, at_ms: ms(death.at_ms) },
        // How long it was to be kept is not known.
        (None, Some(ended)) => Place::Kept { state: DONE, at_ms: ms(ended).saturating_add(DAY_MS) },
        (None, None) => Place::Ready { is_front: false },
    };
    put(tx, queue, pk, place)
}

/// Puts a job somewhere, on its own level if that is one.
fn put(tx: &mut Tx<'_>, queue: &Queue, pk: i64, place: Place) -> Result<()> {
    tx.execute(sql!("audit_level"), [pk])?;
    let level = tx.number("SELECT level FROM mq_jobs WHERE pk = ?1", [pk])?;
    tx.put(queue, pk, level, place)
}

fn bury(
    tx: &mut Tx<'_>,
    queue: &Queue,
    pk: i64,
    history: Option<&[u8]>,
    error: &str,
) -> Result<()> {
    let past = history.map(History::decode).unwrap_or_default();
    let past = past.malformed(tx.now(), error).encode();
    tx.execute("UPDATE mq_jobs SET history = ?2 WHERE pk = ?1", (pk, past))?;
    tx.tally(queue).dead += 1;
    let at_ms = tx.now_ms;
    put(tx, queue, pk, Place::Kept { state: DEAD, at_ms })
}

/// Jobs that wait, and whose records no worker could decode. Those that run are about to be buried
/// by their workers.
fn unreadable(
    tx: &mut Tx<'_>,
    queue: &Queue,
    report: &mut AuditReport,
    repair: bool,
) -> Result<()> {
    let mut last = 0;
    loop {
        let page: Vec<(i64, String, Vec<u8>, Past)> =
            tx.rows(sql!("audit_records"), (queue.pk, last, PAGE_LEN), |row| {
                let history = row.get_ref(3)?.as_bytes_or_null().unwrap_or_default();
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, history.map(<[u8]>::to_vec)))
            })?;
        let Some((pk, ..)) = page.last() else { return Ok(()) };
        last = *pk;
        for (pk, id, record, history) in page {
            let Some(error) = damage(&record) else { continue };
            if room(report) == 0 {
                return Ok(());
            }
            if repair {
                bury(tx, queue, pk, history.as_deref(), &error)?;
            }
            add(report, FindingKind::Unreadable, id, &error, repair);
        }
    }
}

/// Why no worker will ever decode a record; none if one can, be it one of a newer mq.
fn damage(record: &[u8]) -> Option<String> {
    match Record::decode(record) {
        Ok(_) | Err(RecordError::Version(_) | RecordError::Feature(_)) => None,
        Err(error) => Some(error.to_string()),
    }
}
