//! Looks at every state that a model can reach, the nearest ones first.
//!
//! What a state is known by is 64 bits of its hash, so that tens of millions fit into memory: with
//! 50 million states the odds that any two share one are below 1 : 10,000. States themselves are
//! kept only while their successors are looked for; a trace is found again by going along the
//! fingerprints.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::fmt;
use std::hash::{Hash, Hasher};

/// What can be explored.
pub trait Model {
    /// All that there is to know at one instant.
    type State: Clone + Hash;
    /// One thing that happens.
    type Step: Copy;

    /// Where it begins.
    fn initial(&self) -> Self::State;
    /// What can happen next.
    fn steps(&self, state: &Self::State) -> Vec<Self::Step>;
    /// What comes of a step.
    ///
    /// # Errors
    /// The promise that is broken by it, in words.
    fn apply(&self, state: &Self::State, step: Self::Step) -> Result<Self::State, String>;
    /// The same state under the names by which all its likes are known.
    fn canonical(&self, state: Self::State) -> Self::State;
    /// Whether nobody may count on this step: a fault.
    fn is_fault(&self, state: &Self::State, step: Self::Step) -> bool;
    /// Whether everything has come to its end. Without a fault such a state must be in reach from
    /// every other one, and it must be where all ways lead: none may go round for ever.
    fn is_end(&self, state: &Self::State) -> bool;
    /// A step in words, before it is taken.
    fn describe(&self, state: &Self::State, step: Self::Step) -> String;
}

/// What became of an exploration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Different states.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// Most steps that any state is away from the first one.
    pub depth: usize,
    /// Whether every state was looked at, and no bound of the explorer was in the way.
    pub is_complete: bool,
    /// The first broken promise, if there is one.
    pub broken: Option<Broken>,
}

/// A promise that does not hold, and how that comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The promise.
    pub promise: String,
    /// What happened, one line per step.
    pub trace: Vec<String>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, line) in self.trace.iter().enumerate() {
            writeln!(f, "{:>4}. {line}", at + 1)?;
        }
        write!(f, "    => {}", self.promise)
    }
}

/// Explores a model, but no more than `most` states.
pub fn explore<M: Model>(model: &M, most: usize) -> Report {
    let mut search = Search::new(model, most);
    let broken = search.run().or_else(|| search.endless());
    Report {
        states: search.parents.len(),
        steps: search.steps,
        depth: search.depth,
        is_complete: search.is_complete && broken.is_none(),
        broken,
    }
}

struct Search<'m, M: Model> {
    model: &'m M,
    most: usize,
    /// States by their fingerprints.
    known: HashMap<u64, u32>,
    /// Per state: its fingerprint, and the state from which it was first reached.
    parents: Vec<(u64, u32)>,
    ends: Vec<u32>,
    /// From where to where one can come without a fault.
    roads: Vec<(u32, u32)>,
    steps: usize,
    depth: usize,
    is_complete: bool,
}

/// States with their numbers.
type Level<M> = Vec<(u32, <M as Model>::State)>;

impl<'m, M: Model> Search<'m, M> {
    fn new(model: &'m M, most: usize) -> Self {
        Self {
            model,
            most,
            known: HashMap::new(),
            parents: Vec::new(),
            ends: Vec::new(),
            roads: Vec::new(),
            steps: 0,
            depth: 0,
            is_complete: true,
        }
    }

    /// Level by level; returns what is broken on the way.
    fn run(&mut self) -> Option<Broken> {
        let mut level = Vec::new();
        self.meet(self.model.canonical(self.model.initial()), 0, &mut level);
        while !level.is_empty() {
            let mut next = Vec::new();
            for (from, state) in level {
                for step in self.model.steps(&state) {
                    match self.model.apply(&state, step) {
                        Err(promise) => return Some(self.broken(from, promise)),
                        Ok(after) => {
                            let is_road = !self.model.is_fault(&state, step);
                            self.reach(from, is_road, after, &mut next);
                        }
                    }
                }
            }
            self.depth += usize::from(!next.is_empty());
            if self.parents.len() > self.most {
                self.is_complete = false;
                return None;
            }
            level = next;
        }
        None
    }

