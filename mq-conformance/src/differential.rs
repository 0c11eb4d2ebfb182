//! The differential test: random sequences of operations on several engines at once, which must
//! say the same and look the same after every step.
//!
//! A case of the suite checks what somebody thought of. Here nobody has to: whatever an engine does
//! that another does not is found, [made small](shrink) and shown. Which of them is wrong is for
//! the contract to say, and then becomes a case.

#![allow(missing_debug_implementations, reason = "fixtures have none")]

mod generate;
mod observe;
mod op;
mod request;
mod shrink;
mod world;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mq_core::engine::Engine;
use tokio::sync::OnceCell;

pub use self::generate::generate;
use self::observe::{Look, Observation, observe};
pub use self::op::{Ask, Draft, End, JobRef, Number, Op, Pick, Pulse, Step, To, When, parse};
use self::request::Reply;
pub use self::request::Request;
pub use self::shrink::shrink;
use self::world::World;
use crate::Fixture;

/// One look in so many is a thorough one, and the last.
const THOROUGH: usize = 10;

/// An engine that takes part.
pub struct Subject {
    name: &'static str,
    fixture: Box<dyn Fixture>,
    second: OnceCell<Arc<dyn Engine>>,
    bend: Option<fn(&mut Request)>,
}

/// An engine's name and what it says.
type Side<'a> = (&'a str, Vec<String>);

/// Two engines that disagree.
#[derive(Debug, Clone)]
pub struct Difference {
    /// Which step showed it, from 0.
    pub step: usize,
    text: String,
}

impl Subject {
    /// An engine under its name.
    pub fn new(name: &'static str, fixture: impl Fixture + 'static) -> Self {
        Self { name, fixture: Box::new(fixture), second: OnceCell::new(), bend: None }
    }

    /// Falsifies every request before the engine gets it, as a mistake in the engine would: to
    /// show that the test can fail.
    #[must_use]
    pub fn bent(mut self, bend: fn(&mut Request)) -> Self {
        self.bend = Some(bend);
        self
    }

    async fn ask(&self, request: &Request, step: &Step) -> Reply {
        let engine = match step.second {
            true => self.second.get_or_init(async || self.fixture.second().await).await.clone(),
            false => self.fixture.engine(),
        };
        let mut request = request.clone();
        if let Some(bend) = self.bend {
            bend(&mut request);
        }
        if step.lost && request.is_change() {
            request.ask(&engine).await;
        }
        request.ask(&engine).await
    }
}

/// Carries a sequence out on all subjects, which must be fresh and show the same time.
///
/// # Errors
/// The first difference.
pub async fn run(subjects: &[Subject], steps: &[Step]) -> Result<(), Difference> {
    let Some(first) = subjects.first() else { return Ok(()) };
    let mut world = World::new(first.fixture.now_ms());
    for (at, step) in steps.iter().enumerate() {
        match &step.op {
            Op::Advance { ms } => advance(subjects, &mut world, *ms).await,
            Op::Sweep { queue, worker, sweeps, lease_ms } => {
                for _ in 0..*sweeps {
                    advance(subjects, &mut world, lease_ms / 3).await;
                    let (queue, worker, lease_ms) = (*queue, *worker, *lease_ms);
                    let (number, limit) = (Number::Fresh(1), 100);
                    let reap = Op::Reap { queue, worker, number, limit, lease_ms };
                    one(subjects, &mut world, at, &Step { op: reap, ..*step }).await?;
                }
            }
            _ => one(subjects, &mut world, at, step).await?,
        }
        let is_thorough = at % THOROUGH == THOROUGH - 1 || at + 1 == steps.len();
        let how = if is_thorough { Look::Thorough } else { Look::Usual };
        let seen = look(subjects, &world, at, step, how).await?;
        world.saw(seen);
    }
    Ok(())
}

async fn advance(subjects: &[Subject], world: &mut World, ms: u64) {
    for subject in subjects {
        subject.fixture.advance(Duration::from_millis(ms)).await;
    }
    world.now_ms += ms;
}

/// One request to all, whose replies must be the same.
async fn one(
    subjects: &[Subject],
    world: &mut World,
    at: usize,
    step: &Step,
) -> Result<(), Difference> {
    let Some(request) = world.request(&step.op) else { return Ok(()) };
    let mut first = None;
    for subject in subjects {
        let reply = subject.ask(&request, step).await;
        let (name, expected) = first.get_or_insert_with(|| (subject.name, reply.clone()));
        if reply != *expected {
            let sides = [(*name, expected.lines.clone()), (subject.name, reply.lines)];
            return Err(Difference::new(world, at, step, "the reply", &sides));
        }
    }
    if let Some((_, reply)) = first {
        world.learn(&request, &reply);
    }
    Ok(())
}

/// Looks at all, who must look the same.
async fn look(
    subjects: &[Subject],
    world: &World,
    at: usize,
    step: &Step,
    how: Look,
) -> Result<Observation, Difference> {
    let mut first: Option<(&str, Observation)> = None;
    for subject in subjects {
        let seen = observe(&subject.fixture.engine(), world.to_see(how), how).await;
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => {
                let sides = [("nobody", Vec::new()), (subject.name, vec![error.to_string()])];
                return Err(Difference::new(world, at, step, "an error while looking", &sides));
            }
        };
        if let Some(finding) = seen.of.iter().flat_map(|queue| &queue.audit.findings).next() {
            let sides = [("nobody", Vec::new()), (subject.name, vec![format!("{finding:?}")])];
            return Err(Difference::new(world, at, step, "the audit", &sides));
        }
        match &first {
            None => first = Some((subject.name, seen)),
            Some((name, expected)) if seen != *expected => {
                let sides = [(*name, expected.lines()), (subject.name, seen.lines())];
                return Err(Difference::new(world, at, step, "the store", &sides));
            }
            Some(_) => {}
        }
    }
    Ok(first.map(|(_, seen)| seen).unwrap_or_default())
}

impl Difference {
    fn new(world: &World, step: usize, of: &Step, what: &str, sides: &[Side<'_>; 2]) -> Self {
        let mut text = format!("{what} differs after step {}: {}\n", step + 1, of.line());
        for (name, line) in only_in_one(sides) {
            text.push_str(&format!("  {name:>8} says {}\n", world.name(line)));
        }
        Self { step, text }
    }
}

/// Lines that only one side has; if there are none, the order differs and all are shown.
fn only_in_one<'a>([one, other]: &'a [Side<'a>; 2]) -> Vec<(&'a str, &'a String)> {
    let mut balance: HashMap<&String, i32> = HashMap::new();
    one.1.iter().for_each(|line| *balance.entry(line).or_default() += 1);
    other.1.iter().for_each(|line| *balance.entry(line).or_default() -= 1);
    let is_same_set = balance.values().all(|count| *count == 0);
    let mut shown = Vec::new();
    for ((name, lines), sign) in [(one, 1), (other, -1)] {
        let own = lines.iter().filter(|line| is_same_set || balance[line].signum() == sign);
        shown.extend(own.map(|line| (*name, line)));
    }
    shown
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
