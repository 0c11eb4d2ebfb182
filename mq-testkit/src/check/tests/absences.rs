//! What explains that a worker was taken for gone: what kept it from being heard for long enough.

use super::past::queue;
use super::*;
use crate::recorder::{Answer, LEASES_TAKEN};

const LEASE_MS: u64 = 15_000;

/// A worker in process 1 starts a job, and another in process 3 sweeps.
fn begun(lease_ms: u64) -> Past {
    let mut past = Past::new();
    past.on(3).joined("r", lease_ms).on(1).joined("a", lease_ms);
    past.enqueued(0).claimed(0, "a.1").started(0, "a.1");
    past
}

/// The same, after some thirds of a lease in which it was heard.
fn beating(beats: usize) -> Past {
    let mut past = begun(LEASE_MS);
    for _ in 0..beats {
        past.after(LEASE_MS / 3).on(1).beats("a");
    }
    past
}

/// A sweep takes the job over, another worker runs it, and the first one ends too late.
fn taken(past: &mut Past) -> &mut Past {
    past.on(3).reaped("r.1", "a").taken_over(0, "r.1", 0, 0);
    past.on(2).granted(0, "b.1", 0, 1, false).done(0, "b.1");
    past.on(1).ended(0, "a.1", true).finishing(0, "a.1", Destination::Done, false);
    past.answered(0, "a.1", Answer::Fenced)
}

/// By rules under which silence explains nothing.
#[track_caller]
fn is_clean(past: &mut Past) -> Verdict {
    clean_by(taken(past), &Rules { deaths_recorded: true, ..Rules::default() })
}

/// The takeover and the sweep are both without a cause.
#[track_caller]
fn is_wrong(past: &mut Past, why: &str) {
    let verdict = taken(past).verdict(&Rules { deaths_recorded: true, ..Rules::default() });
    assert_eq!(verdict.checks(), [Check::Rerun], "{verdict}");
    assert_eq!(verdict.count(Check::Rerun), 2, "{verdict}");
    assert!(verdict.to_string().contains(why), "{why} in {verdict}");
}

#[test]
fn a_freeze_of_an_instant_explains_no_takeover_long_after_it() {
    let freeze = |ms| {
        let mut past = begun(LEASE_MS);
        past.after(20_000).fault("freeze", &[1]).after(ms).over().after(34_000 - ms);
        past
    };
    is_wrong(&mut freeze(5), "no fault explains why");
    is_clean(&mut freeze(33_000));
}

#[test]
fn who_is_frozen_with_the_lock_of_the_store_keeps_everybody_from_being_heard() {
    let frozen = |is_heard: bool| {
        let mut past = begun(LEASE_MS);
        past.fault("freeze", &[2]);
        for _ in 0..6 {
            past.after(LEASE_MS / 3);
            if is_heard {
                past.on(3).beats("r");
            }
        }
        past
    };
    is_clean(&mut frozen(false));
    is_wrong(&mut frozen(true), "no fault explains why");
}

#[test]
fn a_freeze_explains_no_takeover_before_the_lease_can_have_ended() {
    let frozen = |ms| {
        let mut past = beating(3);
        past.after(LEASE_MS / 3 - 100).fault("freeze", &[1]).after(ms);
        past
    };
    is_wrong(&mut frozen(1), "had 10096 ms to go");
    is_wrong(&mut frozen(9_700), "had 397 ms to go");
    is_clean(&mut frozen(10_100));
    // The last of the beats is not in the history, so that it may have been a third before.
    let mut unheard = begun(LEASE_MS);
    unheard.after(20_000).fault("freeze", &[1]).after(1);
    is_wrong(&mut unheard, "nothing kept it from being heard in 14.998 of 15.000 s");
}

#[test]
fn a_kill_explains_a_takeover_a_lease_after_the_last_beat_and_not_before() {
    let killed = |ms| {
        let mut past = beating(2);
        past.after(1_000).fault("kill", &[1]).after(ms).on(3);
        past.reaped("r.1", "a").taken_over(0, "r.1", 0, 0);
        past.on(2).granted(0, "b.1", 0, 1, false).done(0, "b.1");
        past
    };
    let verdict = clean_by(&killed(14_000), &Rules { deaths_recorded: true, ..Rules::default() });
    assert_eq!(verdict.counts.causes["interrupted by kill"], 1);
    assert_eq!(violated(&killed(13_000)), ["rerun"]);
}

#[test]
fn a_slow_network_that_is_over_explains_nothing() {
    let mut past = begun(2_000);
    past.on(9).fault("slow network", &[]).after(700).over().after(6_000);
    is_wrong(&mut past, "no fault explains why");
}

#[test]
fn what_takes_no_time_explains_nothing() {
    for kind in ["SCRIPT FLUSH", "CLIENT KILL", "cut connections"] {
        let mut past = beating(2);
        past.after(4_000).on(9).fault(kind, &[]).over().on(1).asks("a").after(4_000).asks("a");
        past.after(8_000);
        is_wrong(&mut past, "nothing kept it from being heard in 15.");
    }
}

