//! What the checks say of a scene.

use std::path::PathBuf;

use mq_testkit::{Entry, Final, Rules, Verdict, check};

use crate::scene::Scene;

/// The variable with a folder in which reports of failed runs are left.
pub const REPORTS: &str = "MQ_REPORTS";

impl Scene {
    /// What all checks say of the history and of what the store has now.
    pub async fn verdict(&self, rules: &Rules) -> Verdict {
        self.verdict_on(&self.entries(), rules).await
    }

    async fn verdict_on(&self, entries: &[Entry], rules: &Rules) -> Verdict {
        let end = Final::of(&self.client).await;
        let end = end.unwrap_or_else(|error| panic!("no listing: {error}"));
        check(entries, &end, rules)
    }

    /// The same, which must be that nothing is wrong. `replay` is the command that does it again.
    ///
    /// # Panics
    /// When something is wrong; a report is left in the folder that [`REPORTS`] names.
    pub async fn assert_clean(&self, rules: &Rules, replay: &str) -> Verdict {
        self.clean(&self.entries(), rules, replay).await
    }

    /// The same of a history that was read before.
    pub(crate) async fn clean(&self, entries: &[Entry], rules: &Rules, replay: &str) -> Verdict {
        let verdict = self.verdict_on(entries, rules).await.replayed_by(replay);
        if !verdict.is_clean() {
            self.leave_report(entries, &verdict);
        }
        verdict.assert_clean();
        verdict
    }

    fn leave_report(&self, entries: &[Entry], verdict: &Verdict) {
        let Ok(folder) = std::env::var(REPORTS) else { return };
        let folder = PathBuf::from(folder).join(format!("run-{}", std::process::id()));
        let written = verdict.write_report(&folder, entries);
        written.unwrap_or_else(|error| panic!("no report in {folder:?}: {error}"));
        let kept = std::fs::copy(self.history(), folder.join("history"));
        kept.unwrap_or_else(|error| panic!("no history in {folder:?}: {error}"));
        eprintln!("the report is in {}", folder.display());
    }
}
