//! With faults: what they explain, and what they do not.

use super::*;
use crate::recorder::{Answer, PASTS_TAKEN};

/// A worker in process 1 with a lease of 3 s starts a job, and another in process 3 sweeps.
fn begun() -> Past {
    let mut past = Past::new();
    past.on(3).joined("r", 3_000).on(1).joined("a", 3_000);
    past.enqueued(0).claimed(0, "a.1").started(0, "a.1");
    past
}

/// The job runs to its end in process 2.
fn runs_on(past: &mut Past, interruptions: u32) -> &mut Past {
    past.on(2).granted(0, "b.1", 0, interruptions, false).done(0, "b.1")
}

#[test]
fn a_takeover_from_a_worker_that_was_killed_explains_a_start() {
    let mut past = begun();
    past.fault("kill worker", &[1]).after(3_500).taken_over(0, "r.1", 0, 0);
    let verdict = clean(runs_on(&mut past, 1));
    assert_eq!(verdict.counts.causes["interrupted by kill worker"], 1);
    assert_eq!(verdict.counts.faults["kill worker"], 1);
    assert_eq!(verdict.counts.recovery.count, 1);
    assert!((3_500.0..3_510.0).contains(&verdict.counts.recovery.max_ms));
}

#[test]
fn a_takeover_from_a_worker_that_lives_is_unexplained() {
    let mut past = begun();
    past.after(1_000).taken_over(0, "r.1", 0, 0);
    runs_on(&mut past, 1).on(1).ended(0, "a.1", true);
    past.finishing(0, "a.1", Destination::Done, false).answered(0, "a.1", Answer::Fenced);
    assert_eq!(violated(&past), ["rerun"]);
}

#[test]
fn a_worker_that_lives_must_not_be_taken_for_gone_either_if_it_holds_nothing() {
    let swept = |fault| {
        let mut past = Past::new();
        past.on(3).joined("r", 3_000).on(1).joined("a", 3_000);
        if fault {
            past.fault("freeze", &[1]);
        }
        past.after(3_500).on(3).reaped("r.1", "a").on(1).enqueued(0).run(0, "b.1");
        past
    };
    clean(&swept(true));
    assert_eq!(violated(&swept(false)), ["rerun"]);
}

#[test]
fn a_worker_that_falls_silent_is_dead_unless_deaths_are_recorded() {
    let mut past = begun();
    past.after(3_500).taken_over(0, "r.1", 0, 0);
    let verdict = clean(runs_on(&mut past, 1));
    assert_eq!(verdict.counts.causes["interrupted by a silent end"], 1);
    let rules = Rules { deaths_recorded: true, ..Rules::default() };
    assert_eq!(violated_by(&past, &rules), ["rerun"]);
}

#[test]
fn an_outage_explains_a_takeover_if_it_lasted() {
    let outage = |lasted_ms, kind: &str| {
        let mut past = begun();
        past.on(9).fault(kind, &[]).after(lasted_ms).over().after(2_500);
        past.taken_over(0, "r.1", 0, 0);
        runs_on(&mut past, 1).on(1).ended(0, "a.1", true);
        past.finishing(0, "a.1", Destination::Done, false).answered(0, "a.1", Answer::Fenced);
        past
    };
    clean(&outage(1_500, "partition"));
    assert_eq!(violated(&outage(100, "partition")), ["rerun"]);
    clean(&outage(1, "clock forward"));
}

#[test]
fn a_worker_that_left_is_no_riddle() {
    let mut past = begun();
    past.left("a").taken_over(0, "r.1", 0, 0);
    let verdict = clean(runs_on(&mut past, 1));
    assert_eq!(verdict.counts.causes["interrupted by leaving"], 1);
}

#[test]
fn a_fault_that_was_long_over_explains_nothing() {
    let mut past = Past::new();
    past.on(1).joined("a", 3_000).fault("freeze", &[1]).after(100).over().after(20_000);
    past.enqueued(0).claimed(0, "a.1").started(0, "a.1").after(100);
    past.taken_over(0, "r.1", 0, 0);
    runs_on(&mut past, 1).on(1).ended(0, "a.1", true);
    assert_eq!(violated(&past), ["rerun"]);
}

