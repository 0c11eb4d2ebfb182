//! Why a worker was taken for gone.
//!
//! A worker asks every third of a lease for one more, so two beats may fail. Who takes it for gone
//! must have waited for a whole lease since the last one that it got, and what it suffered must
//! have covered the beats that are missing: a fault that was too short, or over, explains nothing.

use std::borrow::Cow;

use crate::recorder::{LEASES_TAKEN, STOP};

use super::life::Grant;
use super::world::{Fault, Rollback, Worker, World};

/// How far two clocks may drift apart: so many in a hundred.
const DRIFT: u64 = 1;
/// The most by which a fault may be felt for longer than it lasts. Pauses before a try to connect
/// grow with the outage; those after a long one may be longer than this by now.
const RECONNECT_NS: u64 = 2_000_000_000;

/// Why a worker was taken for gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Why<'a> {
    /// In words that go behind "interrupted by".
    pub(super) what: Cow<'a, str>,
    /// Since when it could do nothing.
    pub(super) since: u64,
}

/// Since when a worker had not been heard of, and when it was gone for all to see.
#[derive(Clone, Copy)]
struct Absence {
    process: u32,
    lease: u64,
    from: u64,
    gone: u64,
    /// Whether `from` is what the history says, and not the latest that is legal.
    is_known: bool,
}

/// What may have kept a worker from being heard.
struct Cause<'a> {
    what: &'a str,
    began: u64,
    until: u64,
}

