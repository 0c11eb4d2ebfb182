//! Recomputes a queue from all its structures.
//!
//! First look: all structures are read page by page beside live traffic, and every job that does
//! not seem to be in exactly one place becomes a suspect. Second look: a script looks at each
//! suspect in all structures at once, and repairs in the same step; only what it sees counts. What
//! is not about single jobs is looked at by scripts that see both sides in one step, which is the
//! second look as well.
//!
//! Cost: some 60 bytes of this process's memory per job, and for the server one pass over every
//! structure in small pages, records included, plus one pass over the ready lists per suspect that
//! is in no other place. An idempotency key that is missing in the index is not noticed: a job that
//! was moved here while another one had its key has none by right.

mod figures;
mod garbage;
mod index;
mod keyspace;
mod records;
mod scan;
mod suspects;
mod workers;

use mq_core::QueueName;
use mq_core::engine::{AuditReport, BATCH_MAX, EngineError, Finding, FindingKind};
use redis::{Cmd, Value};

use super::answer::ask;
use super::verb::command;
use crate::engine::RedisEngine;
use crate::link::Request;

/// How much of somebody else's bytes a report shows.
const SHOWN_MAX: usize = 200;

/// See [`Engine::audit`](mq_core::engine::Engine::audit).
pub(crate) async fn audit(
    engine: &RedisEngine,
    queue: &QueueName,
    repair: bool,
) -> Result<AuditReport, EngineError> {
    let mut audit = Audit { engine, queue, repair, report: AuditReport::default() };
    let was_asleep = figures::is_asleep(&audit).await?;
    let claims = keyspace::check(&mut audit).await?;
    // With a structure that cannot be read, all its jobs would seem to be nowhere. A repair has put
    // it aside.
    if repair || !keyspace::has_wrong_type(&audit.report) {
        figures::check(&mut audit).await?;
        workers::check(&mut audit, &claims).await?;
        workers::check_receipts(&mut audit, &claims).await?;
        index::check_notes(&mut audit).await?;
        let first_look = scan::read(&mut audit, &claims).await?;
        garbage::check(&mut audit, &first_look).await?;
        suspects::check(&mut audit, &first_look).await?;
        records::check(&mut audit, &first_look).await?;
        index::check_keys(&mut audit, &first_look).await?;
        if was_asleep {
            figures::check_wake(&mut audit).await?;
        }
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
        self.report.findings.push(Finding::new(kind, shown(subject), detail));
        if self.repair && kind.is_mended() {
            self.report.repaired += 1;
        }
    }

    /// The first argument of most scripts.
    fn mend_arg(&self) -> &'static [u8] {
        if self.repair { b"1" } else { b"0" }
    }

    /// The answer to one command.
    async fn one(&self, cmd: Cmd) -> Result<Value, EngineError> {
        let mut request = Request::new();
        request.cmd(cmd);
        Ok(ask(self.engine, &request).await?.next().unwrap_or_default())
    }
}

/// Bytes as a report shows them.
fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(SHOWN_MAX)];
    let mut text = String::from_utf8_lossy(cut).escape_debug().to_string();
    if bytes.len() > SHOWN_MAX {
        text.push_str(" … (cut)");
    }
    text
}

/// One step of a walk over a hash or sorted set with its values or scores.
fn step(name: &str, key: &str, cursor: &str, count: usize) -> Cmd {
    let mut scan = command(name, key);
    scan.arg(cursor).arg("COUNT").arg(count);
    scan
}
