//! What comes out of a check.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::{fs, io};

use mq_core::JobId;
use serde::Serialize;

use crate::recorder::Entry;
use crate::timeline;

/// How many jobs are named per check.
pub(super) const EXAMPLES_MAX: usize = 20;

/// The checks, by names that do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Check {
    /// Acknowledged, not ended, not there.
    Lost,
    /// Something happened that nothing led to.
    Phantom,
    /// Two jobs under one idempotency key, or a job named that does not have it.
    Key,
    /// A superseded claim had an effect, or a job was granted while it was held.
    Fencing,
    /// A token was granted twice.
    Token,
    /// A job ended twice, or otherwise than its handler.
    Outcome,
    /// An execution or a takeover without a cause.
    Rerun,
    /// Not first in, first out.
    Order,
    /// More executions at a time than slots.
    Limit,
    /// Granted before it was due.
    Due,
    /// Taken over too late.
    Recovery,
    /// Executed too often.
    Executions,
    /// In no place, in two, or in one that its history does not lead to.
    Place,
    /// Something was not given back.
    Resource,
}

impl Check {
    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Phantom => "phantom",
            Self::Key => "key",
            Self::Fencing => "fencing",
            Self::Token => "token",
            Self::Outcome => "outcome",
            Self::Rerun => "rerun",
            Self::Order => "order",
            Self::Limit => "limit",
            Self::Due => "due",
            Self::Recovery => "recovery",
            Self::Executions => "executions",
            Self::Place => "place",
            Self::Resource => "resource",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a history says: how much happened, and what must not have.
///
/// `Display` is for people, and `Serialize` for machines. Both name at most 20 jobs per check.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Verdict {
    /// How much happened.
    pub counts: Counts,
    /// What must not have happened, by check.
    pub violations: BTreeMap<Check, Found>,
    /// What the program under test may lack, if what it has written makes no sense.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// The command that repeats the run, if it was handed in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub replay: String,
}

/// What one check has found.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Found {
    /// How often.
    pub count: u64,
    /// The first 20.
    pub examples: Vec<Violation>,
}

/// Something that must not happen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Violation {
    /// Which check says so.
    pub check: Check,
    /// Of which job, if it is about one.
    pub job: Option<JobId>,
    /// When, in ms since the beginning of the history; 0 for what was seen after its end.
    pub at_ms: f64,
    /// What happened.
    pub text: String,
}

/// How much happened.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Jobs that anything was written about.
    pub jobs: u64,
    /// Processes that wrote.
    pub processes: u64,
    /// Jobs that the store has acknowledged.
    pub acked: u64,
    /// Jobs that it surely refused.
    pub refused: u64,
    /// Jobs in whose place it named another.
    pub duplicates: u64,
    /// Jobs whose enqueue was never answered.
    pub in_doubt: u64,
    /// Those among them that were there all the same.
    pub recovered: u64,
    /// Acknowledged jobs that are gone, as a rollback may take them below the level respected.
    pub lost_within_level: u64,
    /// Claims on jobs.
    pub claims: u64,
    /// Executions begun.
    pub starts: u64,
    /// Executions beyond the first of each job.
    pub reruns: u64,
    /// Those, by cause.
    pub causes: BTreeMap<String, u64>,
    /// Ends that were accepted: done.
    pub done: u64,
    /// Dead letters.
    pub dead: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// Jobs that waited or ran when the store was looked at.
    pub open: u64,
    /// Ends that were answered `Fenced`.
    pub fenced: u64,
    /// Ends that were answered `Already`.
    pub already: u64,
    /// Ends whose answer was lost.
    pub unanswered: u64,
    /// Operators' acts.
    pub acts: u64,
    /// Faults by kind.
    pub faults: BTreeMap<String, u64>,
    /// Jobs taken over from workers that were gone.
    pub takeovers: u64,
    /// From when it could be noticed that a worker was gone to the takeover of its job.
    pub recovery: Times,
    /// The same, to the next claim by a worker.
    pub reclaim: Times,
}

/// A distribution of times.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Times {
    /// How many there are.
    pub count: u64,
    /// The median in ms.
    pub p50_ms: f64,
    /// 99 of 100 are at most this, in ms.
    pub p99_ms: f64,
    /// The longest, in ms.
    pub max_ms: f64,
    /// How many are at most so many ms and more than half of that.
    pub histogram: BTreeMap<u64, u64>,
}

impl Times {
    /// Sums up times in ns.
    pub(super) fn of(times: &mut [u64]) -> Self {
        times.sort_unstable();
        let Some(max) = times.last() else { return Self::default() };
        let at = |share: f64| times[((times.len() - 1) as f64 * share).ceil() as usize];
        let ms = |ns: u64| ns as f64 / 1e6;
        let mut histogram = BTreeMap::new();
        for time in times.iter() {
            *histogram.entry(time.div_ceil(1_000_000).next_power_of_two()).or_default() += 1;
        }
        Self {
            count: times.len() as u64,
            p50_ms: ms(at(0.5)),
            p99_ms: ms(at(0.99)),
            max_ms: ms(*max),
            histogram,
        }
    }
}

