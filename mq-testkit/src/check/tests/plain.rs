//! Without faults: what one job, a queue and an operator may do.

use mq_core::Priority;

use super::past::{MS, queue};
use super::*;
use crate::recorder::{Answer, Did};

#[test]
fn a_job_that_runs_once_is_clean() {
    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").started(0, "a.1").effect(0, "a.1").ended(0, "a.1", true);
    past.finished(0, "a.1", Destination::Done);
    let verdict = clean(&past);
    let counts = &verdict.counts;
    let seen = [counts.jobs, counts.acked, counts.claims, counts.starts, counts.done];
    assert_eq!(seen, [1; 5]);
    assert_eq!(counts.reruns, 0);
}

#[test]
fn lost_is_what_was_acknowledged_and_is_nowhere() {
    let mut past = Past::new();
    past.enqueued(0);
    assert_eq!(violated(&past), ["lost"]);
    clean(past.kept(0, State::Ready));

    let mut claimed = Past::new();
    claimed.enqueued(0).claimed(0, "a.1").started(0, "a.1").ended(0, "a.1", false);
    assert_eq!(violated(&claimed), ["lost"], "nobody finished it");
    claimed.finishing(0, "a.1", Destination::Again, true);
    claimed.answered(0, "a.1", Answer::Applied);
    assert_eq!(violated(&claimed), ["lost"], "it was to run again");
    clean(claimed.kept(0, State::Scheduled));
}

#[test]
fn what_an_operator_removes_is_not_lost() {
    for verb in ["delete", "cancel"] {
        let mut past = Past::new();
        clean(past.enqueued(0).operated(0, verb));
    }
    let mut past = Past::new();
    past.enqueued(0).operated(0, "run_now");
    assert_eq!(violated(&past), ["lost"]);
}

#[test]
fn a_job_that_came_back_from_the_dead_can_be_lost() {
    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").started(0, "a.1").ended(0, "a.1", false);
    past.finished(0, "a.1", Destination::Dead);
    past.operated(0, "retry");
    assert_eq!(violated(&past), ["lost"]);
    clean(past.kept(0, State::Ready));
}

#[test]
fn an_acknowledgement_may_come_after_the_end() {
    let mut past = Past::new();
    clean(past.sent(0).run(0, "a.1").acked(0));
}

#[test]
fn an_enqueue_in_doubt_may_appear_later_or_never() {
    let mut past = Past::new();
    past.sent(0).in_doubt(0).sent(1).in_doubt(1).after(5_000).run(0, "a.1");
    let verdict = clean(&past);
    assert_eq!((verdict.counts.in_doubt, verdict.counts.recovered), (2, 1));
}

#[test]
fn phantoms_run_without_being_sent_or_after_a_refusal() {
    let mut past = Past::new();
    past.run(0, "a.1");
    assert_eq!(violated(&past), ["phantom"]);

    let mut past = Past::new();
    past.sent(0).refused(0).run(0, "a.1");
    assert_eq!(violated(&past), ["phantom"]);

    let mut past = Past::new();
    clean(past.sent(0).refused(0));
    clean(past.sent(0).acked(0).run(0, "a.1"));

    let mut past = Past::new();
    past.sent(0).refused(0).kept(0, State::Ready);
    assert_eq!(violated(&past), ["phantom"]);

    let mut past = Past::new();
    past.enqueued(0).kept(0, State::Ready).kept(1, State::Ready);
    assert_eq!(violated(&past), ["phantom"], "nobody ever spoke of job 1");
}

#[test]
fn phantoms_are_events_that_nothing_leads_to() {
    type Damage = fn(&mut Past);
    let damages: [(&str, Damage); 5] = [
        ("no claim", |past| {
            past.started(0, "a.1").ended(0, "a.1", true);
        }),
        ("no start", |past| {
            past.claimed(0, "a.1");
        }),
        ("no start but an end", |past| {
            past.claimed(0, "a.1").ended(0, "a.1", true);
        }),
        ("no start but an effect", |past| {
            past.claimed(0, "a.1").effect(0, "a.1");
        }),
        ("no end", |past| {
            past.claimed(0, "a.1").started(0, "a.1");
        }),
    ];
    for (name, damage) in damages {
        let mut past = Past::new();
        damage(past.enqueued(0));
        past.finished(0, "a.1", Destination::Done);
        assert!(violated(&past).contains(&"phantom"), "{name}");
    }
    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").started(0, "a.1").ended(0, "a.1", true);
    past.answered(0, "a.1", Answer::Applied);
    assert!(violated(&past).contains(&"phantom"), "an answer without a request");
}

