//! `mq audit`

use mq::QueueName;
use mq::engine::{AuditReport, BATCH_MAX};
use serde::Serialize;

use crate::app::App;
use crate::fail::{Exit, Fail};
use crate::out;
use crate::table::Table;
use crate::text;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Mend what disagrees, after showing it and asking. Never drops a job.
    #[arg(long)]
    repair: bool,
    /// Do not ask, nor look before.
    #[arg(long, requires = "repair")]
    yes: bool,
}

#[derive(Debug, Serialize)]
struct Audited {
    queue: QueueName,
    #[serde(flatten)]
    report: AuditReport,
}

pub(crate) async fn run(app: &App, args: &Args) -> Result<Exit, Fail> {
    if args.repair && !args.yes {
        confirm(&audit(app, false).await?)?;
    }
    let audited = audit(app, args.repair).await?;
    app.show(&audited, || as_text(&audited, args.repair))?;
    Ok(Exit::condition(audited.iter().any(|queue| is_left(&queue.report))))
}

async fn audit(app: &App, repair: bool) -> Result<Vec<Audited>, Fail> {
    let reports = app.admin.audit(repair).await?;
    Ok(reports.into_iter().map(|(queue, report)| Audited { queue, report }).collect())
}

/// Shows what would be mended, and goes on only if somebody wants that, or if nothing is wrong.
fn confirm(audited: &[Audited]) -> Result<(), Fail> {
    let found: usize = audited.iter().map(|queue| queue.report.findings.len()).sum();
    if found == 0 {
        return Ok(());
    }
    out::note(&as_text(audited, true));
    let findings = if found == 1 { "finding" } else { "findings" };
    out::agree(&format!("mend {found} {findings}?"), false)
}

/// Whether something is still wrong. A report that is full may have had no room for more.
fn is_left(report: &AuditReport) -> bool {
    let found = report.findings.len();
    found as u64 > report.repaired || found >= BATCH_MAX
}

fn as_text(audited: &[Audited], repair: bool) -> String {
    let mut queues = Table::new(&["queue", ">jobs", ">findings", ">repaired"]);
    let mut findings = Table::new(&["queue", "finding", "subject", "detail"]);
    for Audited { queue, report } in audited {
        let sizes = [report.jobs, report.findings.len() as u64, report.repaired];
        queues.row([queue.to_string()].into_iter().chain(sizes.map(|size| size.to_string())));
        for finding in &report.findings {
            // The word that JSON has for it.
            let kind = serde_json::to_value(finding.kind).unwrap_or_default();
            let kind = kind.as_str().unwrap_or_default().to_owned();
            let subject = text::shorten(&finding.subject, 60);
            findings.row([queue.to_string(), kind, subject, finding.detail.clone()]);
        }
    }
    let mut shown = queues.or("there are no queues");
    let found = findings.or("");
    if !found.is_empty() {
        shown.push_str(&format!("\n{found}"));
        if !repair {
            shown.push_str("\nmq audit --repair mends what can be mended, and drops no job");
        }
    }
    shown
}
