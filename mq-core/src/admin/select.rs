//! Which jobs: filters and pages.

use serde::Serialize;

use super::info::JobInfo;
use crate::engine::Cursor;
use crate::lifecycle::State;
use crate::name::QueueName;

/// Which jobs. Everything that is set must hold.
///
/// ```
/// use mq_core::State;
/// use mq_core::admin::Filter;
/// let filter = Filter::state(State::Dead).queue("mail").kind("welcome").error("timed out");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Filter {
    pub(super) state: State,
    pub(super) queue: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) tag: Option<String>,
    pub(super) error: Option<String>,
}

impl Filter {
    /// Jobs in a state, in all queues.
    pub fn state(state: State) -> Self {
        Self { state, queue: None, kind: None, tag: None, error: None }
    }

    /// Only of this queue.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Only of this kind.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Only with this tag.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// Only those whose latest error contains this text.
    pub fn error(mut self, text: impl Into<String>) -> Self {
        self.error = Some(text.into());
        self
    }

    pub(super) fn holds(&self, job: &JobInfo) -> bool {
        self.kind.as_ref().is_none_or(|kind| job.kind == *kind)
            && self.tag.as_ref().is_none_or(|tag| job.tags.contains(tag))
            && self.error.as_ref().is_none_or(|text| {
                job.last_error().is_some_and(|error| error.contains(text.as_str()))
            })
    }
}

/// A page of jobs.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct JobPage {
    /// Those that match.
    pub jobs: Vec<JobInfo>,
    /// How many were looked at for it; a filter can make this many more than match.
    pub scanned: usize,
    /// For [`Admin::jobs`](super::Admin::jobs) to go on with; none if this was the last page.
    pub next: Option<PageCursor>,
}

/// A place between two pages. Print it, pass it through a URL, hand it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct PageCursor {
    pub(super) queue: QueueName,
    pub(super) within: Option<Cursor>,
}
