//! What the checks say of a scene.

use std::path::PathBuf;

use mq_core::State;
use mq_core::engine::ListRequest;
use mq_testkit::{Final, Place, Rules, Verdict, check};

use crate::scene::Scene;

/// The variable with a folder in which reports of failed runs are left.
pub const REPORTS: &str = "MQ_REPORTS";

impl Scene {
    /// What the store has now, as it says itself.
    async fn end(&self) -> Final {
        let engine = self.client.engine();
        let mut end = Final::default();
        let states = [
            State::Ready,
            State::Scheduled,
            State::Running,
            State::Done,
            State::Dead,
            State::Cancelled,
        ];
        for state in states {
            let mut cursor = None;
            loop {
                let queue = self.queue.clone();
                let request = ListRequest { queue, state, cursor, limit: 1000 };
                let page = engine.list(request).await;
                let page = page.unwrap_or_else(|error| panic!("no listing: {error}"));
                let place = |queue| Place { queue, state };
                end.api.extend(page.jobs.into_iter().map(|job| (job.id, place(job.queue))));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        let report = engine.audit(&self.queue, false).await;
        let report = report.unwrap_or_else(|error| panic!("no audit: {error}"));
        end.findings = report.findings.iter().map(|finding| format!("{finding:?}")).collect();
        end
    }

    /// What all checks say of the history and of what the store has now.
    pub async fn verdict(&self, rules: &Rules) -> Verdict {
        check(&self.entries(), &self.end().await, rules)
    }

    /// The same, which must be that nothing is wrong. `replay` is the command that does it again.
    ///
    /// # Panics
    /// When something is wrong; a report is left in the folder that [`REPORTS`] names.
    pub async fn assert_clean(&self, rules: &Rules, replay: &str) -> Verdict {
        let verdict = self.verdict(rules).await.replayed_by(replay);
        if !verdict.is_clean() {
            self.leave_report(&verdict);
        }
        verdict.assert_clean();
        verdict
    }

    fn leave_report(&self, verdict: &Verdict) {
        let Ok(folder) = std::env::var(REPORTS) else { return };
        let folder = PathBuf::from(folder).join(format!("run-{}", std::process::id()));
        let written = verdict.write_report(&folder, &self.entries());
        written.unwrap_or_else(|error| panic!("no report in {folder:?}: {error}"));
        let kept = std::fs::copy(self.history(), folder.join("history"));
        kept.unwrap_or_else(|error| panic!("no history in {folder:?}: {error}"));
        eprintln!("the report is in {}", folder.display());
    }
}
