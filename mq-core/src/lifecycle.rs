//! The state machine: what becomes of a job when an attempt has ended. Pure.
//!
//! Every engine and every worker asks [`decide`]; an engine only applies the [`Transition`], so no
//! two of them can disagree about a retry.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backoff::Backoff;
use crate::history::{Death, DeathReason, History};
use crate::mutant;
use crate::rng::Rng;

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// Waits for a free worker.
    Ready,
    /// Waits for its time: enqueued with a delay, snoozed, or failed and to be retried.
    Scheduled,
    /// A worker has it.
    Running,
    /// Ended well, and kept because it has a retention.
    Done,
    /// Will not be tried again by itself.
    Dead,
    /// Cancelled before it ended, and kept because it has a retention.
    Cancelled,
}

impl State {
    /// All states, in the order of a job's life.
    pub const ALL: [Self; 6] =
        [Self::Ready, Self::Scheduled, Self::Running, Self::Done, Self::Dead, Self::Cancelled];

    /// The word for it, as the CLI, the logs and the JSON use it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The rules that hold for one job: its own options over its kind's over the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// Failed attempts after which the job is a dead letter.
    pub max_attempts: u32,
    /// The delay before each retry.
    pub backoff: Backoff,
    /// How long the job is kept after success or cancellation; none: not at all.
    pub retention: Option<Duration>,
    /// Interruptions within [`poison_window`](Self::poison_window) that make it a dead letter.
    pub poison_limit: u32,
    /// How far back interruptions count.
    pub poison_window: Duration,
}

impl Policy {
    /// What holds for a job that says nothing (DESIGN section 8).
    pub const DEFAULT: Self = Self {
        max_attempts: 25,
        backoff: Backoff::DEFAULT,
        retention: None,
        poison_limit: 3,
        poison_window: Duration::from_secs(72 * 60 * 60),
    };
}

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How a claim on a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// The handler succeeded.
    Done,
    /// The handler failed, panicked or ran out of time: try again by the rules.
    Failed {
        /// Error text, with sources.
        error: String,
        /// The handler's own choice of delay; the backoff's if none.
        retry_in: Option<Duration>,
    },
    /// The handler says that trying again cannot help.
    Discarded {
        /// Error text, with sources.
        error: String,
    },
    /// The handler wants to be called later; no attempt is burnt.
    Snoozed {
        /// How much later.
        delay: Duration,
    },
    /// The payload cannot be decoded, or its seal does not fit.
    Malformed {
        /// The decoder's words.
        error: String,
    },
    /// This worker has no handler for the kind, or not the key to open it; perhaps another one has.
    /// No attempt is burnt.
    UnknownKind,
    /// An operator cancelled it while it ran, and the handler has stopped.
    Cancelled,
    /// The worker stops and gives the job back; no attempt is burnt.
    HandedBack,
    /// The worker that ran it is gone.
    Interrupted,
}

/// What an engine is told to do with a claimed job. All times are absolute: ms since 1970 on the
/// server's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transition {
    /// Remove it: it ended well.
    Done,
    /// It ended well; keep it until then.
    Retain {
        /// When it may be removed.
        until_ms: u64,
    },
    /// Put it with the retries.
    Retry {
        /// When it is due.
        at_ms: u64,
    },
    /// Put it with the scheduled jobs.
    Schedule {
        /// When it is due.
        at_ms: u64,
    },
    /// Put it at the front of its ready list.
    Release,
    /// Put it with the dead letters.
    Bury,
    /// Remove it, or keep it until then: it was cancelled.
    Cancel {
        /// When it may be removed, if it is kept at all.
        until_ms: Option<u64>,
    },
}

/// A transition and the past that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Where the job goes.
    pub transition: Transition,
    /// The history to store; none if the stored one stays as it is.
    pub history: Option<History>,
}

/// How long a worker that lacks a kind leaves the job alone.
pub const UNKNOWN_KIND_DELAY: Duration = Duration::from_secs(15);

