//! `mq audit`

use mq::QueueName;
use mq::engine::{AuditReport, BATCH_MAX};
use serde::Serialize;

use crate::app::App;
use crate::fail::{Exit, Fail};
use crate::table::Table;
use crate::text;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Mend what disagrees. Never drops a job.
    #[arg(long)]
    repair: bool,
}

#[derive(Debug, Serialize)]
struct Audited {
    queue: QueueName,
    #[serde(flatten)]
    report: AuditReport,
}

pub(crate) async fn run(app: &App, args: &Args) -> Result<Exit, Fail> {
    let reports = app.admin.audit(args.repair).await?;
    let audited: Vec<Audited> =
        reports.into_iter().map(|(queue, report)| Audited { queue, report }).collect();
    app.show(&audited, || as_text(&audited, args.repair))?;
    Ok(Exit::condition(audited.iter().any(|queue| is_left(&queue.report))))
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