#[test]
fn a_job_is_done_by_a_success_and_cancelled_by_an_order() {
    let ends = |ok, to, order: bool| {
        let mut past = Past::new();
        past.enqueued(0).claimed(0, "a.1").started(0, "a.1");
        if order {
            past.operated(0, "cancel");
        }
        past.ended(0, "a.1", ok).finished(0, "a.1", to);
        past
    };
    clean(&ends(true, Destination::Done, false));
    assert_eq!(violated(&ends(false, Destination::Done, false)), ["outcome"]);
    clean(&ends(false, Destination::Cancelled, true));
    assert_eq!(violated(&ends(false, Destination::Cancelled, false)), ["phantom"]);
}

#[test]
fn a_job_that_nobody_knows_is_put_off_without_a_start() {
    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").finished(0, "a.1", Destination::Again);
    past.claimed(0, "a.2").finished(0, "a.2", Destination::Again);
    let verdict = clean(past.run(0, "b.1"));
    assert_eq!(verdict.counts.reruns, 0);

    let mut malformed = Past::new();
    malformed.enqueued(0).claimed(0, "a.1").finished(0, "a.1", Destination::Dead);
    clean(malformed.kept(0, State::Dead));
}

#[test]
fn a_duplicate_key_names_the_job_that_is_there() {
    let mut past = Past::new();
    past.sent_as(0, None, Some("k"), Priority::Normal).acked(0);
    past.sent_as(1, None, Some("k"), Priority::Normal).acked_instead(1, 0).run(0, "a.1");
    let verdict = clean(&past);
    assert_eq!(verdict.counts.duplicates, 1);

    past.run(1, "a.2");
    assert_eq!(violated(&past), ["phantom", "key"], "it was answered with another job");
}

#[test]
fn a_key_is_one_job_for_a_day() {
    let enqueued_twice = |after_ms| {
        let mut past = Past::new();
        past.sent_as(0, None, Some("k"), Priority::Normal).acked(0).run(0, "a.1");
        past.after(after_ms).sent_as(1, None, Some("k"), Priority::Normal).acked(1);
        past.run(1, "a.2");
        past
    };
    assert_eq!(violated(&enqueued_twice(1)), ["key"]);
    clean(&enqueued_twice(25 * 60 * 60 * 1000));
}

#[test]
fn failures_put_off_and_handed_back_jobs_are_counted_by_cause() {
    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").failed(0, "a.1");
    past.granted(0, "a.2", 1, 0, false).started(0, "a.2").ended(0, "a.2", false);
    past.finished(0, "a.2", Destination::Again);
    past.granted(0, "a.3", 1, 0, false).started(0, "a.3").finished(
        0,
        "a.3",
        Destination::HandedBack,
    );
    past.on(2).granted(0, "b.1", 1, 0, false).done(0, "b.1");
    let verdict = clean(&past);
    let causes: Vec<_> = verdict.counts.causes.iter().map(|(k, v)| (k.as_str(), *v)).collect();
    assert_eq!(causes, [("failed", 1), ("handed back", 1), ("put off", 1)]);
}

#[test]
fn nothing_runs_again_without_a_cause() {
    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").started(0, "a.1").on(2).claimed(0, "b.1").done(0, "b.1");
    assert_eq!(violated(&past), ["fencing", "rerun"], "granted while it was held");

    let mut twice = Past::new();
    twice.enqueued(0).claimed(0, "a.1").started(0, "a.1").done(0, "a.1");
    assert_eq!(violated(&twice), ["rerun"], "two starts under one claim");
}

