//! Takes measurements in rounds. In each round every subject is measured once, those of a case one
//! after the other, so that all of them meet the same weather on the machine. Each round begins
//! with another subject, so that none is always first.

use crate::fail::Fail;
use crate::progress::Progress;
use crate::row::{Figure, Row};
use crate::scenario::Measurement;
use crate::stop;

/// What was measured, also if something failed before the end.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) rows: Vec<Row>,
    pub(crate) failed: Option<Fail>,
}

/// Takes all measurements of a scenario, or of something else that is to be compared.
pub(crate) fn rounds(
    scenario: &str,
    plan: &[Measurement],
    rounds: usize,
    progress: &mut Progress,
) -> Outcome {
    let mut taken: Vec<Vec<Vec<Figure>>> = plan.iter().map(|_| Vec::new()).collect();
    let mut failed = None;
    'rounds: for round in 0..rounds {
        for at in order(&plan.iter().map(|one| one.case.as_str()).collect::<Vec<_>>(), round) {
            let Measurement { case, subject, take } = &plan[at];
            progress
                .begin(&format!("{scenario}, round {} of {rounds}: {case}, {subject}", round + 1));
            match stop::check().and_then(|()| take()) {
                Ok(figures) => taken[at].push(figures),
                Err(fail) => {
                    failed = Some(fail.at(&format!("{scenario}, {case}, {subject}")));
                    break 'rounds;
                }
            }
        }
    }
    progress.clear();
    let rows = plan.iter().zip(taken).flat_map(|(one, taken)| rows(scenario, one, &taken));
    Outcome { rows: rows.collect(), failed }
}

/// The order of a round: cases as they are, the subjects of each turned by one place per round.
fn order(cases: &[&str], round: usize) -> Vec<usize> {
    let mut order = Vec::with_capacity(cases.len());
    while order.len() < cases.len() {
        let start = order.len();
        let len = cases[start..].iter().take_while(|case| **case == cases[start]).count();
        order.extend((0..len).map(|at| start + (at + round) % len));
    }
    order
}

/// One row per figure, with its values of all rounds.
fn rows(scenario: &str, one: &Measurement, taken: &[Vec<Figure>]) -> Vec<Row> {
    let Some(first) = taken.first() else { return Vec::new() };
    let row = |figure: &Figure| Row {
        scenario: scenario.to_owned(),
        case: one.case.clone(),
        subject: one.subject.clone(),
        measure: figure.measure.to_owned(),
        unit: figure.unit.to_owned(),
        better: figure.better,
        samples: taken.iter().flatten().filter(same(figure)).map(|same| same.value).collect(),
    };
    first.iter().map(row).collect()
}

fn same(figure: &Figure) -> impl Fn(&&Figure) -> bool + '_ {
    move |other| other.measure == figure.measure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::higher;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[test]
    fn each_round_takes_every_subject_once_and_begins_with_another() {
        let cases = ["a", "a", "a", "b", "b"];
        assert_eq!(order(&cases, 0), [0, 1, 2, 3, 4]);
        assert_eq!(order(&cases, 1), [1, 2, 0, 4, 3]);
        assert_eq!(order(&cases, 2), [2, 0, 1, 3, 4]);
        assert_eq!(order(&[], 1), [0; 0]);
    }

    #[test]
    fn rows_have_a_sample_per_round_and_a_failure_keeps_what_was_there() {
        let calls = Rc::new(RefCell::new(0.0));
        let fails = Rc::clone(&calls);
        let plan = [
            Measurement::new("case", "good", move || {
                *calls.borrow_mut() += 1.0;
                Ok(vec![higher("rate", "1/s", *calls.borrow())])
            }),
            Measurement::new("case", "bad", move || match *fails.borrow() {
                3.0 => Err(Fail::new("broke")),
                _ => Ok(vec![higher("rate", "1/s", 7.0)]),
            }),
        ];
        let Outcome { rows, failed } = rounds("s", &plan, 2, &mut Progress::new(4));
        assert!(failed.is_none());
        assert_eq!(rows[0].samples, [1.0, 2.0]);
        assert_eq!((rows[1].subject.as_str(), &rows[1].samples[..]), ("bad", &[7.0, 7.0][..]));
        let Outcome { rows, failed } = rounds("s", &plan, 2, &mut Progress::new(4));
        assert_eq!(failed.unwrap().to_string(), "s, case, bad: broke");
        assert_eq!(rows.len(), 1);
    }
}
