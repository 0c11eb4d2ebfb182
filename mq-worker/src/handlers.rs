//! Which handler runs a job, and with which state.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use mq_core::Registry;
use mq_core::registry::{Entry, States};

/// The registry and the states in one table, so that a job costs one look and not three.
#[derive(Debug)]
pub(crate) struct Handlers(HashMap<&'static str, Arc<Bound>>);

/// A kind with the state that its handler needs.
#[derive(Debug)]
pub(crate) struct Bound {
    /// What jobs call the kind: its name or a former one.
    pub(crate) name: &'static str,
    pub(crate) entry: Arc<Entry>,
    pub(crate) state: Arc<dyn Any + Send + Sync>,
}

impl Handlers {
    /// Kinds whose state is missing are left out: to this worker they are unknown.
    pub(crate) fn new(registry: &Registry, states: &States) -> Self {
        let bound = |(name, entry): (&'static str, &Arc<Entry>)| {
            let state = states.find(entry.state_id())?;
            Some((name, Arc::new(Bound { name, entry: Arc::clone(entry), state })))
        };
        Self(registry.names().filter_map(bound).collect())
    }

    pub(crate) fn find(&self, kind: &str) -> Option<&Arc<Bound>> {
        self.0.get(kind)
    }
}
