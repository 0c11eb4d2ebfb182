//! At the end each job is in one place, and in one that its history leads to.

use std::collections::HashMap;

use mq_core::{JobId, State};

use crate::recorder::Destination;

use super::index::Index;
use super::life::{Life, Outcome};
use super::report::Report;
use super::rules::{Final, Place};
use super::verdict::Check;
use super::world::World;

/// Dead letters that a queue keeps at defaults; beyond them the oldest go.
const DEAD_KEPT: usize = 10_000;

/// Where the listing had a job.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found<'a> {
    pub(super) place: Option<&'a Place>,
    pub(super) count: u32,
}

/// The listing by job.
pub(super) struct Listed<'a> {
    found: Vec<Found<'a>>,
    dead: usize,
}

impl<'a> Listed<'a> {
    pub(super) fn new(index: &Index<'_>, end: &'a Final) -> Self {
        let mut found = vec![Found::default(); index.len()];
        for (id, place) in &end.api {
            if let Some(job) = index.number(*id) {
                found[job].place = Some(place);
                found[job].count += 1;
            }
        }
        let dead = end.api.iter().filter(|(_, place)| place.state == State::Dead).count();
        Self { found, dead }
    }

    pub(super) fn of(&self, job: usize) -> Found<'a> {
        self.found[job]
    }
}

/// A set of places: one bit per state, and one for "nowhere".
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Places(u8);

impl Places {
    pub(super) const NOWHERE: Self = Self(1 << 6);
    const RUNNING: Self = Self::of(State::Running);
    const DEAD: Self = Self::of(State::Dead);
    const DONE: Self = Self::of(State::Done).or(Self::NOWHERE);
    const CANCELLED: Self = Self::of(State::Cancelled).or(Self::NOWHERE);
    /// Also with a worker that died before it could write down that it had got the job.
    const WAITING: Self = Self::of(State::Ready).or(Self::of(State::Scheduled)).or(Self::RUNNING);
    const SOMEWHERE: Self = Self(0x3f);
    const ANY: Self = Self(0x7f);

