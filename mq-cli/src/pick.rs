//! Which jobs: the arguments that several commands share.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use mq::admin::Filter;
use mq::{JobId, ParseIdError, Priority, State};

/// What narrows a state down. Everything that is given must hold.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Narrow {
    /// Only of this queue.
    #[arg(long)]
    pub(crate) queue: Option<String>,
    /// Only of this kind.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Only with this tag.
    #[arg(long)]
    pub(crate) tag: Option<String>,
    /// Only those whose latest error contains this text.
    #[arg(long, value_name = "TEXT")]
    pub(crate) error: Option<String>,
}

impl Narrow {
    pub(crate) fn filter(&self, state: State) -> Filter {
        let mut filter = Filter::state(state);
        if let Some(queue) = &self.queue {
            filter = filter.queue(queue);
        }
        if let Some(kind) = &self.kind {
            filter = filter.kind(kind);
        }
        if let Some(tag) = &self.tag {
            filter = filter.tag(tag);
        }
        if let Some(error) = &self.error {
            filter = filter.error(error);
        }
        filter
    }

    /// The arguments again, for a command line that goes on.
    pub(crate) fn options(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("--queue", &self.queue),
            ("--kind", &self.kind),
            ("--tag", &self.tag),
            ("--error", &self.error),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

/// Jobs by id, or all that match.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Which {
    /// The jobs.
    #[arg(value_name = "ID", value_parser = id, required_unless_present = "all_matching")]
    #[arg(conflicts_with_all = ["queue", "kind", "tag", "error"])]
    pub(crate) ids: Vec<JobId>,
    /// All jobs of a state that match, as they are when this starts.
    #[arg(long, requires = "state", conflicts_with = "ids")]
    pub(crate) all_matching: bool,
    /// The state, with --all-matching.
    #[arg(long, value_parser = state(), requires = "all_matching")]
    pub(crate) state: Option<State>,
    #[command(flatten)]
    pub(crate) narrow: Narrow,
}

impl Which {
    /// What must hold if it is not about single jobs.
    pub(crate) fn matching(&self) -> Option<(State, Filter)> {
        let state = self.state.filter(|_| self.all_matching)?;
        Some((state, self.narrow.filter(state)))
    }
}

pub(crate) fn id(text: &str) -> Result<JobId, ParseIdError> {
    text.parse()
}

pub(crate) fn state() -> impl TypedValueParser<Value = State> {
    let words = PossibleValuesParser::new(State::ALL.map(State::as_str));
    words.try_map(|word| {
        let state = State::ALL.into_iter().find(|state| state.as_str() == word);
        state.ok_or("no such state")
    })
}

pub(crate) fn priority() -> impl TypedValueParser<Value = Priority> {
    PossibleValuesParser::new(Priority::ALL.map(priority_word)).try_map(|word| {
        let priority = Priority::ALL.into_iter().find(|priority| priority_word(*priority) == word);
        priority.ok_or("no such priority")
    })
}

pub(crate) fn priority_word(priority: Priority) -> &'static str {
    match priority {
        Priority::High => "high",
        Priority::Normal => "normal",
        Priority::Low => "low",
    }
}
