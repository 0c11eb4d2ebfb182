//! Whether a history keeps what mq promises.
//!
//! A history is what all processes of a run wrote down while faults were injected. The checks ask
//! of it what would be visible from outside if the store had done its part: that nothing was lost
//! or invented, that no superseded claim was accepted, that each execution beyond a job's first
//! has a cause. Each check is a file here, named for its subject; [`life`] puts one job's events
//! in order, [`world`] knows processes, workers and faults, [`links`] says how each claim on a
//! job came after the one before.
//!
//! # What is exact
//!
//! A request has its effect at some instant between the two events that bracket it. Claims on one
//! job are put in order by the store's own time and by the counters that the store gave with them,
//! not by when their answers arrived, so that a late answer is not taken for a late claim. What
//! stays open (an answer that was lost, an order whose effect has no beginning in the history) is
//! decided in favour of the store: a violation that is reported has no legal explanation.
//!
//! # What is not seen
//!
//! The scripts and statements of the engines do not number themselves; a counter that all of them
//! raise would cost each a write. So of an end that was sent before a takeover and answered after
//! it nobody can tell which came first unless a counter of the job says so, as it does for failures
//! and for interruptions. An engine that accepts such a hand-back of a claim that is superseded is
//! not found out, if what came of the takeover is in doubt as well.

mod endings;
mod executions;
mod fencing;
mod gather;
mod gone;
mod index;
mod keys;
mod life;
mod limits;
mod links;
mod order;
mod phantom;
mod places;
mod recovery;
mod report;
mod reruns;
mod resources;
mod rules;
mod standstill;
#[cfg(test)]
mod tests;
mod tokens;
mod total;
mod verdict;
mod world;

use crate::recorder::Entry;

use self::index::Index;
use self::life::Life;
use self::places::Listed;
use self::report::Report;
use self::world::World;

pub use self::rules::{Final, Place, Rules, Sample};
pub use self::verdict::{Check, Counts, Found, Times, Verdict, Violation};

/// Judges a history, together with what the store had at its end.
///
/// The entries need not be in order. A million jobs with their ten million events take some
/// seconds in a release build, and about 250 bytes a job beside the entries.
///
/// ```
/// use mq_core::engine::Durability;
/// use mq_core::{JobId, QueueName};
/// use mq_testkit::{Check, Entry, Event, Final, Rules, check};
///
/// let (id, queue) = (JobId::new(), QueueName::new("mail")?);
/// let (priority, due_ms, delay_ms) = (Default::default(), None, None);
/// let sent = Event::Sent { id, queue, priority, due_ms, delay_ms, key: None };
/// let acked = Event::Acked { id, level: Durability::Disk, instead: None };
/// let history = [sent, acked].into_iter().enumerate();
/// let history: Vec<_> =
///     history.map(|(at, event)| Entry { at_ns: at as u64, process: 1, event }).collect();
///
/// // It was acknowledged, it never ran, and the store does not have it.
/// let verdict = check(&history, &Final::default(), &Rules::default());
/// assert_eq!(verdict.count(Check::Lost), 1);
/// println!("{verdict}");
/// # Ok::<(), mq_core::NameError>(())
/// ```
///
/// After a real run the history comes from the recorder, and what the store has from itself:
///
/// ```no_run
/// # async fn example(client: mq_core::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use mq_testkit::{Final, Recorder, Rules, check};
///
/// let entries = Recorder::read("/tmp/run/history".as_ref())?;
/// let rules = Rules { recovery: Some(Duration::from_secs(20)), ..Rules::default() };
/// let verdict = check(&entries, &Final::of(&client).await?, &rules);
/// let verdict = verdict.replayed_by("MQ_SEED=7 cargo test --test faults");
/// if !verdict.is_clean() {
///     // The verdict, and the timeline of each job that something is wrong with.
///     verdict.write_report("/tmp/run/report".as_ref(), &entries)?;
/// }
/// verdict.assert_clean();
/// # Ok(())
/// # }
/// ```
#[must_use = "a verdict that nobody reads is none: `assert_clean`"]
pub fn check(entries: &[Entry], end: &Final, rules: &Rules) -> Verdict {
    let index = Index::new(entries);
    let world = World::new(&index, rules);
    let listed = Listed::new(&index, end);
    let mut report = Report::new(index.start_ns());
    let mut holders = tokens::Holders::default();
    let mut running = executions::Executions::default();
    let mut order = order::Order::default();
    let mut recovered = recovery::Recovered::default();
    let mut keys = keys::Keys::default();
    let named = keys::Named::of(&index, &mut report);
    world.count(&mut report.counts);
    for job in 0..index.len() {
        let mut life = Life::of(&index, job, &world);
        life.named = named.first(life.id);
        let links = links::of(&life, &world);
        let place = listed.of(job);
        report.count(&life);
        total::check(&life, &links, place, &listed, &world, &mut report);
        keys.add(&life, place);
        phantom::check(&life, place, &mut report);
        fencing::check(&life, &links, &world, &mut report);
        endings::check(&life, &world, &mut report);
        tokens::check(&life, &world, &mut report);
        holders.add(&life, &mut report);
        reruns::check(&life, &links, &mut report);
        recovered.add(&life, &links, place, &world);
        limits::check(&life, &links, &world, &mut report);
        places::check(&life, place, &listed, &world, &mut report);
        running.add(&life, &world);
        if rules.order {
            order.add(&life, &world);
        }
    }
    reruns::check_sweeps(&world, &mut report);
    keys.check(&world, &mut report);
    order.check(&mut report);
    running.check(rules, &mut report);
    recovered.check(&world, &mut report);
    places::check_listings(&index, end, &mut report);
    resources::check(&end.samples, rules, &mut report);
    report.into_verdict(&world)
}