#[test]
fn a_fenced_finish_is_legal_and_an_accepted_one_is_not() {
    let zombie = |said| {
        let mut past = begun();
        past.fault("freeze", &[1]).after(3_500).taken_over(0, "r.1", 0, 0);
        past.over().on(1).ended(0, "a.1", true).finishing(0, "a.1", Destination::Done, false);
        past.answered(0, "a.1", said);
        past
    };
    let mut past = zombie(Answer::Fenced);
    let verdict = clean(runs_on(&mut past, 1));
    assert_eq!(verdict.counts.fenced, 1);

    let mut past = zombie(Answer::Applied);
    let found = violated(runs_on(&mut past, 1));
    assert!(found.contains(&"fencing") && found.contains(&"outcome"), "{found:?}");
}

#[test]
fn a_finish_is_fenced_from_the_sweep_on_even_before_the_job_is_taken() {
    let mut past = begun();
    past.fault("freeze", &[1]).after(3_500).on(3).reaped("r.1", "a").on(1).ended(0, "a.1", true);
    past.finished(0, "a.1", Destination::Done);
    assert_eq!(violated(&past), ["fencing"]);
}

#[test]
fn a_worker_that_was_gone_with_nothing_may_come_back() {
    let mut past = Past::new();
    past.on(3).joined("r", 3_000).on(1).joined("a", 3_000).fault("freeze", &[1]).after(3_500);
    past.on(3).reaped("r.1", "a").over().on(1).enqueued(0).run(0, "a.1");
    past.fault("freeze", &[1]).after(3_500).on(3).reaped("r.2", "a").over();
    clean(&past);
}

#[test]
fn a_finish_that_overlaps_the_takeover_is_judged_by_the_counters() {
    // The answers crossed: the failure was applied first, and the sweep took the job as it was.
    let crossed = |attempts| {
        let mut past = begun();
        past.fault("freeze", &[1]).after(3_500).on(1).ended(0, "a.1", false);
        past.finishing(0, "a.1", Destination::Again, true);
        past.on(3).granted(0, "r.1", attempts, 0, true);
        past.on(1).answered(0, "a.1", Answer::Applied);
        past.on(3).finished(0, "r.1", Destination::Again);
        past.on(2).granted(0, "b.1", attempts, 1, false).done(0, "b.1");
        past
    };
    clean(&crossed(1));
    assert_eq!(violated(&crossed(0)), ["fencing"]);
}

#[test]
fn a_late_answer_is_not_a_late_claim() {
    // The store gave the job to a, whose answer hung; a was taken for gone, b got the job; then
    // the answer arrived.
    // The past of a job may be read by a second request, so it may tell of the takeover.
    for interruptions in [0, 1] {
        let mut past = Past::new();
        past.on(1).joined("a", 3_000).enqueued(0).fault("swallow replies", &[1]);
        let early_ms = past.now_ms();
        past.after(3_500).taken_over(0, "r.1", 0, 0).on(2).granted(0, "b.1", 0, 1, false);
        past.over().on(1);
        let (id, claim, queue) = (past.id(0), past.claim("a.1"), past::queue());
        let (attempts, now_ms, reaped) = (0, early_ms, false);
        past.event(Event::Claimed { id, claim, queue, attempts, interruptions, now_ms, reaped });
        past.started(0, "a.1").on(2).done(0, "b.1");
        past.on(1).ended(0, "a.1", true).finishing(0, "a.1", Destination::Done, false);
        past.answered(0, "a.1", Answer::Fenced);
        let verdict = clean(&past);
        assert_eq!(verdict.counts.causes["interrupted by swallow replies"], 1);
    }
}

#[test]
fn a_finish_in_doubt_may_have_had_its_effect_or_not() {
    // It had: a failure, which the store counts.
    let mut past = begun();
    past.ended(0, "a.1", false).finishing(0, "a.1", Destination::Again, true);
    past.answered(0, "a.1", Answer::InDoubt);
    past.on(2).granted(0, "b.1", 1, 0, false).done(0, "b.1");
    assert_eq!(clean(&past).counts.causes["failed"], 1);

    // It had not: the job is there and its worker died.
    let mut past = begun();
    past.ended(0, "a.1", true).finishing(0, "a.1", Destination::Done, false);
    past.fault("kill worker", &[1]).after(3_500).taken_over(0, "r.1", 0, 0);
    clean(runs_on(&mut past, 1));

    // It cannot have had: it was done, and somebody gets the job without a sweep.
    let mut past = begun();
    past.ended(0, "a.1", true).finishing(0, "a.1", Destination::Done, false);
    past.answered(0, "a.1", Answer::InDoubt);
    assert_eq!(violated(runs_on(&mut past, 0)), ["fencing", "rerun"]);
}

