//! Each check on a history that it must refuse, and on the legal one that is nearest to it.

mod damages;
mod faults;
mod legal;
mod past;
mod plain;

use std::time::Duration;

use mq_core::State;
use mq_core::engine::Durability;

use self::past::Past;
use super::*;
use crate::recorder::{Destination, Event};

/// The names of the checks that a history violates, at rest and by the usual rules.
fn violated(past: &Past) -> Vec<&'static str> {
    violated_by(past, &Rules::default())
}

fn violated_by(past: &Past, rules: &Rules) -> Vec<&'static str> {
    let verdict = past.verdict(rules);
    verdict.checks().into_iter().map(Check::as_str).collect()
}

#[track_caller]
fn clean(past: &Past) -> Verdict {
    clean_by(past, &Rules::default())
}

#[track_caller]
fn clean_by(past: &Past, rules: &Rules) -> Verdict {
    let verdict = past.verdict(rules);
    verdict.assert_clean();
    verdict
}
