//! What a run has taken it has given back.

use std::collections::BTreeMap;

use super::report::Report;
use super::rules::{Rules, Sample};
use super::verdict::Check;

/// How much more there may be at rest than at the beginning: one whole part of so many, so what is
/// less than that many does not grow at all.
const TOLERANCE: u64 = 50;

/// Compares the first and the last sample of each thing, and all with what there may be at most.
/// Less than at the beginning is no leak.
pub(super) fn check(samples: &[Sample], rules: &Rules, report: &mut Report) {
    for sample in samples {
        let Sample { at_ns, process, what, value } = sample;
        if let Some(peak) = rules.peaks.get(what).filter(|peak| value > peak) {
            report.add(Check::Resource, None, *at_ns, || {
                format!("process {process} had {what} of {value}, more than {peak}")
            });
        }
    }
    let mut ends: BTreeMap<(u32, &str), (&Sample, &Sample)> = BTreeMap::new();
    for sample in samples {
        let (first, last) = ends.entry((sample.process, &sample.what)).or_insert((sample, sample));
        if sample.at_ns < first.at_ns {
            *first = sample;
        }
        if sample.at_ns >= last.at_ns {
            *last = sample;
        }
    }
    for ((process, what), (first, last)) in ends {
        let most = first.value.saturating_add(first.value / TOLERANCE);
        if last.value > most {
            report.add(Check::Resource, None, last.at_ns, || {
                let (before, after) = (first.value, last.value);
                format!("process {process} began with {what} of {before} and rests at {after}")
            });
        }
    }
}
