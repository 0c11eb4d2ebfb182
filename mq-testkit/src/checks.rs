//! Mistakes that a program finds out when it starts or when it meets an old job, found by a test.

use mq_core::registry::{RegistryProblem, States};
use mq_core::{Job, Registry};

/// Checks all jobs that `#[derive(Job)]` has registered in the crates of this test: that no two
/// have one name, now or formerly, and that all names are accepted.
///
/// The same is checked when a worker is built; a test says it before the deploy does.
///
/// # Panics
/// Naming everything that is wrong, or when there is no job at all.
#[track_caller]
pub fn check_registry() {
    let mut registry = Registry::new();
    registry.discover();
    assert!(
        !registry.is_empty(),
        "no jobs are registered in this test: is the crate that holds them linked? add \
         `use my_jobs as _;`"
    );
    let mut problems = registry.problems(&States::new());
    // Which states there are is said by the program and not by the jobs.
    problems.retain(|problem| !matches!(problem, RegistryProblem::MissingState { .. }));
    let lines: Vec<_> = problems.iter().map(|problem| format!("\n  * {problem}")).collect();
    assert!(lines.is_empty(), "the registered jobs do not fit together:{}", lines.concat());
}

/// Decodes a payload as it was stored by a former version of the program, and returns the job.
///
/// Jobs wait in a store while the program is replaced. With a payload of each former version in a
/// test, a change that would send those jobs to the dead letters does not get as far.
///
/// # Panics
/// When the payload does not decode.
#[track_caller]
#[must_use = "compare it with the job that it should be"]
pub fn golden<J: Job>(payload: &str) -> J {
    decode(payload.as_bytes())
}

#[track_caller]
pub(crate) fn decode<J: Job>(payload: &[u8]) -> J {
    match serde_json::from_slice(payload) {
        Ok(job) => job,
        Err(error) => panic!(
            "a stored `{}` does not decode: {error}; such jobs would become dead letters: give \
             new fields `#[serde(default)]` and renamed ones `#[serde(alias = \"…\")]`",
            J::KIND
        ),
    }
}