/// Interrupted jobs come back spread over this time, so that one which kills workers does not take
/// the same neighbours down with it again: at the front of the queue, all that were in flight
/// together would be claimed together and blamed together. Short enough for the recovery bound
/// of P7 (15 s lease, 2 s sweep, 1 s spread).
pub const INTERRUPTION_SPREAD: Duration = Duration::from_secs(1);

/// Decides what becomes of a job whose claim has ended.
///
/// `now_ms` is the server's time. The result depends on nothing but the arguments.
pub fn decide(
    policy: &Policy,
    history: &History,
    ended: &Ended,
    now_ms: u64,
    rng: &mut Rng,
) -> Decision {
    let mut past = history.clone();
    let transition = match ended {
        Ended::Done => return done(policy, past, now_ms),
        Ended::HandedBack => return Decision { transition: Transition::Release, history: None },
        Ended::UnknownKind => {
            // No trace in the history: a rolling deploy would fill every job with it.
            let at_ms = later(now_ms, UNKNOWN_KIND_DELAY);
            return Decision { transition: Transition::Schedule { at_ms }, history: None };
        }
        Ended::Snoozed { delay } => {
            past.snoozes = past.snoozes.saturating_add(1);
            Transition::Schedule { at_ms: later(now_ms, *delay) }
        }
        Ended::Cancelled => {
            past.ended_ms = Some(now_ms);
            Transition::Cancel { until_ms: policy.retention.map(|keep| later(now_ms, keep)) }
        }
        Ended::Failed { error, retry_in } => {
            past.attempts = past.next_attempt();
            past.push_error(now_ms, error);
            if past.attempts >= policy.max_attempts {
                bury(&mut past, DeathReason::Exhausted, now_ms)
            } else {
                let delay = retry_in.unwrap_or_else(|| policy.backoff.delay(past.attempts, rng));
                Transition::Retry { at_ms: later(now_ms, delay) }
            }
        }
        Ended::Discarded { error } => {
            past.attempts = past.next_attempt();
            past.push_error(now_ms, error);
            bury(&mut past, DeathReason::Discarded, now_ms)
        }
        Ended::Malformed { error } => {
            past.push_error(now_ms, error);
            bury(&mut past, DeathReason::Malformed, now_ms)
        }
        Ended::Interrupted => interrupted(policy, &mut past, now_ms, rng),
    };
    Decision { transition, history: Some(past) }
}

fn done(policy: &Policy, mut past: History, now_ms: u64) -> Decision {
    match policy.retention {
        None => Decision { transition: Transition::Done, history: None },
        Some(keep) => {
            past.attempts = past.next_attempt();
            past.ended_ms = Some(now_ms);
            let until_ms = later(now_ms, keep);
            Decision { transition: Transition::Retain { until_ms }, history: Some(past) }
        }
    }
}

/// An interruption is not the job's failure, so it costs no attempt; but it is counted, because a
/// job that kills its worker must not do so for ever.
fn interrupted(policy: &Policy, past: &mut History, now_ms: u64, rng: &mut Rng) -> Transition {
    if !mutant::is(5) {
        past.push_interruption(now_ms);
    }
    let window_ms = u64::try_from(policy.poison_window.as_millis()).unwrap_or(u64::MAX);
    let count = past.interruptions_within(now_ms, window_ms);
    if count >= policy.poison_limit as usize {
        let error = format!("its worker died {count} times while running it");
        past.push_error(now_ms, &error);
        bury(past, DeathReason::Poison, now_ms)
    } else {
        let spread_ms = rng.between(0, INTERRUPTION_SPREAD.as_millis() as u64);
        Transition::Retry { at_ms: later(now_ms, Duration::from_millis(spread_ms)) }
    }
}

fn bury(past: &mut History, reason: DeathReason, at_ms: u64) -> Transition {
    past.death = Some(Death { reason, at_ms });
    Transition::Bury
}

/// The latest time that a store keeps, in ms since 1970: far enough for "never", small enough for a
/// double, which Redis scores are.
pub const LATEST_MS: u64 = 1 << 52;

