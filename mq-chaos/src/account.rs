//! What a history says about each job, for the questions of single tests.

use std::collections::BTreeMap;

use mq_core::JobId;
use mq_testkit::{Entry, Event};

/// What a history says about one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Life {
    /// A producer tried to enqueue it.
    pub sent: bool,
    /// The store acknowledged it, and not another job in its place.
    pub acked: bool,
    /// How often a handler started.
    pub starts: usize,
    /// How often a handler succeeded.
    pub ends_ok: usize,
    /// How often a handler failed.
    pub ends_failed: usize,
}

/// What a history says about all jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// Per job.
    pub lives: BTreeMap<JobId, Life>,
}

impl Account {
    /// Sums a history up.
    pub fn of(entries: &[Entry]) -> Self {
        let mut account = Self::default();
        for entry in entries {
            account.add(&entry.event);
        }
        account
    }

    fn add(&mut self, event: &Event) {
        let Some(id) = event.job() else { return };
        let life = self.lives.entry(id).or_default();
        match event {
            Event::Sent { .. } => life.sent = true,
            Event::Acked { instead: None, .. } => life.acked = true,
            Event::Started { .. } => life.starts += 1,
            Event::Ended { ok: true, .. } => life.ends_ok += 1,
            Event::Ended { ok: false, .. } => life.ends_failed += 1,
            _ => {}
        }
    }

    /// Jobs for which this holds, in order of their ids.
    pub fn which(&self, holds: impl Fn(&Life) -> bool) -> Vec<JobId> {
        self.lives.iter().filter(|(_, life)| holds(life)).map(|(id, _)| *id).collect()
    }

    /// Started more than once.
    pub fn repeated(&self) -> Vec<JobId> {
        self.which(|life| life.starts > 1)
    }

    /// The starts of jobs beyond their first that no failure explains: more than `1 + failed
    /// attempts`.
    pub fn unexplained(&self) -> usize {
        let extra = |life: &Life| life.starts.saturating_sub(1).saturating_sub(life.ends_failed);
        self.lives.values().map(extra).sum()
    }
}