#[test]
fn outages_explain_a_takeover_together_if_they_covered_its_beats() {
    let outages = |pause_ms| {
        let mut past = beating(2);
        for _ in 0..3 {
            past.after(pause_ms).on(9).fault("kill server", &[]).after(3_000).over();
            past.on(1).asks("a");
        }
        past.after(18_000 - 3 * (pause_ms + 3_000));
        past
    };
    is_clean(&mut outages(1_000));
    // The last of them had not begun when it was taken for gone.
    let mut late = beating(2);
    late.after(16_000);
    taken(&mut late).on(9).fault("kill server", &[]).after(3_000).over();
    let rules = Rules { deaths_recorded: true, ..Rules::default() };
    assert_eq!(violated_by(&late, &rules), ["rerun"]);
}

#[test]
fn who_is_asked_to_stop_is_there_until_it_has() {
    let mut past = beating(2);
    past.fault("stop", &[1]).after(LEASE_MS);
    is_wrong(&mut past, "no fault explains why");

    // It never came to leave.
    let mut stuck = beating(2);
    stuck.fault("stop", &[1]).after(LEASE_MS).on(3).reaped("r.1", "a").taken_over(0, "r.1", 0, 0);
    stuck.on(2).granted(0, "b.1", 0, 1, false).done(0, "b.1");
    clean_by(&stuck, &Rules { deaths_recorded: true, ..Rules::default() });
}

#[test]
fn a_worker_that_lives_and_does_not_ask_for_time_is_at_fault_whatever_hit_the_store() {
    let outage = |beats: bool| {
        let mut past = beating(2);
        past.on(9).fault("kill server", &[]);
        for _ in 0..16 {
            past.after(1_000);
            if beats {
                past.on(1).asks("a");
            }
        }
        past
    };
    is_clean(&mut outage(true));
    is_wrong(&mut outage(false), "it had asked for no more time for 16.");
}

#[test]
fn a_rollback_explains_a_takeover_unless_the_lease_was_extended_since() {
    let back = |beats: bool| {
        let mut past = Past::new();
        past.on(3).joined("r", LEASE_MS).on(1).joined("a", LEASE_MS).beats("a").rolled_back(500);
        if beats {
            past.beats("a");
        }
        past.after(1_000).on(3).reaped("r.1", "a");
        past
    };
    clean(&back(false));
    assert_eq!(violated(&back(true)), ["rerun"]);
}

#[test]
fn a_worker_that_was_not_told_that_it_is_one_is_given_up() {
    let joining = |answered: bool, ms| {
        let mut past = Past::new();
        past.on(3).joined("r", LEASE_MS).beats("r").on(1);
        if answered {
            past.joined("a", LEASE_MS);
        } else {
            past.joins("a", LEASE_MS);
        }
        past.after(ms).on(3).reaped("r.1", "a");
        past
    };
    clean(&joining(false, LEASE_MS));
    assert_eq!(violated(&joining(false, LEASE_MS / 2)), ["rerun"]);
    let rules = Rules { deaths_recorded: true, ..Rules::default() };
    assert_eq!(violated_by(&joining(true, LEASE_MS), &rules), ["rerun"]);
}

#[test]
fn leases_that_were_taken_are_not_waited_for() {
    let mut past = beating(2);
    past.on(9).fault(LEASES_TAKEN, &[1]);
    is_clean(&mut past);
}

#[test]
fn a_process_that_writes_on_was_not_silent() {
    let silent = |beats: bool| {
        let mut past = beating(2);
        past.after(LEASE_MS);
        taken(&mut past);
        // Its last words.
        let last = past.entries.len() - 3;
        past.entries.truncate(last);
        if beats {
            past.on(1).beats("other");
        }
        past
    };
    let verdict = clean(&silent(false));
    assert_eq!(verdict.counts.causes["interrupted by a silent end"], 1);
    assert_eq!(violated(&silent(true)), ["rerun"]);
    let rules = Rules { deaths_recorded: true, ..Rules::default() };
    assert_eq!(violated_by(&silent(false), &rules), ["rerun"]);
}

#[test]
fn the_faults_of_a_process_do_not_hit_the_next_one_with_its_number() {
    let reused = |spawned: bool| {
        let mut past = Past::new();
        past.on(1).joined("old", LEASE_MS).fault("kill", &[1]).after(LEASE_MS);
        if spawned {
            past.on(9).event(Event::Spawned { child: 1 });
        }
        past.on(3).joined("r", LEASE_MS).on(1).joined("a", LEASE_MS).beats("a");
        past.enqueued(0).claimed(0, "a.1").started(0, "a.1").after(LEASE_MS);
        past
    };
    is_wrong(&mut reused(true), "no fault explains why");
    is_clean(&mut reused(false));
}

#[test]
fn a_worker_is_heard_of_by_its_own_queue() {
    let mut past = begun(LEASE_MS);
    let worker = past.worker("other");
    past.event(Event::Extending { worker, queue: queue() });
    past.event(Event::Extended { worker, queue: queue() }).after(LEASE_MS);
    is_wrong(&mut past, "no fault explains why");
}