#[test]
fn a_job_whose_end_is_in_doubt_is_not_lost() {
    let mut past = begun();
    past.ended(0, "a.1", true).finishing(0, "a.1", Destination::Done, false);
    clean(&past);
    let mut fenced = begun();
    fenced.ended(0, "a.1", true).finishing(0, "a.1", Destination::Done, false);
    fenced.answered(0, "a.1", Answer::Fenced);
    assert_eq!(violated(&fenced), ["lost"], "fenced, nobody took it over, and it is gone");
    // The same shortly after a fault, which ends connections a moment after its own end.
    let mut shaken = begun();
    shaken.fault("cut", &[]).after(500).over().on(1).ended(0, "a.1", true);
    shaken.finishing(0, "a.1", Destination::Done, false).answered(0, "a.1", Answer::Fenced);
    clean(&shaken);
    // A request that the engine had repeated: done before the worker was fenced.
    let mut repeated = begun();
    repeated.ended(0, "a.1", true).finishing(0, "a.1", Destination::Done, false);
    repeated.fault("cut", &[]).after(3_500).over().on(1).answered(0, "a.1", Answer::Fenced);
    clean(&repeated);
}

#[test]
fn a_sweeper_that_dies_is_followed_by_the_next() {
    let mut past = begun();
    past.fault("kill worker", &[1]).after(3_500).on(3).granted(0, "r.1", 0, 0, true);
    past.fault("kill worker", &[3]).after(3_500).on(2).granted(0, "s.1", 0, 0, true);
    past.finished(0, "s.1", Destination::Again);
    let verdict = clean(runs_on(&mut past, 1));
    assert_eq!(verdict.counts.takeovers, 2);
    assert_eq!(verdict.counts.reruns, 1);
}

#[test]
fn a_claim_that_died_with_its_answer_is_taken_over_unseen() {
    let mut past = Past::new();
    past.enqueued(0).fault("kill worker", &[1]).after(3_500).taken_over(0, "r.1", 0, 0);
    let verdict = clean(runs_on(&mut past, 1));
    assert_eq!(verdict.counts.reruns, 0);
}

#[test]
fn recovery_has_a_bound_in_which_the_store_must_be_there() {
    let rules = |s| Rules { recovery: Some(Duration::from_secs(s)), ..Rules::default() };
    let mut past = begun();
    past.fault("kill worker", &[1]).after(6_000).taken_over(0, "r.1", 0, 0);
    runs_on(&mut past, 1);
    clean_by(&past, &rules(7));
    assert_eq!(violated_by(&past, &rules(5)), ["recovery"]);

    let mut away = begun();
    away.fault("kill worker", &[1]).on(9).fault("kill server", &[]).after(4_000).over();
    away.after(2_000).taken_over(0, "r.1", 0, 0);
    clean_by(runs_on(&mut away, 1), &rules(5));

    let mut alone = Past::new();
    alone.on(1).joined("a", 3_000).enqueued(0).claimed(0, "a.1").started(0, "a.1");
    alone.fault("kill worker", &[1]).after(60_000).on(3).joined("r", 3_000).after(2_000);
    alone.taken_over(0, "r.1", 0, 0);
    clean_by(runs_on(&mut alone, 1), &rules(5));
}

#[test]
fn recovery_counts_from_the_fault_that_is_not_healed() {
    let rules = Rules {
        recovery: Some(Duration::from_secs(20)),
        deaths_recorded: true,
        ..Rules::default()
    };
    let mut past = begun();
    past.fault("kill worker", &[1]).after(100_000).fault("cut", &[1]).over().after(1_000);
    past.taken_over(0, "r.1", 0, 0);
    assert_eq!(violated_by(runs_on(&mut past, 1), &rules), ["recovery"]);
}