    fn reach(&mut self, from: u32, is_road: bool, to: M::State, next: &mut Level<M>) {
        let to = self.meet(self.model.canonical(to), from, next);
        self.steps += 1;
        if is_road && from != to {
            self.roads.push((from, to));
        }
    }

    fn meet(&mut self, state: M::State, from: u32, next: &mut Level<M>) -> u32 {
        let print = fingerprint(&state);
        match self.known.entry(print) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                let id = *unknown.insert(self.parents.len() as u32);
                self.parents.push((print, from));
                if self.model.is_end(&state) {
                    self.ends.push(id);
                }
                next.push((id, state));
                id
            }
        }
    }

    /// The nearest state from which no end is in reach, or one to which steps without a fault can
    /// come back. A step that changes nothing counts for neither.
    fn endless(&mut self) -> Option<Broken> {
        if !self.is_complete {
            return None;
        }
        self.roads.sort_unstable_by_key(|(_, to)| *to);
        let in_reach = self.before_ends(|_| true);
        if let Some(stuck) = in_reach.iter().position(|known| !known) {
            return Some(
                self.at(stuck, "no job is stuck: without a fault none is ended from here"),
            );
        }
        let mut left = vec![0_u32; self.parents.len()];
        self.roads.iter().for_each(|(from, _)| left[*from as usize] += 1);
        let sure = self.before_ends(|from| {
            left[from] -= 1;
            left[from] == 0
        });
        let round = self.round(&sure)?;
        Some(self.at(round, "no livelock: without a fault steps can come back here for ever"))
    }

    /// Goes from the ends against all roads. A state is known when this says so of a road from it
    /// to one that is.
    fn before_ends(&self, mut is_known: impl FnMut(usize) -> bool) -> Vec<bool> {
        let mut known = vec![false; self.parents.len()];
        let mut open = self.ends.clone();
        while let Some(to) = open.pop() {
            if std::mem::replace(&mut known[to as usize], true) {
                continue;
            }
            let first = self.roads.partition_point(|(_, other)| *other < to);
            let into = self.roads[first..].iter().take_while(|(_, other)| *other == to);
            let into = into.map(|(from, _)| *from);
            open.extend(into.filter(|from| !known[*from as usize] && is_known(*from as usize)));
        }
        known
    }

    /// The nearest state on a way round, if some states are not sure to come to an end: each of
    /// them has a road to another of them.
    fn round(&mut self, sure: &[bool]) -> Option<usize> {
        let mut at = sure.iter().position(|sure| !sure)?;
        self.roads.retain(|(from, to)| !sure[*from as usize] && !sure[*to as usize]);
        self.roads.sort_unstable();
        let mut way = Vec::new();
        while !way.contains(&at) {
            way.push(at);
            let first = self.roads.partition_point(|(from, _)| (*from as usize) < at);
            at = self.roads.get(first)?.1 as usize;
        }
        way.into_iter().skip_while(|other| *other != at).min()
    }

    fn at(&self, state: usize, promise: &str) -> Broken {
        let (trace, _) = self.trace(state as u32);
        Broken { promise: promise.to_owned(), trace }
    }

    fn broken(&self, at: u32, promise: String) -> Broken {
        let (mut trace, state) = self.trace(at);
        let steps = self.model.steps(&state);
        let last = steps.into_iter().find(|step| self.model.apply(&state, *step).is_err());
        trace.extend(last.map(|step| self.model.describe(&state, step)));
        // Said again, because names are other ones than those of the canonical state.
        let said = last.and_then(|step| self.model.apply(&state, step).err());
        Broken { promise: said.unwrap_or(promise), trace }
    }

    /// How to come to a state, and that state, by names that stay the same on the whole way.
    fn trace(&self, id: u32) -> (Vec<String>, M::State) {
        let (mut prints, mut at) = (Vec::new(), id);
        while at != 0 {
            let (print, from) = self.parents[at as usize];
            prints.push(print);
            at = from;
        }
        let (mut lines, mut state) = (Vec::new(), self.model.initial());
        for print in prints.into_iter().rev() {
            let next = self.model.steps(&state).into_iter().find_map(|step| {
                let after = self.model.apply(&state, step).ok()?;
                let found = fingerprint(&self.model.canonical(after.clone())) == print;
                found.then(|| (self.model.describe(&state, step), after))
            });
            let Some((line, after)) = next else {
                lines.push("(no step leads on: `canonical` does not keep what matters)".to_owned());
                break;
            };
            lines.push(line);
            state = after;
        }
        (lines, state)
    }
}

