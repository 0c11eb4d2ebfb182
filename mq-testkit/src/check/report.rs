//! Where the checks put what they find.

use mq_core::JobId;

use crate::recorder::{Answer, Destination};

use super::life::{Life, Sure};
use super::verdict::{Check, Counts, EXAMPLES_MAX, Found, Verdict, Violation};
use super::world::World;

/// A verdict in the making.
pub(super) struct Report {
    start_ns: u64,
    pub(super) counts: Counts,
    violations: std::collections::BTreeMap<Check, Found>,
}

impl Report {
    pub(super) fn new(start_ns: u64) -> Self {
        Self { start_ns, counts: Counts::default(), violations: Default::default() }
    }

    /// Notes a violation. Its text is made only if it is shown: a store that does everything wrong
    /// must not fill the memory with sentences.
    pub(super) fn add(
        &mut self,
        check: Check,
        job: Option<JobId>,
        at_ns: u64,
        text: impl FnOnce() -> String,
    ) {
        let found = self.violations.entry(check).or_default();
        found.count += 1;
        if found.examples.len() < EXAMPLES_MAX {
            let at_ms = at_ns.saturating_sub(self.start_ns) as f64 / 1e6;
            found.examples.push(Violation { check, job, at_ms, text: text() });
        }
    }

    pub(super) fn rerun(&mut self, cause: String) {
        self.counts.reruns += 1;
        *self.counts.causes.entry(cause).or_default() += 1;
    }

    /// Counts what happened to a job.
    pub(super) fn count(&mut self, life: &Life<'_>) {
        let counts = &mut self.counts;
        counts.jobs += 1;
        counts.acked += u64::from(life.acked.is_some());
        counts.refused += u64::from(life.is_refused());
        counts.duplicates += u64::from(life.is_duplicate());
        counts.in_doubt += u64::from(life.acked.is_none() && life.doubts > 0);
        counts.acts += life.acts.len() as u64;
        for grant in &life.grants {
            counts.claims += 1;
            counts.starts += u64::from(grant.starts);
            for (.., answer) in grant.tells.iter().filter_map(|tell| tell.answer) {
                match answer {
                    Answer::Fenced => counts.fenced += 1,
                    Answer::Already => counts.already += 1,
                    Answer::InDoubt => counts.unanswered += 1,
                    Answer::Applied => {}
                }
            }
            let Some(end) = grant.outcome.filter(|end| end.sure != Sure::InDoubt) else { continue };
            match end.to {
                Destination::Done => counts.done += 1,
                Destination::Dead => counts.dead += 1,
                Destination::Cancelled => counts.cancelled += 1,
                Destination::Again | Destination::HandedBack => {}
            }
        }
    }

    pub(super) fn into_verdict(self, world: &World<'_>) -> Verdict {
        let Self { counts, violations, .. } = self;
        let is_torn = violations.contains_key(&Check::Phantom);
        let hints = if is_torn { world.hints() } else { Vec::new() };
        Verdict { counts, violations, hints, replay: String::new() }
    }
}