impl<'a> World<'a> {
    /// Why the holder of `held` was taken for gone by the time of `taken`; none if nothing in the
    /// history explains it.
    pub(super) fn why(&self, held: &Grant<'a>, taken: &Grant<'a>) -> Option<Why<'a>> {
        let worker = self.worker(held.claim);
        // The store may have forgotten the claim, or to whom it had given the job since.
        if let Some(back) = self.undoing_between(held.at, taken.at) {
            return Some(Why { what: "a rollback".into(), since: back.cut });
        }
        self.why_gone(worker, held.process, held.at, taken.at).ok()
    }

    /// Since when the holder of `held` can do nothing for its job, and never will again.
    pub(super) fn out_since(&self, held: &Grant<'_>) -> u64 {
        let last = self.last_of(held.process, held.at);
        let unhealed = self.unhealed(held.process, held.at);
        let out = unhealed.map(|fault| match fault.kind {
            STOP => fault.began.max(last),
            _ => fault.began,
        });
        let silent = (!self.rules.deaths_recorded).then_some(last);
        let out = out.chain(silent).fold(self.fenced_at(held), u64::min);
        out.max(held.at)
    }

    /// Workers that a sweep had found gone though no fault explains it, when, and what is wrong
    /// with it. Also those that held no job just then, or none that anybody knew of.
    pub(super) fn wrongly_reaped(&self) -> Vec<(u64, String)> {
        let mut wrong = Vec::new();
        for (name, worker) in &self.workers {
            let Some((joined, process)) = worker.joined else { continue };
            let mut seen = joined;
            for &reaped in &worker.reaped {
                if let Err(why) = self.why_gone(Some(worker), process, seen, reaped) {
                    let text = format!("the worker {name} was taken for gone, and {why}");
                    wrong.push((reaped, text));
                }
                seen = reaped + 1;
            }
        }
        wrong.sort_unstable();
        wrong
    }

    /// Why a worker was taken for gone by then that had shown signs of life at `seen`, or what is
    /// wrong with that.
    fn why_gone(
        &self,
        worker: Option<&Worker>,
        process: u32,
        seen: u64,
        by: u64,
    ) -> Result<Why<'a>, String> {
        let absence = self.absence(worker, process, seen, by);
        let Absence { lease, from, gone, .. } = absence;
        let left = worker.and_then(|worker| worker.left);
        if let Some(since) = left.filter(|left| *left <= gone) {
            return Ok(Why { what: "leaving".into(), since });
        }
        let mut rollbacks = self.rollbacks.iter();
        // It took the last of the extensions with it.
        let takes = |back: &&Rollback| back.noted >= from && back.cut <= gone;
        if let Some(back) = rollbacks.find(takes) {
            return Ok(Why { what: "a rollback".into(), since: back.cut });
        }
        if let Some(fault) = self.of_leases(process, from, gone) {
            return Ok(Why { what: fault.kind.into(), since: fault.began });
        }
        let waited = gone.saturating_sub(from);
        if absence.is_known && waited + lease * DRIFT / 100 < lease {
            let early = (lease - waited) as f64 / 1e6;
            return Err(format!("its lease had {early:.0} ms to go"));
        }
        // Who has heard nothing does not know that it is a worker, and goes on under another name.
        let asked = worker.filter(|worker| self.has_beats && !worker.is_in);
        if let Some((since, _)) = asked.and_then(|worker| worker.joined) {
            return Ok(Why { what: "a lost answer".into(), since });
        }
        self.silence_of_beats(worker, absence)?;
        self.cover(absence)
    }

    fn absence(&self, worker: Option<&Worker>, process: u32, seen: u64, by: u64) -> Absence {
        let lease = self.lease(worker);
        let Some(worker) = worker else {
            let from = by.saturating_sub(lease);
            return Absence { process, lease, from, gone: by, is_known: false };
        };
        let lost = worker.lost.filter(|lost| *lost >= seen);
        let gone = worker.reaped_since(seen).into_iter().chain(lost).fold(by, u64::min);
        let before = worker.reaped.iter().copied().take_while(|reaped| *reaped < gone).last();
        let heard = worker.heard.iter().copied().take_while(|heard| *heard <= gone).last();
        let heard = heard.filter(|heard| before.is_none_or(|before| *heard > before));
        let joined = worker.joined.map(|(joined, _)| joined);
        let joined = joined.filter(|joined| before.is_none() && *joined <= gone);
        let latest = gone.saturating_sub(lease);
        // Without beats in the history all were answered, for all that anybody knows.
        let joined = joined.filter(|joined| self.has_beats || *joined > latest);
        let known = heard.or(joined);
        let from = known.unwrap_or(latest);
        Absence { process, lease, from, gone, is_known: known.is_some() }
    }

    /// Somebody has set the clock by which leases end, or has taken them away.
    fn of_leases(&self, process: u32, from: u64, gone: u64) -> Option<Fault<'a>> {
        let hits = |fault: &Fault<'_>| fault.began <= gone && fault.ended >= from;
        let taken = self.of_process(process).filter(|fault| fault.kind == LEASES_TAKEN);
        let set = self.of_store().filter(|fault| fault.kind.contains("clock"));
        taken.chain(set).find(hits)
    }

    /// A worker asks again a third of a lease after an answer, and sooner after none, for which it
    /// waits a third of a lease: nothing but what its own process suffers keeps it from asking.
    fn silence_of_beats(&self, worker: Option<&Worker>, absence: Absence) -> Result<(), String> {
        let Absence { process, lease, from, gone, .. } = absence;
        let asked = worker.map_or(&[][..], |worker| &worker.asked);
        let asked = &asked[asked.partition_point(|asked| *asked < from)..];
        let asked = &asked[..asked.partition_point(|asked| *asked <= gone)];
        let nexts = asked.iter().skip(1).copied().chain([gone]);
        for (asked, next) in asked.iter().copied().zip(nexts) {
            let own = self.own_causes(process, lease);
            let open = (next - asked).saturating_sub(covered(&own, asked, next));
            if open > lease * 5 / 6 {
                let open = open as f64 / 1e9;
                return Err(format!("it had asked for no more time for {open:.3} s"));
            }
        }
        Ok(())
    }

    /// What has kept it from being heard for all but the time to its next beat, and as much again
    /// for a machine that is slow.
    fn cover(&self, absence: Absence) -> Result<Why<'a>, String> {
        let Absence { process, lease, from, gone, is_known } = absence;
        let mut causes = self.own_causes(process, lease);
        causes.extend(self.of_store().map(|fault| fault.cause(lease)));
        causes.retain(|cause| cause.began <= gone && cause.until > from);
        causes.sort_unstable_by_key(|cause| cause.began);
        let open = (gone - from).saturating_sub(covered(&causes, from, gone));
        let length = |cause: &&Cause<'_>| cause.until.min(gone) - cause.began.clamp(from, gone);
        // The first of those that were the longest.
        let worst = causes.iter().rev().max_by_key(length);
        let worst = worst.ok_or_else(|| "no fault explains why".to_owned())?;
        if open > lease / 3 * 2 {
            let (open, all) = (open as f64 / 1e9, (gone - from) as f64 / 1e9);
            return Err(format!(
                "no fault explains why: nothing kept it from being heard in {open:.3} of {all:.3} s"
            ));
        }
        let since = if is_known { worst.began.max(from) } else { worst.began };
        Ok(Why { what: worst.what.into(), since })
    }

    /// What a process suffers alone, by its beginnings.
    fn own_causes(&self, process: u32, lease: u64) -> Vec<Cause<'a>> {
        let mut causes: Vec<_> = Vec::new();
        for fault in self.of_process(process) {
            let mut cause = fault.cause(lease);
            if fault.kind == STOP {
                // Until it has stopped it is there.
                cause.began = fault.began.max(self.last_of(process, fault.began));
            }
            causes.push(cause);
        }
        if !self.rules.deaths_recorded {
            // A process that lives beats.
            let (what, began) = ("a silent end", self.last_of(process, u64::MAX));
            causes.push(Cause { what, began, until: u64::MAX });
        }
        causes.sort_unstable_by_key(|cause| cause.began);
        causes
    }

    fn undoing_between(&self, from: u64, to: u64) -> Option<&Rollback> {
        self.rollbacks.iter().find(|back| back.cut >= from && back.cut <= to)
    }
}

impl<'a> Fault<'a> {
    /// With its aftermath: connections that it broke are opened again, and a beat that failed is
    /// sent again after a fifteenth of a lease.
    fn cause(&self, lease: u64) -> Cause<'a> {
        let Self { began, ended, kind: what } = *self;
        let after = (ended - began).min(RECONNECT_NS) + lease / 15;
        Cause { what, began, until: ended.saturating_add(after) }
    }
}

/// How much of a time is in one of these, which come by their beginnings.
fn covered(causes: &[Cause<'_>], from: u64, to: u64) -> u64 {
    let (mut sum, mut until) = (0, from);
    for cause in causes {
        let began = cause.began.max(until);
        let ended = cause.until.min(to);
        sum += ended.saturating_sub(began);
        until = until.max(ended);
    }
    sum
}