impl Verdict {
    /// Whether nothing happened that must not.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// How often this check was violated.
    pub fn count(&self, check: Check) -> u64 {
        self.violations.get(&check).map_or(0, |found| found.count)
    }

    /// The checks that were violated.
    pub fn checks(&self) -> Vec<Check> {
        self.violations.keys().copied().collect()
    }

    /// Ends a test unless nothing happened that must not.
    ///
    /// # Panics
    /// With the verdict for people.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "the history does not keep the promise\n{self}");
    }

    /// Adds the command that repeats the run, with its seed.
    pub fn replayed_by(mut self, command: impl Into<String>) -> Self {
        self.replay = command.into();
        self
    }

    /// Writes `verdict.json`, `verdict.txt` and a [`timeline`](crate::timeline_page) for each job
    /// that is named, at most 20, as `<job>.html`, into a folder, which is made if it is not there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write_report(&self, dir: &Path, entries: &[Entry]) -> io::Result<()> {
        fs::create_dir_all(dir)?;
        fs::write(dir.join("verdict.json"), serde_json::to_vec_pretty(self)?)?;
        fs::write(dir.join("verdict.txt"), self.to_string())?;
        for job in self.jobs().into_iter().take(EXAMPLES_MAX) {
            fs::write(dir.join(format!("{job}.html")), timeline::timeline_page(entries, job))?;
        }
        Ok(())
    }

    /// The jobs that are named, each once: one of every check first, so that none is left out.
    fn jobs(&self) -> Vec<JobId> {
        let mut jobs = Vec::new();
        for rank in 0..EXAMPLES_MAX {
            for found in self.violations.values() {
                let job = found.examples.get(rank).and_then(|violation| violation.job);
                jobs.extend(job.filter(|job| !jobs.contains(job)));
            }
        }
        jobs
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        let line = |f: &mut fmt::Formatter<'_>, what: &str, parts: &[(&str, u64)]| {
            let shown = parts.iter().filter(|(_, count)| *count > 0);
            let shown: Vec<_> = shown.map(|(part, count)| format!("{count} {part}")).collect();
            if shown.is_empty() { Ok(()) } else { writeln!(f, "{what:<11}{}", shown.join(", ")) }
        };
        line(
            f,
            "jobs",
            &[
                ("in all", counts.jobs),
                ("acknowledged", counts.acked),
                ("refused", counts.refused),
                ("duplicates", counts.duplicates),
                ("in doubt", counts.in_doubt),
                ("of them found", counts.recovered),
                ("lost within their level", counts.lost_within_level),
            ],
        )?;
        line(
            f,
            "executions",
            &[
                ("claims", counts.claims),
                ("starts", counts.starts),
                ("beyond a job's first", counts.reruns),
            ],
        )?;
        by_kind(f, "  because", &counts.causes)?;
        line(
            f,
            "ends",
            &[
                ("done", counts.done),
                ("dead", counts.dead),
                ("cancelled", counts.cancelled),
                ("open", counts.open),
            ],
        )?;
        line(
            f,
            "answers",
            &[("fenced", counts.fenced), ("already", counts.already), ("lost", counts.unanswered)],
        )?;
        line(f, "operators", &[("acts", counts.acts)])?;
        by_kind(f, "faults", &counts.faults)?;
        times(f, "takeovers", &counts.recovery)?;
        times(f, "run again", &counts.reclaim)?;
        for (check, found) in &self.violations {
            writeln!(f, "VIOLATION  {check}: {}", found.count)?;
            for violation in &found.examples {
                let job = violation.job.map_or_else(|| "-".to_owned(), |job| job.to_string());
                writeln!(f, "  {:>12.3} ms  {job}  {}", violation.at_ms, violation.text)?;
            }
            if found.count > found.examples.len() as u64 {
                writeln!(f, "  and {} more", found.count - found.examples.len() as u64)?;
            }
        }
        for hint in &self.hints {
            writeln!(f, "hint       {hint}")?;
        }
        if self.is_clean() {
            writeln!(f, "clean: no violations")?;
        } else if !self.replay.is_empty() {
            writeln!(f, "again by   {}", self.replay)?;
        }
        Ok(())
    }
}

fn by_kind(f: &mut fmt::Formatter<'_>, what: &str, counts: &BTreeMap<String, u64>) -> fmt::Result {
    for (at, (kind, count)) in counts.iter().enumerate() {
        writeln!(f, "{:<11}{count} {kind}", if at == 0 { what } else { "" })?;
    }
    Ok(())
}

fn times(f: &mut fmt::Formatter<'_>, what: &str, times: &Times) -> fmt::Result {
    if times.count == 0 {
        return Ok(());
    }
    let Times { count, p50_ms, p99_ms, max_ms, histogram } = times;
    writeln!(f, "{what:<11}{count}, p50 {p50_ms:.0} ms, p99 {p99_ms:.0} ms, max {max_ms:.0} ms")?;
    let most = histogram.values().max().copied().unwrap_or(1).max(1);
    for (upto, count) in histogram {
        let bar = "#".repeat((count * 40).div_ceil(most) as usize);
        writeln!(f, "{:>15} ms {count:>8} {bar}", format!("<= {upto}"))?;
    }
    Ok(())
}
