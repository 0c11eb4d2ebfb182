//! What becomes of a job, as the real `lifecycle::decide` says it, in the few words of the model.

use mq_core::History;
use mq_core::backoff::Backoff;
use mq_core::lifecycle::{Ended, Policy, Transition, decide};
use mq_core::rng::Rng;

/// Failed attempts after which a job is dead. Two, so that both a retry and a death are in reach.
pub const MAX_ATTEMPTS: u8 = 2;
/// Interruptions after which a job is dead.
pub const POISON_LIMIT: u8 = 2;

const NOW_MS: u64 = 1_700_000_000_000;
/// More than any job of the model can have of either.
const COUNT_MAX: usize = 8;

/// How a claim on a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// The handler succeeded.
    Done,
    /// The handler failed.
    Failed,
    /// The handler was told that the job is cancelled, and stopped.
    Cancelled,
    /// The worker stops, and gives the job back.
    HandedBack,
    /// The worker does not know of the job, and gives it back.
    Unknown,
    /// Somebody took the job over from a worker that is gone.
    Interrupted,
}

/// All of them, in the order of their numbers.
pub const ENDS: [End; 6] =
    [End::Done, End::Failed, End::Cancelled, End::HandedBack, End::Unknown, End::Interrupted];

/// What a job's history says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Past {
    /// Failed attempts.
    pub attempts: u8,
    /// Deaths of workers.
    pub interruptions: u8,
}

/// Where a job goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// In the list of those that may be run.
    Ready,
    /// With those that wait for their time.
    Later,
    /// With the dead letters.
    Dead,
    /// Ended well.
    Done,
    /// Cancelled.
    Cancelled,
}

impl Place {
    /// Whether a job that is there has come to its end.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Dead | Self::Done | Self::Cancelled)
    }
}

/// What the rules say for every past and every end.
#[derive(Debug)]
pub struct Rules(Vec<(Place, Option<Past>)>);

impl Rules {
    /// Asks `decide` for all of them once.
    pub fn new() -> Self {
        let mut answers = Vec::new();
        for attempts in 0..COUNT_MAX {
            for interruptions in 0..COUNT_MAX {
                answers.extend(ENDS.map(|end| ask(attempts, interruptions, end)));
            }
        }
        Self(answers)
    }

    /// Where a job goes, and the past to be stored with it; none leaves the stored one.
    pub fn decide(&self, past: Past, end: End) -> (Place, Option<Past>) {
        let bound = |count: u8| usize::from(count).min(COUNT_MAX - 1);
        let row = bound(past.attempts) * COUNT_MAX + bound(past.interruptions);
        self.0[row * ENDS.len() + end as usize]
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self::new()
    }
}

fn ask(attempts: usize, interruptions: usize, end: End) -> (Place, Option<Past>) {
    let mut policy = Policy::DEFAULT;
    policy.max_attempts = u32::from(MAX_ATTEMPTS);
    policy.poison_limit = u32::from(POISON_LIMIT);
    policy.backoff = Backoff::DEFAULT;
    let mut history = History::default();
    history.attempts = attempts as u32;
    history.interruptions = vec![NOW_MS; interruptions];
    let ended = match end {
        End::Done => Ended::Done,
        End::Failed => Ended::Failed { error: String::new(), retry_in: None },
        End::Cancelled => Ended::Cancelled,
        End::HandedBack | End::Unknown => Ended::HandedBack,
        End::Interrupted => Ended::Interrupted,
    };
    let decision = decide(&policy, &history, &ended, NOW_MS, &mut Rng::seeded(1));
    let place = match decision.transition {
        Transition::Done | Transition::Retain { .. } => Place::Done,
        Transition::Retry { .. } | Transition::Schedule { .. } => Place::Later,
        Transition::Bury => Place::Dead,
        Transition::Cancel { .. } => Place::Cancelled,
        _ => Place::Ready,
    };
    let past = decision.history.map(|history| Past {
        attempts: history.attempts as u8,
        interruptions: history.interruptions.len() as u8,
    });
    (place, past)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_gives_what_decide_says() {
        let rules = Rules::new();
        let past = |attempts, interruptions| Past { attempts, interruptions };
        assert_eq!(rules.decide(past(1, 1), End::Done), (Place::Done, None));
        assert_eq!(rules.decide(past(0, 1), End::Failed), (Place::Later, Some(past(1, 1))));
        assert_eq!(rules.decide(past(1, 0), End::Failed), (Place::Dead, Some(past(2, 0))));
        assert_eq!(rules.decide(past(0, 0), End::Interrupted), (Place::Later, Some(past(0, 1))));
        assert_eq!(rules.decide(past(0, 1), End::Interrupted), (Place::Dead, Some(past(0, 2))));
        assert_eq!(rules.decide(past(1, 1), End::HandedBack), (Place::Ready, None));
        assert_eq!(rules.decide(past(1, 0), End::Cancelled).0, Place::Cancelled);
    }
}
