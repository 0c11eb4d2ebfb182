//! Looks for disagreements. A job is one row, so it cannot be nowhere or in two places; what is
//! left are the tables beside it, and the file itself.

use mq_core::engine::{AuditReport, BATCH_MAX, EngineError, EngineErrorKind, Finding, FindingKind};
use mq_core::name::quoted;
use mq_core::{JobId, QueueName};

use crate::column;
use crate::error::Result;
use crate::sql;
use crate::tx::{Queue, Tx, time};

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
    foreign(tx, &queue, &mut report)?;
    orphans(tx, &queue, &mut report, repair)?;
    unleased(tx, &queue, &mut report, repair)?;
    Ok(report)
}

fn found(tx: &Tx<'_>, queue: &Queue, report: &AuditReport, sql: &str) -> Result<Vec<String>> {
    let left = BATCH_MAX.saturating_sub(report.findings.len());
    tx.rows(sql, (queue.pk, left as i64), |row| {
        let bytes = column::bytes(row, 0)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    })
}

/// Ids and places that mq does not write.
fn foreign(tx: &Tx<'_>, queue: &Queue, report: &mut AuditReport) -> Result<()> {
    for id in found(tx, queue, report, sql!("audit_foreign"))? {
        let detail = if id.parse::<JobId>().is_ok() {
            "its place is none that mq knows"
        } else {
            "its id is none of mq's"
        };
        report.findings.push(Finding::new(FindingKind::Foreign, id, detail));
    }
    Ok(())
}

/// Keys that are held by jobs that are not there.
fn orphans(tx: &Tx<'_>, queue: &Queue, report: &mut AuditReport, repair: bool) -> Result<()> {
    for key in found(tx, queue, report, sql!("audit_orphans"))? {
        if repair {
            let gone = (queue.pk, &key);
            let gone = tx.execute("DELETE FROM mq_keys WHERE queue = ?1 AND key = ?2", gone)?;
            report.repaired += gone as u64;
        }
        let detail = "a key that is held by a job that is not there";
        report.findings.push(Finding::new(FindingKind::Orphan, key, detail));
    }
    Ok(())
}

/// Jobs that are held by workers that are not registered.
fn unleased(tx: &Tx<'_>, queue: &Queue, report: &mut AuditReport, repair: bool) -> Result<()> {
    for worker in found(tx, queue, report, sql!("audit_unleased"))? {
        if repair {
            report.repaired += tx.execute(sql!("audit_register"), (queue.pk, &worker))? as u64;
        }
        let detail = "it holds jobs and is not registered";
        report.findings.push(Finding::new(FindingKind::Unleased, worker, detail));
    }
    Ok(())
}
