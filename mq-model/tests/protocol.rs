//! The protocol of claims, explored to its last state: as it is, with what it lacks, and with
//! mistakes put in.
//!
//! `MQ_MODEL=complete`, as `./ci model` sets it, takes the larger bounds; it needs a release build.

#![expect(clippy::print_stdout, reason = "the sizes of the runs and the traces are read")]

use mq_core::clock::now;
use mq_model::explore::{Report, explore};
use mq_model::mutant::Mutant;
use mq_model::protocol::Protocol;
use mq_model::state::Faults;

/// More states than any of these runs has, so that one which grows fails and does not fill the
/// memory.
const STATES_MAX: usize = 100_000_000;

const NO_FAULTS: Faults =
    Faults { crashes: 0, lapses: 0, losses: 0, failures: 0, stops: 0, cancels: 0, rollbacks: 0 };
const STUCK: &str = "no job is stuck";
const LIVELOCK: &str = "no livelock";

fn is_complete_run() -> bool {
    std::env::var("MQ_MODEL").is_ok_and(|bounds| bounds == "complete")
}

fn run(name: &str, protocol: &Protocol) -> Report {
    let start = now();
    let report = explore(protocol, STATES_MAX);
    println!(
        "{:>9} states {:>10} steps {:>3} deep {:>6.1} s  {name}, {} jobs, {:?}",
        report.states,
        report.steps,
        report.depth,
        start.elapsed().as_secs_f64(),
        protocol.jobs,
        protocol.faults,
    );
    report
}

fn keeps_its_promises(name: &str, protocol: &Protocol) {
    let report = run(name, protocol);
    if let Some(broken) = report.broken {
        panic!("{name} breaks a promise:\n{broken}");
    }
    assert!(report.is_complete, "{name}: not all states were looked at");
}

fn breaks(name: &str, protocol: &Protocol, promise: &str) {
    let report = run(name, protocol);
    let Some(broken) = report.broken else { panic!("{name} breaks nothing") };
    println!("{broken}");
    assert!(broken.promise.starts_with(promise), "{name} breaks another promise:\n{broken}");
}

#[test]
fn two_workers_keep_their_promises_under_faults() {
    let faults = |crashes, lapses, losses, failures| Faults {
        crashes,
        lapses,
        losses,
        failures,
        ..NO_FAULTS
    };
    let small = [(3, faults(1, 0, 0, 1)), (2, faults(0, 1, 1, 0)), (1, faults(1, 1, 1, 1))];
    let large = [(3, faults(1, 1, 1, 1)), (2, faults(2, 1, 1, 1)), (2, faults(1, 1, 2, 0))];
    let all = if is_complete_run() { &large } else { &small };
    for (jobs, faults) in all {
        let mut protocol = Protocol::new(*jobs, *faults);
        protocol.joins_once = faults.losses > 1;
        keeps_its_promises("as it is", &protocol);
    }
}

#[test]
fn workers_that_stop_and_operators_that_cancel_break_nothing() {
    let faults = Faults { losses: 1, stops: 1, cancels: 1, ..NO_FAULTS };
    let more = Faults { crashes: 1, lapses: 1, ..faults };
    let (jobs, faults) = if is_complete_run() { (2, more) } else { (2, faults) };
    keeps_its_promises("stops and cancels", &Protocol::new(jobs, faults));
}

/// A store that was rolled back may say that a live worker runs a job which that worker has ended
/// long ago: its beats keep the lease, so no sweep takes the job over.
#[test]
fn after_a_rollback_a_job_can_be_stuck_with_a_live_worker() {
    let faults = Faults { rollbacks: 1, ..NO_FAULTS };
    let mut protocol = Protocol::new(1, faults);
    protocol.reconciles = false;
    breaks("rolled back", &protocol, STUCK);
}

#[test]
fn giving_back_what_it_does_not_know_of_frees_every_job_after_a_rollback() {
    let small = Faults { rollbacks: 1, losses: 1, ..NO_FAULTS };
    let large = Faults { crashes: 1, failures: 1, ..small };
    let all = if is_complete_run() { [(2, large), (3, small)] } else { [(1, small), (2, small)] };
    for (jobs, faults) in all {
        keeps_its_promises("rolled back, reconciles", &Protocol::new(jobs, faults));
    }
}

