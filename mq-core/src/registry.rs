//! Which handler does which kind: a table, filled by hand or by what derives have registered.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::context::Context;
use crate::handler::{Closure, ErasedHandler, Handler, Implemented};
use crate::job::{Job, JobOptions};
use crate::outcome::JobError;

/// One job type with its handler, as a derive registers it.
#[derive(Debug, Clone, Copy)]
pub struct Registration {
    kind: &'static str,
    was: &'static [&'static str],
    options: JobOptions,
    place: Place,
    types: fn() -> Types,
    handler: fn() -> Arc<dyn ErasedHandler>,
}

inventory::collect!(Registration);

/// Where in the user's code something was registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// `file!()`.
    pub file: &'static str,
    /// `line!()`.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// `TypeId::of` is not const on our oldest compiler, so these are asked for at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Types {
    job: TypeId,
    job_name: &'static str,
    state: TypeId,
    state_name: &'static str,
}

impl Types {
    fn of<J: 'static, S: 'static>() -> Self {
        Self {
            job: TypeId::of::<J>(),
            job_name: type_name::<J>(),
            state: TypeId::of::<S>(),
            state_name: type_name::<S>(),
        }
    }
}

impl Registration {
    /// The registration of a job type by its [`Handler`] impl.
    pub const fn of<J: Handler<S>, S: Send + Sync + 'static>(
        file: &'static str,
        line: u32,
    ) -> Self {
        Self {
            kind: J::KIND,
            was: J::WAS,
            options: J::OPTIONS,
            place: Place { file, line },
            types: Types::of::<J, S>,
            handler: || Arc::new(Implemented::<J, S>::new()),
        }
    }
}

/// A kind with its handler.
pub struct Entry {
    kind: &'static str,
    was: &'static [&'static str],
    options: JobOptions,
    place: Place,
    types: Types,
    handler: Arc<dyn ErasedHandler>,
}

impl Entry {
    /// The kind.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// What holds for all jobs of the kind.
    pub fn options(&self) -> &JobOptions {
        &self.options
    }

    /// Where it was registered.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The handler.
    pub fn handler(&self) -> &Arc<dyn ErasedHandler> {
        &self.handler
    }

    /// The type of the state that the handler needs.
    pub fn state_id(&self) -> TypeId {
        self.types.state
    }

    /// The name of that type.
    pub fn state_name(&self) -> &'static str {
        self.types.state_name
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("kind", &self.kind)
            .field("job", &self.types.job_name)
            .field("state", &self.types.state_name)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A value, so that tests and several workers in one process can have different ones.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// By kind and by former kinds.
    by_name: HashMap<&'static str, Arc<Entry>>,
    entries: Vec<Arc<Entry>>,
    problems: Vec<RegistryProblem>,
}

/// Something wrong with a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryProblem {
    /// Two types under one name.
    #[error(
        "two jobs are named `{name}`: `{first}` ({first_place}) and `{second}` ({second_place}): \
         give one of them another `#[job(name = \"…\")]`"
    )]
    Duplicate {
        /// The name that both have, or had.
        name: &'static str,
        /// One type.
        first: &'static str,
        /// Where it was registered.
        first_place: Place,
        /// The other type.
        second: &'static str,
        /// Where it was registered.
        second_place: Place,
    },
    /// A name that mq does not accept.
    #[error("the job `{job}` ({place}): {error}")]
    Name {
        /// The type.
        job: &'static str,
        /// Where it was registered.
        place: Place,
        /// What is wrong with it.
        error: crate::name::NameError,
    },
    /// A handler whose state the worker was not given.
    #[error("job `{kind}` ({place}) needs state `{state}`: call `.state(…)` with one")]
    MissingState {
        /// The kind.
        kind: &'static str,
        /// Where it was registered.
        place: Place,
        /// The type of the state.
        state: &'static str,
    },
}