    const fn of(state: State) -> Self {
        Self(match state {
            State::Ready => 1,
            State::Scheduled => 1 << 1,
            State::Running => 1 << 2,
            State::Done => 1 << 3,
            State::Dead => 1 << 4,
            State::Cancelled => 1 << 5,
            // A state that this version does not know fits nothing.
            _ => 0,
        })
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

pub(super) fn check(
    life: &Life<'_>,
    found: Found<'_>,
    listed: &Listed<'_>,
    world: &World<'_>,
    report: &mut Report,
) {
    let id = Some(life.id);
    if found.count > 1 {
        report.add(Check::Place, id, 0, || format!("listed {} times", found.count));
    }
    if found.place.is_none() && life.grants.is_empty() {
        // Lost, never stored, or removed: the total queue says which.
        return;
    }
    let is = found.place.map_or(Places::NOWHERE, |place| Places::of(place.state));
    if matches!(found.place.map(|place| place.state), Some(state) if is_open(state)) {
        report.counts.open += 1;
    }
    let may = expected(life, listed, world);
    if !may.meets(is) && may.meets(Places::NOWHERE) {
        report.add(Check::Place, id, 0, || format!("{}, but it has ended", shown(found)));
    } else if !may.meets(is) && (found.place.is_some() || life.stored().is_none()) {
        // What was acknowledged and is nowhere counts as lost.
        report.add(Check::Place, id, 0, || {
            let last = life.grants.last().and_then(|grant| grant.outcome);
            format!("{}, but its history ends with {:?}", shown(found), last.map(|end| end.to))
        });
    }
    let moved = life.acts.iter().any(|act| matches!(act.verb, "transfer" | "import"));
    if let (Some(place), Some(sent), false) = (found.place, life.sent, moved)
        && place.queue != *sent.queue
    {
        report.add(Check::Place, id, 0, || {
            format!("in the queue {}, but sent to {}", place.queue, sent.queue)
        });
    }
}

fn is_open(state: State) -> bool {
    matches!(state, State::Ready | State::Scheduled | State::Running)
}

fn shown(found: Found<'_>) -> String {
    found.place.map_or("in no list".to_owned(), |place| format!("listed as {}", place.state))
}

/// Where the job may be after all that is known.
fn expected(life: &Life<'_>, listed: &Listed<'_>, world: &World<'_>) -> Places {
    if life.grants.iter().any(|grant| world.is_grant_undone(grant, u64::MAX)) {
        return Places::ANY;
    }
    settled(life, listed, world)
}

/// The same if none of its claims and ends was undone: its last end, then what operators did.
pub(super) fn settled(life: &Life<'_>, listed: &Listed<'_>, world: &World<'_>) -> Places {
    // Until when what came so far may have had its effect.
    let (mut may, since, mut open) = match life.grants.last() {
        None => (Places::WAITING, 0, 0),
        Some(grant) => {
            let open = grant.outcome.map_or(u64::MAX, |end| end.by);
            (grant.outcome.as_ref().map_or(Places::RUNNING, after), grant.at, open)
        }
    };
    let mut acts: Vec<_> = life.acts.iter().filter(|act| act.by >= since).collect();
    acts.sort_by_key(|act| act.from);
    for act in acts {
        let is_next = open < act.from && act.is_sure();
        may = match act.verb {
            "retry" if is_next && !world.is_undone(act.from, act.by, u64::MAX) => Places::WAITING,
            "retry" | "run_now" => may.or(Places::WAITING),
            "delete" => may.or(Places::NOWHERE),
            // Only its worker can end it then, and says so.
            "cancel" if act.is_requested() => may,
            "cancel" => may.or(Places::CANCELLED),
            "discard" => may.or(Places::DEAD),
            "transfer" => may,
            "import" => may.or(Places::SOMEWHERE),
            _ => Places::ANY,
        };
        open = open.max(act.by);
    }
    if may.meets(Places::DEAD) && listed.dead >= DEAD_KEPT {
        may = may.or(Places::NOWHERE);
    }
    may
}

fn after(outcome: &Outcome) -> Places {
    let told = match outcome.to {
        _ if outcome.mixed => Places::ANY,
        Destination::Done => Places::DONE,
        Destination::Again | Destination::HandedBack => Places::WAITING,
        Destination::Dead => Places::DEAD,
        Destination::Cancelled => Places::CANCELLED,
    };
    if outcome.sure.is_known() { told } else { told.or(Places::RUNNING) }
}

/// What the listings say of each other, and jobs that the history does not know.
pub(super) fn check_listings(index: &Index<'_>, end: &Final, report: &mut Report) {
    for finding in &end.findings {
        report.add(Check::Place, None, 0, || format!("the audit says: {finding}"));
    }
    for (id, place) in &end.api {
        if index.number(*id).is_none() {
            report.add(Check::Phantom, Some(*id), 0, || {
                format!("listed as {}, but nobody ever sent it", place.state)
            });
        }
    }
    let Some(raw) = &end.raw else { return };
    let mut listed: HashMap<JobId, &Place> = end.api.iter().map(|(id, at)| (*id, at)).collect();
    let mut seen = HashMap::with_capacity(raw.len());
    for (id, place) in raw {
        if seen.insert(*id, place).is_some() {
            let text = || "in two places of the store's own structures".to_owned();
            report.add(Check::Place, Some(*id), 0, text);
        }
        match listed.get(id) {
            Some(same) if *same == place => {}
            other => report.add(Check::Place, Some(*id), 0, || {
                let said = other.map_or("in no list".to_owned(), |at| at.state.to_string());
                format!("{} in the store's own structures, {said} by the API", place.state)
            }),
        }
    }
    listed.retain(|id, _| !seen.contains_key(id));
    let mut listed: Vec<_> = listed.into_iter().collect();
    listed.sort_unstable_by_key(|(id, _)| *id);
    for (id, place) in listed {
        report.add(Check::Place, Some(id), 0, || {
            format!("{} by the API, in none of the store's own structures", place.state)
        });
    }
}
