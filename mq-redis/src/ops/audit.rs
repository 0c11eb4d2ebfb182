//! Recomputes a queue from all its structures.
//!
//! First look: all structures are read page by page beside live traffic, and every job that does
//! not seem to be in exactly one place becomes a suspect. Second look: a script looks at each
//! suspect in all structures at once, and repairs in the same step; only what it sees counts.
//!
//! Cost: some 50 bytes of this process's memory per job, and for the server one pass over every
//! structure in small pages, plus one pass over the ready lists per suspect that is in no other
//! place. Records are not read, so an idempotency key that is missing in the index is not noticed.

mod keyspace;
mod scan;
mod suspects;

use mq_core::QueueName;
use mq_core::engine::{AuditReport, BATCH_MAX, EngineError, Finding, FindingKind};

use crate::engine::RedisEngine;

/// See [`Engine::audit`](mq_core::engine::Engine::audit).
pub(crate) async fn audit(
    engine: &RedisEngine,
    queue: &QueueName,
    repair: bool,
) -> Result<AuditReport, EngineError> {
    let mut audit = Audit { engine, queue, repair, report: AuditReport::default() };
    let claims = keyspace::check(&mut audit).await?;
    // With a structure that cannot be read, all its jobs would seem to be nowhere.
    if !keyspace::has_wrong_type(&audit.report) {
        keyspace::check_workers(&mut audit, &claims).await?;
        keyspace::check_notes(&mut audit).await?;
        let first_look = scan::read(&mut audit, &claims).await?;
        suspects::check(&mut audit, &first_look).await?;
        keyspace::check_keys(&mut audit).await?;
    }
    Ok(audit.report)
}

/// An audit under way.
struct Audit<'a> {
    engine: &'a RedisEngine,
    queue: &'a QueueName,
    repair: bool,
    report: AuditReport,
}

impl Audit<'_> {
    /// How many findings the report still has room for. What is not in it is not repaired either:
    /// the next audit finds it.
    fn room(&self) -> usize {
        BATCH_MAX.saturating_sub(self.report.findings.len())
    }

    fn add(&mut self, kind: FindingKind, subject: &[u8], detail: impl AsRef<str>) {
        if self.room() == 0 {
            return;
        }
        let subject = String::from_utf8_lossy(subject).escape_debug().to_string();
        self.report.findings.push(Finding::new(kind, subject, detail));
        if self.repair && kind != FindingKind::Foreign {
            self.report.repaired += 1;
        }
    }
}