fn fingerprint<S: Hash>(state: &S) -> u64 {
    // With the same keys in every run, so that a run can be repeated.
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A counter that goes up by 1 or 2 and ends at 6.
    #[derive(Default)]
    struct Counter {
        goes_back: Option<u8>,
        trap: Option<u8>,
        forbidden: Option<u8>,
    }

    impl Model for Counter {
        type State = u8;
        type Step = u8;

        fn initial(&self) -> u8 {
            0
        }

        fn steps(&self, state: &u8) -> Vec<u8> {
            let left = if self.trap == Some(*state) { 0 } else { 6 - *state };
            let back = self.goes_back == Some(*state);
            [1, 2].into_iter().filter(|by| *by <= left).chain(back.then_some(0)).collect()
        }

        fn apply(&self, state: &u8, step: u8) -> Result<u8, String> {
            let after = if step == 0 { state - 1 } else { state + step };
            if self.forbidden == Some(after) { Err(format!("at {after}")) } else { Ok(after) }
        }

        fn canonical(&self, state: u8) -> u8 {
            state
        }

        fn is_fault(&self, _: &u8, _: u8) -> bool {
            false
        }

        fn is_end(&self, state: &u8) -> bool {
            *state == 6
        }

        fn describe(&self, state: &u8, step: u8) -> String {
            format!("{state}+{step}")
        }
    }

    #[test]
    fn every_state_is_counted_once() {
        let report = explore(&Counter::default(), 100);
        assert_eq!((report.states, report.steps, report.depth), (7, 11, 3));
        assert!(report.is_complete && report.broken.is_none(), "{report:?}");
    }

    #[test]
    fn the_shortest_way_to_a_broken_promise_is_shown() {
        let report = explore(&Counter { forbidden: Some(4), ..Counter::default() }, 100);
        let broken = report.broken.expect("4 is in reach");
        assert_eq!(broken.to_string(), "   1. 0+2\n   2. 2+2\n    => at 4");
    }

    #[test]
    fn a_state_without_a_way_to_the_end_is_found() {
        let report = explore(&Counter { trap: Some(3), ..Counter::default() }, 100);
        assert_eq!(report.broken.expect("3 is a trap").trace, ["0+1", "1+2"]);
    }

    #[test]
    fn a_way_that_goes_round_for_ever_is_found_although_an_end_is_in_reach() {
        let report = explore(&Counter { goes_back: Some(4), ..Counter::default() }, 100);
        let broken = report.broken.expect("3 and 4 are a way round");
        assert!(broken.promise.starts_with("no livelock"), "{broken}");
        assert_eq!(broken.trace, ["0+1", "1+2"]);
    }

    #[test]
    fn an_exploration_that_is_cut_off_says_so() {
        let report = explore(&Counter { trap: Some(3), ..Counter::default() }, 2);
        assert!(!report.is_complete && report.broken.is_none(), "{report:?}");
    }
}
