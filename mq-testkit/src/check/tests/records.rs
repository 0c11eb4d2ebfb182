//! What the records of producers, of the store and of samples say against each other.

use super::*;
use crate::recorder::{Answer, TIMES_TAKEN};

#[test]
fn a_failure_in_doubt_that_let_the_job_go_is_counted() {
    let claimed_again = |attempts| {
        let mut past = Past::new();
        past.enqueued(0).claimed(0, "a.1").started(0, "a.1").ended(0, "a.1", false);
        past.finishing(0, "a.1", Destination::Again, true).answered(0, "a.1", Answer::InDoubt);
        past.on(2).granted(0, "b.1", attempts, 0, false).done(0, "b.1");
        past
    };
    clean(&claimed_again(1));
    assert_eq!(violated(&claimed_again(0)), ["fencing"]);
}

#[test]
fn a_token_is_of_one_process_for_all_its_jobs() {
    let other_on = |process| {
        let mut past = Past::new();
        past.enqueued(0).enqueued(1).on(1).claimed(0, "a.1").on(process).claimed(1, "a.1");
        past.on(1).done(0, "a.1").on(process).done(1, "a.1");
        past
    };
    clean(&other_on(1));
    assert_eq!(violated(&other_on(2)), ["token"]);
}

#[test]
fn a_delay_begins_when_the_job_is_sent_at_the_earliest() {
    let delayed = |after_ms| {
        let mut past = Past::new();
        past.sent_after(0, 100).acked(0).after(after_ms).run(0, "a.1");
        past
    };
    clean(&delayed(98));
    assert_eq!(violated(&delayed(90)), ["due"]);
    clean_by(&delayed(90), &Rules { clock_steps: true, ..Rules::default() });

    let mut hurried = Past::new();
    hurried.sent_after(0, 100).acked(0).operated(0, "run_now").run(0, "a.1");
    clean(&hurried);
    let mut again = Past::new();
    again.sent_after(0, 100).acked(0).after(100).claimed(0, "a.1").failed(0, "a.1");
    clean(again.granted(0, "a.2", 1, 0, false).done(0, "a.2"));

    // A vandal has taken the time from the store; not the one who came before the job.
    for early in [true, false] {
        let mut taken = Past::new();
        let vandal = |past: &mut Past| {
            past.fault(TIMES_TAKEN, &[9]).over();
        };
        if early {
            vandal(&mut taken);
        }
        taken.sent_after(0, 100).acked(0);
        if !early {
            vandal(&mut taken);
        }
        let found = violated(taken.run(0, "a.1"));
        assert_eq!(found, if early { vec!["due"] } else { vec![] });
    }
}

#[test]
fn few_of_a_thing_may_not_become_more_and_none_may_pass_its_peak() {
    let rests_at = |last| {
        let mut past = Past::new();
        past.sample("fds", 10).after(1).sample("fds", 5_000).after(1).sample("fds", last);
        past
    };
    clean(&rests_at(10));
    assert_eq!(violated(&rests_at(11)), ["resource"]);
    let rules = |peak| Rules { peaks: [("fds".to_owned(), peak)].into(), ..Rules::default() };
    clean_by(&rests_at(10), &rules(5_000));
    assert_eq!(violated_by(&rests_at(10), &rules(4_999)), ["resource"]);
}