#[test]
fn a_job_that_nobody_takes_over_is_not_recovered() {
    let rules = Rules {
        recovery: Some(Duration::from_secs(20)),
        deaths_recorded: true,
        ..Rules::default()
    };
    let left = |kind: Option<&str>, over: bool, ms| {
        let mut past = begun();
        if let Some(kind) = kind {
            past.fault(kind, &[1]);
        }
        if over {
            past.over();
        }
        past.after(ms).on(3).enqueued(1).run(1, "r.1").kept(0, State::Running);
        past
    };
    assert_eq!(violated_by(&left(Some("kill worker"), false, 21_000), &rules), ["recovery"]);
    clean_by(&left(Some("kill worker"), false, 19_000), &rules);
    clean_by(&left(None, false, 60_000), &rules);
    clean_by(&left(Some("freeze"), true, 60_000), &rules);
    clean(&left(Some("kill worker"), false, 21_000));

    // Fenced out, and the job not taken.
    let mut fenced = begun();
    fenced.fault("freeze", &[1]).after(3_500).on(3).reaped("r.1", "a").over().after(21_000);
    fenced.enqueued(1).run(1, "r.2").kept(0, State::Running);
    assert_eq!(violated_by(&fenced, &rules), ["recovery"]);
}

#[test]
fn a_job_that_others_overtake_for_ever_is_not_recovered() {
    let rules = Rules { recovery: Some(Duration::from_secs(20)), ..Rules::default() };
    let waiting = |pause_ms| {
        let mut past = Past::new();
        past.on(3).joined("r", 3_000).enqueued(0);
        for job in 1..5 {
            past.after(pause_ms).enqueued(job).run(job, "r.1");
        }
        past.kept(0, State::Ready);
        past
    };
    assert_eq!(violated_by(&waiting(6_000), &rules), ["recovery"]);
    clean_by(&waiting(4_000), &rules);

    // The others were there before, or nobody takes any.
    let mut behind = Past::new();
    behind.on(3).joined("r", 3_000).enqueued(1).enqueued(0).after(60_000).run(1, "r.1");
    clean_by(behind.kept(0, State::Ready), &rules);
}

#[test]
fn a_job_that_kills_its_workers_does_not_run_a_fourth_time() {
    let mut past = Past::new();
    past.enqueued(0);
    let claims = [("a.1", "r.1"), ("b.1", "r.2"), ("c.1", "r.3")];
    for (interruptions, (claim, sweep)) in (0..).zip(claims) {
        let process = 10 + interruptions;
        past.on(process).granted(0, claim, 0, interruptions, false).started(0, claim);
        past.fault("poison", &[process]).after(16_000);
        past.on(3).granted(0, sweep, 0, interruptions, true);
        let to = if interruptions < 2 { Destination::Again } else { Destination::Dead };
        past.finished(0, sweep, to);
    }
    clean(past.kept(0, State::Dead));

    past.end.api.clear();
    past.operated(0, "retry").on(2).granted(0, "d.1", 0, 3, false).done(0, "d.1");
    clean(&past);
    past.entries.retain(|entry| {
        !matches!(
            entry.event,
            Event::Operating { .. } | Event::Operated { .. } | Event::Finished { .. }
        )
    });
    assert!(violated(&past).contains(&"executions"));
}

#[test]
fn a_claim_that_is_taken_over_in_the_same_millisecond_came_before() {
    // Its worker was frozen for a lease, its request on the way, and it hears of it only when it is
    // thawed.
    let mut past = Past::new();
    past.on(3).joined("r", 3_000).on(1).joined("a", 3_000).enqueued(0);
    past.fault("freeze", &[1]).after(3_500);
    let now_ms = past.now_ms();
    past.taken_over(0, "r.1", 0, 0);
    past.after(1_000).on(2).granted(0, "b.1", 0, 1, false).done(0, "b.1");
    past.on(1).over().claimed(0, "a.1").started(0, "a.1").ended(0, "a.1", true);
    past.finishing(0, "a.1", Destination::Done, false).answered(0, "a.1", Answer::Fenced);
    let later = past.claim("b.1");
    for entry in &mut past.entries {
        if let Event::Claimed { claim, now_ms: told, .. } = &mut entry.event
            && *claim != later
        {
            *told = now_ms;
        }
    }
    clean(&past);
}