fn later(now_ms: u64, delay: Duration) -> u64 {
    let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    now_ms.saturating_add(delay_ms).min(LATEST_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn all_endings() -> Vec<Ended> {
        let error = "e".to_owned();
        let delay = Duration::from_secs(9);
        vec![
            Ended::Done,
            Ended::Failed { error: error.clone(), retry_in: None },
            Ended::Failed { error: error.clone(), retry_in: Some(Duration::MAX) },
            Ended::Discarded { error: error.clone() },
            Ended::Snoozed { delay },
            Ended::Malformed { error },
            Ended::UnknownKind,
            Ended::Cancelled,
            Ended::HandedBack,
            Ended::Interrupted,
        ]
    }

    /// Every ending × attempts left × interruptions × retention, against the rules in prose.
    #[test]
    fn every_case_follows_the_promise() {
        for ended in all_endings() {
            for attempts in 0..=4u32 {
                for interruptions in 0..=3usize {
                    for retention in [None, Some(Duration::from_secs(60))] {
                        check(&ended, attempts, interruptions, retention);
                    }
                }
            }
        }
    }

    fn check(ended: &Ended, attempts: u32, interruptions: usize, retention: Option<Duration>) {
        let policy = Policy { max_attempts: 3, retention, ..Policy::DEFAULT };
        let before =
            History { attempts, interruptions: vec![NOW - 1; interruptions], ..History::default() };
        let Decision { transition, history } =
            decide(&policy, &before, ended, NOW, &mut Rng::seeded(7));
        let after = history.clone().unwrap_or_else(|| before.clone());
        let case = format!("{ended:?} {attempts} {interruptions} {retention:?} -> {transition:?}");

        let burns = matches!(ended, Ended::Failed { .. } | Ended::Discarded { .. })
            || (*ended == Ended::Done && retention.is_some());
        assert_eq!(after.attempts, attempts + u32::from(burns), "{case}");
        assert_eq!(after.death.is_some(), transition == Transition::Bury, "{case}");
        if let Transition::Retry { at_ms } | Transition::Schedule { at_ms } = transition {
            assert!((NOW..=LATEST_MS).contains(&at_ms), "{case}");
        }
        let expected = match ended {
            Ended::Done if retention.is_none() => transition == Transition::Done,
            Ended::Done => transition == Transition::Retain { until_ms: NOW + 60_000 },
            Ended::Failed { .. } if attempts + 1 >= 3 => transition == Transition::Bury,
            Ended::Failed { .. } => matches!(transition, Transition::Retry { .. }),
            Ended::Discarded { .. } | Ended::Malformed { .. } => transition == Transition::Bury,
            Ended::Snoozed { .. } => transition == Transition::Schedule { at_ms: NOW + 9_000 },
            Ended::UnknownKind => matches!(transition, Transition::Schedule { .. }),
            Ended::Cancelled => {
                transition == Transition::Cancel { until_ms: retention.map(|_| NOW + 60_000) }
            }
            Ended::HandedBack => transition == Transition::Release && history.is_none(),
            Ended::Interrupted => match interruptions {
                0 | 1 => matches!(transition, Transition::Retry { at_ms } if at_ms <= NOW + 1_000),
                _ => transition == Transition::Bury,
            },
        };
        assert!(expected, "{case}");
    }

    #[test]
    fn no_time_is_later_than_a_store_keeps() {
        for ended in all_endings() {
            let policy = Policy { retention: Some(Duration::MAX), ..Policy::DEFAULT };
            let past = History::default();
            let decision = decide(&policy, &past, &ended, LATEST_MS, &mut Rng::seeded(7));
            let at_ms = match decision.transition {
                Transition::Retry { at_ms } | Transition::Schedule { at_ms } => at_ms,
                Transition::Retain { until_ms } => until_ms,
                _ => continue,
            };
            assert_eq!(at_ms, LATEST_MS, "{ended:?}");
        }
    }

    #[test]
    fn interruptions_older_than_the_window_do_not_count() {
        let old = NOW - 73 * 60 * 60 * 1000;
        let history = History { interruptions: vec![old; 5], ..History::default() };
        let decision =
            decide(&Policy::DEFAULT, &history, &Ended::Interrupted, NOW, &mut Rng::seeded(1));
        assert!(matches!(decision.transition, Transition::Retry { .. }));
    }
}
