//! What is measured, one file per scenario.
//!
//! # To add a scenario
//!
//! 1. Write `scenario/NAME.rs` with a `pub(crate) const SCENARIO: Scenario`, and what its floor
//!    does into `floor/NAME.rs`.
//! 2. Add one line to [`ALL`] and one `mod` line here.
//!
//! A scenario's `plan` returns [`Measurement`]s: for each case, one per subject (an engine, or a
//! floor named by [`Engine::floor`]). Those of one case stand next to each other, and are measured
//! one after the other in each round, in an order that changes from round to round. `take` does it
//! once, on a [`Store`](crate::store::Store) of its own, and returns the same figures each time.
//!
//! Whatever uses the store runs in a child, whose [`Role`]s the scenario lists. In outline:
//!
//! ```text
//! parent                                     child
//! Store::start(engine)?
//! Child::ready(&WORKER, &order)?      ──▶    let order = wire.order()?;
//!                                            runtime::run(Threads::Usual, async {
//!                                     ◀──        wire.ready().await?;
//! child.finish::<Answer>()?           ──▶        … measures; a Stopwatch around it
//!                                     ◀──        wire.say(&answer) })
//! ```

pub(crate) mod drain;
pub(crate) mod enqueue;
pub(crate) mod latency;

use crate::child::Role;
use crate::engine::Engine;
use crate::fail::Fail;
use crate::row::Figure;

/// All scenarios, in the order they are run.
pub(crate) const ALL: &[Scenario] = &[enqueue::SCENARIO, drain::SCENARIO, latency::SCENARIO];

/// Something to be measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What is measured and what its floors are; printed above the table.
    pub(crate) about: &'static str,
    pub(crate) plan: fn(&Config) -> Vec<Measurement>,
    /// What its children can be.
    pub(crate) roles: &'static [Role],
}

/// What was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) engines: Vec<Engine>,
    pub(crate) rounds: usize,
    /// 1 for figures that mean something, less to see that it works.
    pub(crate) scale: f64,
}

impl Config {
    /// A number of jobs or repetitions, scaled; at least `least`.
    pub(crate) fn count(&self, usual: u64, least: u64) -> u64 {
        ((usual as f64 * self.scale) as u64).max(least)
    }
}

/// One subject in one case.
pub(crate) struct Measurement {
    pub(crate) case: String,
    pub(crate) subject: String,
    pub(crate) take: Take,
}

/// Measures once.
pub(crate) type Take = Box<dyn Fn() -> Result<Vec<Figure>, Fail>>;

impl Measurement {
    pub(crate) fn new(
        case: impl Into<String>,
        subject: impl Into<String>,
        take: impl Fn() -> Result<Vec<Figure>, Fail> + 'static,
    ) -> Self {
        Self { case: case.into(), subject: subject.into(), take: Box::new(take) }
    }
}

/// The scenarios of these names, in their usual order; all if there are none.
pub(crate) fn named(names: &[String]) -> Result<Vec<&'static Scenario>, Fail> {
    let known = || ALL.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ");
    if let Some(odd) = names.iter().find(|name| ALL.iter().all(|known| known.name != **name)) {
        return Err(Fail::usage(format!("there is no scenario `{odd}`: known are {}", known())));
    }
    let is_meant =
        |scenario: &&Scenario| names.is_empty() || names.iter().any(|name| name == scenario.name);
    Ok(ALL.iter().filter(is_meant).collect())
}

/// The role of a child by its name.
pub(crate) fn role(name: &str) -> Result<&'static Role, Fail> {
    let mut roles = crate::fill::ROLES.iter().chain(ALL.iter().flat_map(|scenario| scenario.roles));
    let found = roles.find(|role| role.name == name);
    found.ok_or_else(|| Fail::usage(format!("there is no role `{name}`")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_strangers_are_told_the_list() {
        let names: BTreeSet<_> = ALL.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), ALL.len());
        let roles: Vec<_> = crate::fill::ROLES
            .iter()
            .chain(ALL.iter().flat_map(|scenario| scenario.roles))
            .map(|role| role.name)
            .collect();
        assert_eq!(roles.iter().collect::<BTreeSet<_>>().len(), roles.len(), "{roles:?}");
        assert_eq!(named(&[]).unwrap().len(), ALL.len());
        assert_eq!(named(&["drain".to_owned()]).unwrap()[0].name, "drain");
        let refused = named(&["drian".to_owned()]).unwrap_err().to_string();
        assert!(refused.contains("`drian`") && refused.contains("drain"), "{refused}");
    }

    #[test]
    fn sizes_are_scaled_down_to_a_least() {
        let config = Config { engines: Vec::new(), rounds: 1, scale: 0.01 };
        assert_eq!(config.count(1_000, 3), 10);
        assert_eq!(config.count(100, 3), 3);
    }
}
