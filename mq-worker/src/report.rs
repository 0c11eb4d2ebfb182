//! What a worker has done, as numbers.

use std::fmt;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a worker did from its start to its stop. Counts jobs whose end the store has confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Report {
    /// Jobs that ended well.
    pub done: u64,
    /// Attempts that failed and will be followed by another one.
    pub failed: u64,
    /// Jobs that became dead letters.
    pub dead: u64,
    /// Attempts that asked to be run later.
    pub snoozed: u64,
    /// Jobs that were cancelled while they ran.
    pub cancelled: u64,
    /// Jobs that were given back without burning an attempt: of an unknown kind, or at the stop.
    pub handed_back: u64,
    /// Attempts that went on although they were told to stop; their results do not count.
    pub abandoned: u64,
    /// Jobs that ended here after the lease was lost, so that somebody else has them.
    pub fenced: u64,
    /// Jobs of dead workers that this one took over and put back.
    pub recovered: u64,
}

impl Report {
    /// How many attempts ended, in whatever way, with a result that counts.
    pub(crate) fn ended(&self) -> u64 {
        let Self { done, failed, dead, snoozed, cancelled, handed_back, .. } = *self;
        done + failed + dead + snoozed + cancelled + handed_back
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} done, {} failed, {} dead", self.done, self.failed, self.dead)?;
        let rare = [
            (self.snoozed, "snoozed"),
            (self.cancelled, "cancelled"),
            (self.handed_back, "handed back"),
            (self.abandoned, "abandoned"),
            (self.fenced, "fenced"),
            (self.recovered, "recovered"),
        ];
        rare.iter()
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(count, word)| write!(f, ", {count} {word}"))
    }
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.done += other.done;
        self.failed += other.failed;
        self.dead += other.dead;
        self.snoozed += other.snoozed;
        self.cancelled += other.cancelled;
        self.handed_back += other.handed_back;
        self.abandoned += other.abandoned;
        self.fenced += other.fenced;
        self.recovered += other.recovered;
    }
}

/// What became of a job, for the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Done,
    Failed,
    Dead,
    Snoozed,
    Cancelled,
    HandedBack,
}

/// A [`Report`] in the making.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    classes: [AtomicU64; 6],
    abandoned: AtomicU64,
    fenced: AtomicU64,
    recovered: AtomicU64,
}

impl Tally {
    pub(crate) fn count(&self, class: Class) {
        self.classes[class as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn abandoned(&self) {
        self.abandoned.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fenced(&self) {
        self.fenced.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn recovered(&self, count: usize) {
        self.recovered.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn report(&self) -> Report {
        let of = |class: Class| self.classes[class as usize].load(Ordering::Relaxed);
        Report {
            done: of(Class::Done),
            failed: of(Class::Failed),
            dead: of(Class::Dead),
            snoozed: of(Class::Snoozed),
            cancelled: of(Class::Cancelled),
            handed_back: of(Class::HandedBack),
            abandoned: self.abandoned.load(Ordering::Relaxed),
            fenced: self.fenced.load(Ordering::Relaxed),
            recovered: self.recovered.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_happen_is_not_said() {
        let tally = Tally::default();
        tally.count(Class::Done);
        tally.count(Class::Done);
        tally.fenced();
        assert_eq!(tally.report().to_string(), "2 done, 0 failed, 0 dead, 1 fenced");
    }
}
