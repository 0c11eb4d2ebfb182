//! The runtimes that measurements use.

use std::future::Future;

use serde::{Deserialize, Serialize};

use crate::fail::Fail;

/// How a child runs its tasks. What is compared uses the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Threads {
    /// As `#[tokio::main]` does without arguments, which is what a user gets from the README.
    Usual,
    /// As `#[tokio::main(flavor = "current_thread")]` does.
    One,
}

/// Runs a future to its end.
pub(crate) fn run<F>(threads: Threads, future: F) -> Result<(), Fail>
where
    F: Future<Output = Result<(), Fail>>,
{
    let mut builder = match threads {
        Threads::Usual => tokio::runtime::Builder::new_multi_thread(),
        Threads::One => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build()?.block_on(future)
}