#[test]
fn who_takes_the_pasts_of_jobs_is_to_blame_for_what_is_not_counted() {
    let begins = |past: &mut Past| {
        past.enqueued(0).on(1).claimed(0, "a.1").started(0, "a.1");
        past.fault("kill worker", &[1]).after(16_000).taken_over(0, "r.1", 0, 0);
    };
    let mut taken = Past::new();
    begins(&mut taken);
    taken.fault(PASTS_TAKEN, &[9]).over();
    clean(runs_on(&mut taken, 0));

    for early in [true, false] {
        let mut past = Past::new();
        if early {
            past.fault(PASTS_TAKEN, &[9]).over();
        }
        begins(&mut past);
        runs_on(&mut past, 0);
        assert_eq!(violated(&past), ["fencing"]);
    }
}

#[test]
fn a_loss_needs_a_rollback_a_window_and_a_level() {
    let rules = |window_s| Rules {
        loss_window: Duration::from_secs(window_s),
        respects: Durability::Disk,
        ..Rules::default()
    };
    let cut = |level, back_ms| {
        let mut past = Past::new();
        past.sent(0).acked_at(0, level).after(700).rolled_back(back_ms);
        past
    };
    let verdict = clean_by(&cut(Durability::Disk1s, 800), &rules(1));
    assert_eq!(verdict.counts.lost_within_level, 1);
    let lost = |past: &Past, rules: &Rules| assert_eq!(violated_by(past, rules), ["lost"]);
    lost(&cut(Durability::Disk, 800), &rules(1));
    lost(&cut(Durability::Disk1s, 600), &rules(1));
    lost(&cut(Durability::Disk1s, 800), &rules(0));
    lost(&cut(Durability::Disk1s, 800), &Rules::default());
}

#[test]
fn a_rollback_undoes_ends_and_claims() {
    let run_twice = |back_ms| {
        let mut past = Past::new();
        past.enqueued(0).after(100).run(0, "a.1").rolled_back(back_ms);
        past.on(2).run(0, "b.1");
        past
    };
    let verdict = clean(&run_twice(50));
    assert_eq!(verdict.counts.causes["rolled back"], 1);
    let found = violated(&run_twice(0));
    assert!(found.contains(&"outcome") && found.contains(&"rerun"), "{found:?}");

    let mut later = Past::new();
    later.enqueued(0).rolled_back(50).run(0, "a.1").run(0, "a.2");
    assert!(violated(&later).contains(&"outcome"), "what came after it is not undone");
}

#[test]
fn a_claim_whose_end_was_undone_ends_once_more() {
    let ends_again = |back_ms| {
        let mut past = Past::new();
        past.enqueued(0).after(100).run(0, "a.1").rolled_back(back_ms);
        past.finished(0, "a.1", Destination::Done);
        past
    };
    clean(&ends_again(50));
    assert_eq!(violated(&ends_again(0)), ["outcome"]);
}

#[test]
fn a_token_that_a_rollback_made_twice_is_one_too_many() {
    let mut past = Past::new();
    past.enqueued(0).after(100).claimed(0, "a.1").rolled_back(50);
    past.on(2).claimed(0, "a.1").done(0, "a.1");
    assert_eq!(violated(&past), ["token"]);
}

#[test]
fn a_claim_is_granted_again_if_the_one_between_was_undone() {
    let granted_again = |back_ms| {
        let mut past = Past::new();
        past.enqueued(0).claimed(0, "a.1").after(100);
        past.finished(0, "a.1", Destination::HandedBack).on(2).run(0, "b.1");
        past.rolled_back(back_ms).on(1).claimed(0, "a.1").done(0, "a.1");
        past
    };
    clean(&granted_again(50));
    let found = violated(&granted_again(0));
    assert!(found.contains(&"token"), "{found:?}");
}

#[test]
fn a_worker_that_stops_hands_its_jobs_back() {
    let mut past = begun();
    past.finished(0, "a.1", Destination::HandedBack).left("a");
    let verdict = clean(runs_on(&mut past, 0));
    assert_eq!(verdict.counts.causes["handed back"], 1);
}