impl Registry {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds everything that derives have registered in the crates linked into this program.
    ///
    /// A dependency that is never named in code is not linked, and its jobs are then missing: write
    /// `use my_jobs as _;`.
    pub fn discover(&mut self) {
        for registration in inventory::iter::<Registration> {
            self.add(registration);
        }
    }

    /// Adds a job type by its [`Handler`] impl.
    pub fn job<J: Handler<S>, S: Send + Sync + 'static>(&mut self, place: Place) {
        self.add(&Registration::of::<J, S>(place.file, place.line));
    }

    /// Adds a job type by a closure.
    pub fn job_fn<J, S, F, Fut, E>(&mut self, place: Place, function: F)
    where
        J: Job,
        S: Send + Sync + 'static,
        F: Fn(J, Context<S>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<J::Output, E>> + Send + 'static,
        E: JobError,
    {
        self.insert(Entry {
            kind: J::KIND,
            was: J::WAS,
            options: J::OPTIONS,
            place,
            types: Types::of::<J, S>(),
            handler: Arc::new(Closure::<J, S, F>::new(function)),
        });
    }

    /// Adds a registration. The same type with the same state twice is fine; two types of one name
    /// are a [problem](Self::problems).
    pub fn add(&mut self, registration: &Registration) {
        self.insert(Entry {
            kind: registration.kind,
            was: registration.was,
            options: registration.options,
            place: registration.place,
            types: (registration.types)(),
            handler: (registration.handler)(),
        });
    }

    fn insert(&mut self, entry: Entry) {
        let entry = Arc::new(entry);
        let names = std::iter::once(entry.kind).chain(entry.was.iter().copied());
        let mut known = false;
        for name in names {
            if let Err(error) = crate::name::check("job name", name) {
                let (job, place) = (entry.types.job_name, entry.place);
                self.problems.push(RegistryProblem::Name { job, place, error });
            }
            match self.by_name.get(name) {
                Some(other) if other.types == entry.types => known = true,
                Some(other) => self.problems.push(RegistryProblem::Duplicate {
                    name,
                    first: other.types.job_name,
                    first_place: other.place,
                    second: entry.types.job_name,
                    second_place: entry.place,
                }),
                None => {
                    self.by_name.insert(name, Arc::clone(&entry));
                }
            }
        }
        if !known {
            self.entries.push(entry);
        }
    }

    /// The entry of a kind, by its name or a former one.
    pub fn find(&self, kind: &str) -> Option<&Arc<Entry>> {
        self.by_name.get(kind)
    }

    /// All names that jobs may have, former ones too, with their entries.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &Arc<Entry>)> {
        self.by_name.iter().map(|(name, entry)| (*name, entry))
    }

    /// All entries, in the order they were added.
    pub fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Everything that is wrong, given the states at hand.
    pub fn problems(&self, states: &States) -> Vec<RegistryProblem> {
        let missing = self.entries.iter().filter(|entry| !states.has(entry.types.state));
        let missing = missing.map(|entry| RegistryProblem::MissingState {
            kind: entry.kind,
            place: entry.place,
            state: entry.types.state_name,
        });
        self.problems.iter().cloned().chain(missing).collect()
    }
}

/// Shared states, one per type. `()` is always there.
#[derive(Debug, Clone)]
pub struct States(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl States {
    /// Nothing but `()`.
    pub fn new() -> Self {
        let mut states = Self(HashMap::new());
        states.set(());
        states
    }

    /// Adds a state; one of the same type is replaced.
    pub fn set<S: Send + Sync + 'static>(&mut self, state: S) {
        self.0.insert(TypeId::of::<S>(), Arc::new(state));
    }

    /// The state of a type.
    pub fn find(&self, id: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        self.0.get(&id).cloned()
    }

    /// Whether there is a state of a type.
    pub fn has(&self, id: TypeId) -> bool {
        self.0.contains_key(&id)
    }
}

impl Default for States {
    fn default() -> Self {
        Self::new()
    }
}
