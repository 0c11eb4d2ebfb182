//! What comes out in the end.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use mq::admin::Filter;
use mq::{Client, State};
use serde::{Deserialize, Serialize};

use crate::crawl::Stats;
use crate::jobs::{LINKS, PAGES, full_url};
use crate::results::Summary;

/// Broken links that are shown to people; all are in the JSON.
const SHOWN_MAX: usize = 40;

#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) pages: usize,
    /// Beyond `--limit`.
    pub(crate) pages_skipped: usize,
    pub(crate) links_on_pages: usize,
    /// Different targets of links, pages apart.
    pub(crate) targets: usize,
    pub(crate) seconds: f64,
    pub(crate) workers: usize,
    pub(crate) kills: u32,
    /// Jobs that mq acknowledged.
    pub(crate) jobs_enqueued: u64,
    pub(crate) jobs_done: u64,
    pub(crate) attempts_failed: u64,
    /// Jobs that worked, but not at their first attempt.
    pub(crate) jobs_retried: usize,
    /// Attempts that ended with the death of their worker.
    pub(crate) attempts_interrupted: u64,
    /// Jobs done once more, because their worker died between the work and the record of it.
    pub(crate) jobs_rerun: u32,
    /// Acknowledged jobs that nobody did and that are no dead letters: must be none.
    pub(crate) jobs_lost: i64,
    /// Disagreements that the audit of the queues found: must be none.
    pub(crate) audit_findings: Vec<String>,
    pub(crate) broken: Vec<Broken>,
    #[serde(skip)]
    summary: Summary,
}

/// A dead letter.
#[derive(Debug, Serialize)]
pub(crate) struct Broken {
    pub(crate) from: String,
    pub(crate) url: String,
    pub(crate) reason: String,
    pub(crate) error: String,
}

/// What both kinds of jobs have in their payloads.
#[derive(Deserialize)]
struct Payload {
    run: String,
    url: String,
    anchor: Option<String>,
    from: String,
}

impl Report {
    /// From the file of results and the counters of the queues.
    pub(crate) fn new(results: &Path, before: &Stats, after: &Stats) -> anyhow::Result<Self> {
        let summary = Summary::read(results)?;
        let enqueued = after.sum(|q| q.enqueued_total) - before.sum(|q| q.enqueued_total);
        let failed = after.sum(|q| q.failed_total) - before.sum(|q| q.failed_total);
        let interrupted = after.sum(|q| q.interrupted_total) - before.sum(|q| q.interrupted_total);
        Ok(Self {
            pages: summary.pages.len(),
            pages_skipped: summary.skipped.len(),
            links_on_pages: summary.links_on_pages,
            targets: summary.links.len(),
            jobs_enqueued: enqueued,
            jobs_done: after.sum(|q| q.done_total) - before.sum(|q| q.done_total),
            attempts_failed: failed,
            jobs_retried: summary.retried,
            attempts_interrupted: interrupted,
            jobs_rerun: summary.reruns(),
            summary,
            ..Self::default()
        })
    }

    /// Adds what the store knows: the dead letters of this run, and whether the books are in order.
    pub(crate) async fn ask(&mut self, mq: &Client, run: &str) -> anyhow::Result<()> {
        let mut done: HashSet<(&str, String)> = HashSet::new();
        let pages = self.summary.pages.keys().chain(self.summary.skipped.keys());
        done.extend(pages.map(|url| (PAGES, url.clone())));
        done.extend(self.summary.links.keys().map(|url| (LINKS, url.clone())));
        for queue in [PAGES, LINKS] {
            let filter = Filter::state(State::Dead).queue(queue);
            let mut cursor = None;
            loop {
                let page = mq.admin().jobs(&filter, cursor, 1000).await?;
                for job in page.jobs {
                    let Ok(payload) = serde_json::from_slice::<Payload>(&job.payload) else {
                        continue;
                    };
                    if payload.run != run {
                        continue;
                    }
                    let url = full_url(&payload.url, payload.anchor.as_deref());
                    done.insert((queue, url.clone()));
                    let error = job.last_error().unwrap_or_default().to_owned();
                    let reason = job.death_reason().map(|reason| reason.to_string());
                    let reason = reason.unwrap_or_default();
                    self.broken.push(Broken { from: payload.from, url, reason, error });
                }
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        self.broken.sort_by(|a, b| (&a.from, &a.url).cmp(&(&b.from, &b.url)));
        self.jobs_lost = self.jobs_enqueued.cast_signed() - done.len() as i64;
        for (queue, audit) in mq.admin().audit(false).await? {
            if [PAGES, LINKS].contains(&queue.as_str()) {
                let texts = audit.findings.iter().map(|f| format!("{}: {}", f.subject, f.detail));
                self.audit_findings.extend(texts);
            }
        }
        Ok(())
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.jobs_lost == 0 && self.audit_findings.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = |count: usize| grouped(count as u64);
        let jobs_per_second = (self.jobs_done as f64 / self.seconds.max(0.001)) as u64;
        writeln!(
            f,
            "\nChecked {} pages with {} links, and {} targets of links besides.",
            n(self.pages),
            n(self.links_on_pages),
            n(self.targets)
        )?;
        if self.pages_skipped > 0 {
            writeln!(f, "Left out by --limit: {} pages.", n(self.pages_skipped))?;
        }
        writeln!(
            f,
            "{} jobs in {:.1} s by {} worker processes: {} jobs/s.",
            grouped(self.jobs_done),
            self.seconds,
            self.workers,
            grouped(jobs_per_second)
        )?;
        writeln!(
            f,
            "{} attempts failed; {} jobs worked at a later attempt.",
            grouped(self.attempts_failed),
            n(self.jobs_retried)
        )?;
        if self.kills > 0 {
            writeln!(
                f,
                "{} workers were killed with SIGKILL, in the middle of {} jobs; {} of those were \
                 done already, only not yet recorded, and ran twice.",
                self.kills,
                grouped(self.attempts_interrupted),
                self.jobs_rerun
            )?;
        }
        writeln!(
            f,
            "Enqueued {}, dead letters {}, lost {}. The audit of the queues found {}.",
            grouped(self.jobs_enqueued),
            n(self.broken.len()),
            self.jobs_lost,
            if self.audit_findings.is_empty() { "nothing wrong" } else { "this:" }
        )?;
        for finding in &self.audit_findings {
            writeln!(f, "  {finding}")?;
        }
        writeln!(f, "\nBroken links: {}", n(self.broken.len()))?;
        for broken in self.broken.iter().take(SHOWN_MAX) {
            writeln!(f, "  {} [{}]", broken.error, broken.reason)?;
        }
        if self.broken.len() > SHOWN_MAX {
            writeln!(f, "  … and {} more; all with --json", n(self.broken.len() - SHOWN_MAX))?;
        }
        Ok(())
    }
}

/// 1234567 as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
