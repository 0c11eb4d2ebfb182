//! Sorts of input, one file each. A target is a function of bytes: it never returns anything, and
//! panics when a promise about its input is broken. The promises stand on top of its file.
//!
//! Schedules (`cron`) get a file here as soon as mq reads any.

mod cli;
mod duration;
mod file;
mod history;
mod keys;
mod names;
mod payload;
mod record;
mod replies;
mod rows;
mod store;
mod url;

/// A sort of input.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, also of its folder in `corpus`.
    pub name: &'static str,
    /// Panics when a promise is broken.
    pub check: fn(&[u8]),
    /// Inputs to begin with, which depend on nothing. What is too long for the corpus is made here.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Pieces that mean something in such inputs.
    pub words: &'static [&'static [u8]],
    /// Whether an input takes milliseconds, because it is on a disk.
    pub slow: bool,
    /// How many of a hundred inputs get past the first door at least. With fewer, a run on a commit
    /// has shown nothing: what is made of the seeds is broken.
    pub deep_min: u64,
}

/// All of them.
pub static TARGETS: [Target; 11] = [
    record::TARGET,
    history::TARGET,
    keys::TARGET,
    replies::TARGET,
    rows::TARGET,
    file::TARGET,
    cli::TARGET,
    names::TARGET,
    duration::TARGET,
    url::TARGET,
    payload::TARGET,
];

/// A target by its name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// The first `count` prefixes of an input, evenly spread: one seed for every way to be cut off.
fn cuts(input: &[u8], count: usize) -> impl Iterator<Item = Vec<u8>> {
    let step = input.len().div_ceil(count).max(1);
    input.iter().enumerate().step_by(step).map(|(at, _)| input[..at].to_vec())
}
