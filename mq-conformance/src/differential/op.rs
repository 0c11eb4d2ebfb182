//! What a sequence is made of: operations that name jobs, workers and keys by small numbers.
//!
//! A number means the same whatever comes before it, or falls back to something that exists, so a
//! sequence from which an operation is taken away is still a sequence. The text form is JSON, one
//! step per line, and is kept for ever: give new fields a default and rename nothing.

use mq_core::State;
use serde::{Deserialize, Serialize};

/// One operation, and how it is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub op: Op,
    /// Through another handle on the same store.
    #[serde(default, skip_serializing_if = "is_false")]
    pub second: bool,
    /// The first reply gets lost and the same request is made again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lost: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(number: &u8) -> bool {
    *number == 0
}

fn is_now(when: &When) -> bool {
    *when == When::Now
}

fn normal() -> u8 {
    1
}

fn is_normal(level: &u8) -> bool {
    *level == normal()
}

/// A method of the engine and what it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    Enqueue {
        jobs: Vec<Draft>,
    },
    Join {
        queue: u8,
        worker: u8,
        lease_ms: u64,
        #[serde(default, skip_serializing_if = "is_false")]
        housekeeper: bool,
    },
    Leave {
        queue: u8,
        worker: u8,
    },
    Claim {
        worker: u8,
        limit: u16,
        asks: Vec<Ask>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ends: Vec<End>,
    },
    Finish {
        ends: Vec<End>,
    },
    Extend {
        beats: Vec<Pulse>,
    },
    Promote {
        queue: u8,
        limit: u16,
    },
    Reap {
        queue: u8,
        worker: u8,
        number: Number,
        limit: u16,
        lease_ms: u64,
    },
    /// What a live fleet does: sweeps that are a third of a lease apart.
    Sweep {
        queue: u8,
        worker: u8,
        sweeps: u8,
        lease_ms: u64,
    },
    Prune {
        queue: u8,
        dead_count: u16,
        dead_age_ms: u64,
        batch: u16,
    },
    /// Prunes until nothing more is left.
    PruneAll {
        queue: u8,
        dead_count: u16,
        dead_age_ms: u64,
    },
    Retry {
        queue: u8,
        jobs: Vec<JobRef>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step_ms: Option<u64>,
        #[serde(default, skip_serializing_if = "is_zero")]
        ahead: u8,
    },
    RunNow {
        queue: u8,
        jobs: Vec<JobRef>,
    },
    Delete {
        queue: u8,
        jobs: Vec<JobRef>,
    },
    Cancel {
        queue: u8,
        jobs: Vec<JobRef>,
    },
    Transfer {
        queue: u8,
        to: u8,
        jobs: Vec<JobRef>,
    },
    Pause {
        queue: u8,
    },
    Resume {
        queue: u8,
    },
    /// Pages of this size, to the end.
    List {
        queue: u8,
        state: State,
        limit: u16,
    },
    Get {
        queue: u8,
        jobs: Vec<JobRef>,
    },
    Audit {
        queue: u8,
        repair: bool,
    },
    /// Everything that can be seen, through the step's handle.
    Look {},
    Advance {
        ms: u64,
    },
    /// A late copy of a request that was made so many requests ago.
    Again {
        back: u8,
    },
}

/// A job about to be enqueued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// Which id; the same number is the same id.
    pub job: u8,
    pub queue: u8,
    #[serde(default, skip_serializing_if = "is_now")]
    pub when: When,
    /// 0 is high, 1 normal, 2 low.
    #[serde(default = "normal", skip_serializing_if = "is_normal")]
    pub level: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_ms: Option<u64>,
}

/// When a job may run, by the store's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    #[default]
    Now,
    After(u64),
    /// So many ms from now, as an absolute time; below 0 is the past.
    At(i64),
}

/// One queue in a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    pub queue: u8,
    pub number: Number,
    pub limit: u16,
}

/// A claim's number, relative to the highest that its worker has used on the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Number {
    /// So many above; 1 is the next one.
    Fresh(u8),
    /// So many below; 0 is the last one again.
    Used(u8),
}

/// The end of a claim on a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub of: Pick,
    pub to: To,
    /// Attempts in the history that is stored; none stores no history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<u8>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub failed: bool,
    /// Says that it is another worker's claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<u8>,
    /// Is off by so much in the claim's number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub off: u8,
}

/// Which claim on which job; counted round if there are fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// Of those that run now.
    Held(u8),
    /// Of all that ever were, the latest first.
    Ever(u8),
}

/// What becomes of a job; times are in ms from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum To {
    Done,
    Retain(u64),
    Retry(i64),
    Schedule(i64),
    Release,
    Bury,
    Cancel(Option<u64>),
}

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulse {
    pub queue: u8,
    pub worker: u8,
    pub lease_ms: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    pub news: bool,
}

/// A job that a verb is put to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobRef {
    /// By its number.
    Job(u8),
    /// By its place among those that are in a state now, counted round.
    In(State, u8),
}

impl Op {
    /// The word for it.
    pub fn name(&self) -> String {
        let text = format!("{self:?}");
        text.split([' ', '{']).next().unwrap_or_default().to_owned()
    }
}

impl Step {
    /// A step of the plainest sort.
    pub fn of(op: Op) -> Self {
        Self { op, second: false, lost: false }
    }

    /// The kept form: one line.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("a step has a text form")
    }
}

/// Reads a kept sequence: a step per line, and comments that begin with `#`.
pub fn parse(text: &str) -> Result<Vec<Step>, serde_json::Error> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.filter(|line| !line.starts_with('#')).map(serde_json::from_str).collect()
}