#[test]
fn a_job_ends_once_unless_an_operator_takes_it_back() {
    let mut past = Past::new();
    past.enqueued(0).run(0, "a.1").run(0, "a.2");
    assert_eq!(violated(&past), ["fencing", "outcome", "rerun"]);

    let dead = |past: &mut Past, claim| {
        past.started(0, claim).ended(0, claim, false).finishing(0, claim, Destination::Dead, true);
        past.answered(0, claim, Answer::Applied);
    };
    let mut past = Past::new();
    dead(past.enqueued(0).claimed(0, "a.1"), "a.1");
    past.operated(0, "retry").granted(0, "a.2", 1, 0, false).done(0, "a.2");
    let verdict = clean(&past);
    assert_eq!(verdict.counts.causes["operator"], 1);

    let mut past = Past::new();
    dead(past.enqueued(0).claimed(0, "a.1"), "a.1");
    past.operated(0, "retry").granted(0, "a.2", 1, 0, false).done(0, "a.2");
    past.granted(0, "a.3", 1, 0, false).done(0, "a.3");
    assert_eq!(violated(&past), ["fencing", "outcome", "rerun"], "one order revives once");
}

#[test]
fn an_order_may_have_its_effect_before_its_answer_and_not_before_it_was_given() {
    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").finished(0, "a.1", Destination::Dead);
    let id = past.id(0);
    past.event(Event::Operating { id, verb: "retry".into() });
    past.run(0, "a.2");
    let early = past.entries.clone();
    past.event(Event::Operated { id, verb: "retry".into(), did: Did::Applied });
    clean(&past);
    past.entries = early;
    clean(&past);

    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").finished(0, "a.1", Destination::Dead).run(0, "a.2");
    past.operated(0, "retry");
    let found = violated(&past);
    assert!(found.contains(&"fencing") && found.contains(&"outcome"), "{found:?}");
}

#[test]
fn one_request_cannot_be_applied_twice_but_repeated() {
    let twice = |second| {
        let mut past = Past::new();
        past.enqueued(0).run(0, "a.1").finishing(0, "a.1", Destination::Done, false);
        past.answered(0, "a.1", second);
        past
    };
    assert_eq!(violated(&twice(Answer::Applied)), ["outcome"]);
    clean(&twice(Answer::Already));
}

#[test]
fn a_token_is_granted_to_one_process_and_until_another_claim() {
    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").claimed(0, "a.1").done(0, "a.1");
    clean(&past);

    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").on(2).claimed(0, "a.1").on(1).done(0, "a.1");
    assert_eq!(violated(&past), ["token"]);

    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").finished(0, "a.1", Destination::HandedBack);
    past.claimed(0, "a.2").claimed(0, "a.1").done(0, "a.2");
    assert_eq!(violated(&past), ["token"]);
}

#[test]
fn counters_say_what_came_before() {
    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").failed(0, "a.1").claimed(0, "a.2").done(0, "a.2");
    assert_eq!(violated(&past), ["fencing"], "a failure that was accepted is not counted");

    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").finished(0, "a.1", Destination::HandedBack);
    past.granted(0, "a.2", 1, 0, false).done(0, "a.2");
    assert_eq!(violated(&past), ["fencing"], "a failure that nobody had is counted");
}

#[test]
fn one_slot_takes_jobs_in_the_order_of_their_acknowledgements() {
    let rules = Rules { order: true, ..Rules::default() };
    let mut past = Past::new();
    past.enqueued(0).enqueued(1).run(1, "a.1").run(0, "a.2");
    assert_eq!(violated_by(&past, &rules), ["order"]);
    clean(&past);

    let mut overlapping = Past::new();
    overlapping.sent(0).sent(1).acked(0).acked(1).run(1, "a.1").run(0, "a.2");
    clean_by(&overlapping, &rules);

    let mut urgent = Past::new();
    urgent.enqueued(0).sent_as(1, None, None, Priority::High).acked(1);
    clean_by(urgent.run(1, "a.1").run(0, "a.2"), &rules);
}