/// What else may go wrong before a rollback, after it, and between.
#[test]
fn a_rollback_beside_other_faults_allows_one_more_execution_and_stops_no_job() {
    let rolled = Faults { rollbacks: 1, ..NO_FAULTS };
    let small = [
        (1, Faults { lapses: 1, failures: 1, ..rolled }),
        (1, Faults { lapses: 1, losses: 1, ..rolled }),
        (1, Faults { crashes: 1, failures: 1, ..rolled }),
        (1, Faults { losses: 1, stops: 1, ..rolled }),
        (1, Faults { losses: 1, cancels: 1, ..rolled }),
        (2, Faults { stops: 1, cancels: 1, ..rolled }),
        (1, Faults { rollbacks: 2, lapses: 1, ..rolled }),
    ];
    let large = [
        (1, Faults { crashes: 1, lapses: 1, losses: 1, ..rolled }),
        (2, Faults { lapses: 1, losses: 1, ..rolled }),
        (1, Faults { lapses: 1, stops: 1, cancels: 1, ..rolled }),
        (1, Faults { rollbacks: 2, lapses: 1, losses: 1, ..rolled }),
    ];
    let all: &[_] = if is_complete_run() { &large } else { &small };
    for (jobs, faults) in all {
        let mut protocol = Protocol::new(*jobs, *faults);
        protocol.joins_once = true;
        keeps_its_promises("rolled back beside others", &protocol);
    }
}

/// A copy of the `join` of a worker that was taken over meanwhile would let it in again, with no
/// claim number used, so that a copy of an old claim counts as a new one. Two things prevent it,
/// each of them alone.
#[test]
fn a_late_join_does_not_let_a_late_claim_in() {
    let faults = Faults { lapses: 1, losses: 2, ..NO_FAULTS };
    let mut protocol = Protocol::new(1, faults);
    keeps_its_promises("who is gone is remembered", &protocol);
    protocol.mutant = Some(Mutant::GoneAreForgotten);
    breaks("who is gone is forgotten", &protocol, "I6");
    protocol.joins_once = true;
    keeps_its_promises("joins once", &protocol);
}

#[test]
fn every_mistake_is_found() {
    let at = |crashes, lapses, losses, failures| Faults {
        crashes,
        lapses,
        losses,
        failures,
        ..NO_FAULTS
    };
    let cases = [
        (Mutant::NobodyIsFenced, 1, at(0, 0, 1, 1), "I4"),
        (Mutant::NumberIsNotCompared, 1, at(0, 0, 1, 1), "I4"),
        (Mutant::FinishIsAppliedTwice, 1, at(0, 0, 1, 0), "I4"),
        (Mutant::ReceiptIsDroppedEarly, 2, at(0, 0, 0, 1), "I1"),
        (Mutant::UsedNumberIsForgotten, 1, at(0, 0, 1, 1), "I6"),
        (Mutant::ReapDoesNotRelease, 1, at(1, 0, 0, 0), "I3"),
        (Mutant::ReapIgnoresItsNumber, 1, at(1, 1, 1, 0), "I6"),
        (Mutant::PastIsNotStored, 1, at(0, 0, 0, 1), "I8"),
        (Mutant::RepeatHasANewNumber, 1, at(0, 0, 1, 0), STUCK),
        (Mutant::NumberIsNotRaised, 2, at(0, 0, 0, 1), "I6"),
        (Mutant::NameIsUsedAgain, 1, at(0, 1, 0, 1), "I6"),
        (Mutant::GoneAreForgotten, 1, at(0, 1, 2, 0), "I6"),
        (Mutant::ReaperGivesUp, 1, at(1, 0, 1, 0), STUCK),
        (Mutant::WorkerGivesUp, 1, at(0, 0, 1, 0), STUCK),
        (Mutant::WorkerDoubtsItself, 1, at(0, 0, 0, 0), "I8"),
        (Mutant::KeeperDoubtsItself, 1, at(1, 0, 0, 0), LIVELOCK),
    ];
    for mutant in Mutant::ALL {
        let Some((_, jobs, faults, promise)) = cases.into_iter().find(|case| case.0 == mutant)
        else {
            panic!("{mutant:?} is not tried");
        };
        let mut protocol = Protocol::new(jobs, faults);
        protocol.mutant = Some(mutant);
        // What leaves a job stuck is mended by whoever reconciles.
        protocol.reconciles = promise != STUCK;
        breaks(&format!("{mutant:?}"), &protocol, promise);
        protocol.mutant = None;
        keeps_its_promises("the same without it", &protocol);
    }
}
