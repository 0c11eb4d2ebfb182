//! The protocol of claims, as a model that is explored to its last state.

pub mod explore;
pub mod mutant;
pub mod names;
pub mod promises;
pub mod protocol;
pub mod rules;
pub mod state;
pub mod store;
mod symmetry;
mod words;