#[test]
fn one_slot_takes_what_was_handed_back_first() {
    let rules = Rules { order: true, ..Rules::default() };
    let back = |claims: [(usize, &'static str); 2]| {
        let mut past = Past::new();
        past.enqueued(0).enqueued(1).claimed(0, "a.1").finished(0, "a.1", Destination::HandedBack);
        for (job, claim) in claims {
            past.run(job, claim);
        }
        past
    };
    clean_by(&back([(0, "a.2"), (1, "a.3")]), &rules);
    assert_eq!(violated_by(&back([(1, "a.2"), (0, "a.3")]), &rules), ["order"]);
}

#[test]
fn one_slot_runs_one_job_at_a_time() {
    let rules = Rules { order: true, ..Rules::default() };
    let mut past = Past::new();
    past.enqueued(0).enqueued(1).claimed(0, "a.1").started(0, "a.1");
    past.on(2).claimed(1, "b.1").done(1, "b.1").on(1).ended(0, "a.1", true);
    past.finished(0, "a.1", Destination::Done);
    assert_eq!(violated_by(&past, &rules), ["order"]);
    clean(&past);
}

#[test]
fn no_process_runs_more_jobs_than_it_has_slots() {
    let rules = |concurrency| Rules { concurrency: Some(concurrency), ..Rules::default() };
    let mut past = Past::new();
    past.enqueued(0).enqueued(1).claimed(0, "a.1").started(0, "a.1").claimed(1, "a.2");
    past.done(1, "a.2").ended(0, "a.1", true).finished(0, "a.1", Destination::Done);
    clean_by(&past, &rules(2));
    assert_eq!(violated_by(&past, &rules(1)), ["limit"]);

    let mut timed_out = Past::new();
    timed_out.enqueued(0).enqueued(1).claimed(0, "a.1").started(0, "a.1");
    timed_out.finishing(0, "a.1", Destination::Dead, true).answered(0, "a.1", Answer::Applied);
    timed_out.kept(0, State::Dead).run(1, "a.2");
    clean_by(&timed_out, &rules(1));
}

#[test]
fn no_job_is_granted_before_it_is_due() {
    let scheduled = |early_ms: u64| {
        let mut past = Past::new();
        let due_ms = past.now_ms() + 100;
        past.sent_as(0, Some(due_ms), None, Priority::Normal).acked(0).after(98 - early_ms);
        past.run(0, "a.1");
        past
    };
    clean(&scheduled(0));
    assert_eq!(violated(&scheduled(1)), ["due"]);

    let retried = |early_ms: u64, verb: Option<&str>| {
        let mut past = Past::new();
        past.enqueued(0).claimed(0, "a.1").started(0, "a.1").ended(0, "a.1", false);
        let due_ms = Some(past.now_ms() + 102);
        past.finishing_at(0, "a.1", Destination::Again, true, due_ms);
        past.answered(0, "a.1", Answer::Applied);
        if let Some(verb) = verb {
            past.operated(0, verb);
        }
        past.after(100 - early_ms).granted(0, "a.2", 1, 0, false).done(0, "a.2");
        past
    };
    clean(&retried(0, None));
    assert_eq!(violated(&retried(1, None)), ["due"]);
    clean(&retried(50, Some("run_now")));

    let mut hurried = Past::new();
    let due_ms = hurried.now_ms() + 1_000;
    hurried.sent_as(0, Some(due_ms), None, Priority::Normal).acked(0).operated(0, "run_now");
    hurried.claimed(0, "a.1").failed(0, "a.1").granted(0, "a.2", 1, 0, false).done(0, "a.2");
    clean(&hurried);
}

#[test]
fn a_clock_that_was_set_back_makes_nothing_early() {
    let mut past = Past::new();
    let due_ms = past.now_ms() + 100;
    past.sent_as(0, Some(due_ms), None, Priority::Normal).acked(0).enqueued(1).after(200);
    past.run(1, "a.1");
    let (id, claim, now_ms) = (past.id(0), past.claim("a.2"), due_ms - 50);
    let (attempts, interruptions, reaped) = (0, 0, false);
    let queue = queue();
    past.event(Event::Claimed { id, claim, queue, attempts, interruptions, now_ms, reaped });
    past.done(0, "a.2");
    assert_eq!(violated(&past), ["due"]);
    clean_by(&past, &Rules { clock_steps: true, ..Rules::default() });
}

#[test]
fn failures_are_bounded_and_what_was_handed_back_is_not_one() {
    let rules = Rules { max_attempts: Some(1), poison_limit: None, ..Rules::default() };
    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").started(0, "a.1").finished(
        0,
        "a.1",
        Destination::HandedBack,
    );
    clean_by(past.run(0, "a.2"), &rules);

    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").failed(0, "a.1");
    past.granted(0, "a.2", 1, 0, false).done(0, "a.2");
    assert_eq!(violated_by(&past, &rules), ["executions"]);
}

#[test]
fn a_job_is_where_its_history_ends() {
    let cases = [
        (Destination::Done, State::Ready),
        (Destination::Done, State::Dead),
        (Destination::Dead, State::Done),
        (Destination::Again, State::Done),
        (Destination::HandedBack, State::Cancelled),
        (Destination::Cancelled, State::Running),
    ];
    for (to, state) in cases {
        let mut past = Past::new();
        past.enqueued(0);
        if to == Destination::Cancelled {
            past.operated(0, "cancel");
        }
        past.claimed(0, "a.1").started(0, "a.1");
        past.ended(0, "a.1", to == Destination::Done).finished(0, "a.1", to).kept(0, state);
        assert_eq!(violated(&past), ["place"], "{to:?}, but {state}");
    }
    let mut gone = Past::new();
    gone.enqueued(0).claimed(0, "a.1").finished(0, "a.1", Destination::Dead);
    assert_eq!(violated(&gone), ["lost"], "a dead letter is kept");
    clean(gone.operated(0, "delete"));
    for state in [State::Done, State::Running] {
        let mut doubt = Past::new();
        doubt.enqueued(0).claimed(0, "a.1").started(0, "a.1").ended(0, "a.1", true);
        doubt.finishing(0, "a.1", Destination::Done, false).answered(0, "a.1", Answer::InDoubt);
        clean(doubt.kept(0, state));
    }
    for (state, found) in [(Some(State::Dead), false), (Some(State::Running), false), (None, true)]
    {
        let mut doubt = Past::new();
        doubt.enqueued(0).claimed(0, "a.1").started(0, "a.1").ended(0, "a.1", false);
        doubt.finishing(0, "a.1", Destination::Dead, true).answered(0, "a.1", Answer::InDoubt);
        if let Some(state) = state {
            doubt.kept(0, state);
        }
        assert_eq!(violated(&doubt) == ["lost"], found, "in doubt, and in {state:?}");
    }
}

#[test]
fn the_listings_agree_and_have_each_job_once() {
    let mut past = Past::new();
    past.enqueued(0).kept(0, State::Ready);
    past.end.raw = Some(past.end.api.clone());
    clean(&past);

    let mut twice = Past::new();
    twice.enqueued(0).kept(0, State::Ready).kept(0, State::Scheduled);
    assert_eq!(violated(&twice), ["place"]);

    past.end.raw = Some(Vec::new());
    assert_eq!(violated(&past), ["place"], "the API has made it up");
    past.end.raw = Some(vec![past.end.api[0].clone(); 2]);
    assert_eq!(violated(&past), ["place"], "it is in two structures");
    let mut other = past.end.api.clone();
    other[0].1.state = State::Scheduled;
    past.end.raw = Some(other);
    assert_eq!(violated(&past), ["place"], "they disagree");
    past.end.raw = None;
    past.end.findings.push("a receipt without a job".into());
    assert_eq!(violated(&past), ["place"], "the audit found something");
}

#[test]
fn resources_come_back_to_where_they_were() {
    let mut past = Past::new();
    past.sample("fds", 100).after(10).sample("fds", 180).after(10).sample("fds", 102);
    clean(&past);
    past.after(10).sample("fds", 103);
    assert_eq!(violated(&past), ["resource"]);
}

#[test]
fn the_order_of_the_entries_does_not_matter() {
    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").failed(0, "a.1").granted(0, "a.2", 1, 0, false);
    past.done(0, "a.2");
    past.entries.reverse();
    clean(&past);
    let start = past.entries.iter().map(|entry| entry.at_ns).min();
    assert_eq!(start, Some(MS));
}

#[test]
fn a_process_that_records_half_of_what_it_does_is_told_so() {
    let hinted = |without: fn(&Event) -> bool| {
        let mut past = Past::new();
        past.enqueued(0).run(0, "a.1").on(2).enqueued(1).run(1, "b.1");
        past.entries.retain(|entry| entry.process == 1 || !without(&entry.event));
        past.verdict(&Rules::default())
    };
    let layer = hinted(|event| matches!(event, Event::Started { .. } | Event::Ended { .. }));
    assert!(layer.to_string().contains("the process 2 was given jobs and started none"), "{layer}");
    let watch = hinted(|event| {
        !matches!(event, Event::Sent { .. } | Event::Started { .. } | Event::Ended { .. })
    });
    assert!(watch.to_string().contains("the process 2 started jobs and was given"), "{watch}");
    assert!(hinted(|_| false).hints.is_empty());
}
