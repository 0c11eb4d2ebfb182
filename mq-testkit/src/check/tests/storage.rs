//! What was stored and is gone: by whose word it was stored, and who may have ended it.

use super::*;
use crate::recorder::{Answer, Did};

#[test]
fn a_dead_letter_in_doubt_is_dead_or_was_never_let_go() {
    let buried = || {
        let mut past = Past::new();
        past.enqueued(0).claimed(0, "a.1").started(0, "a.1").ended(0, "a.1", false);
        past.finishing(0, "a.1", Destination::Dead, true).answered(0, "a.1", Answer::InDoubt);
        past
    };
    assert_eq!(violated(&buried()), ["lost"]);
    for state in [State::Dead, State::Running] {
        clean(buried().kept(0, state));
    }
    assert_eq!(violated(buried().kept(0, State::Ready)), ["place"]);
    clean(buried().operated(0, "delete"));
}

#[test]
fn to_ask_a_worker_to_cancel_ends_no_job() {
    let asked = |did| {
        let mut past = Past::new();
        past.enqueued(0).claimed(0, "a.1").started(0, "a.1").on(5).ordered(0, "cancel", did);
        past.on(1).ended(0, "a.1", false).finishing(0, "a.1", Destination::Again, true);
        past.answered(0, "a.1", Answer::Applied);
        past
    };
    assert_eq!(violated(&asked(Did::Requested)), ["lost"]);
    clean(asked(Did::Requested).kept(0, State::Scheduled));
    assert_eq!(violated(asked(Did::Requested).kept(0, State::Cancelled)), ["place"]);
    clean(&asked(Did::InDoubt));

    let mut obeyed = Past::new();
    obeyed.enqueued(0).claimed(0, "a.1").started(0, "a.1").on(5);
    obeyed.ordered(0, "cancel", Did::Requested).on(1).ended(0, "a.1", false);
    clean(obeyed.finished(0, "a.1", Destination::Cancelled));
}

#[test]
fn an_operator_who_took_a_job_back_has_not_removed_it() {
    let mut past = Past::new();
    past.enqueued(0).operated(0, "cancel").operated(0, "retry");
    assert_eq!(violated(&past), ["lost"]);
    clean(past.operated(0, "delete"));

    let mut run = Past::new();
    run.enqueued(0).operated(0, "cancel").operated(0, "retry").claimed(0, "a.1").failed(0, "a.1");
    assert_eq!(violated(&run), ["lost"]);
    clean(run.kept(0, State::Scheduled));

    // Which of two orders at a time came first nobody knows.
    let mut both = Past::new();
    both.enqueued(0).operated(0, "cancel");
    let id = both.id(0);
    both.on(5).event(Event::Operating { id, verb: "retry".into() });
    both.on(6).operated(0, "cancel").on(5);
    clean(both.event(Event::Operated { id, verb: "retry".into(), did: Did::Applied }));
}

#[test]
fn an_order_in_trouble_may_have_been_carried_out_before_the_copy_that_was_answered() {
    let mut past = Past::new();
    let id = past.enqueued(0).id(0);
    past.event(Event::Operating { id, verb: "delete".into() }).fault("cut", &[]).over();
    clean(past.event(Event::Operated { id, verb: "delete".into(), did: Did::Nothing }));

    let mut calm = Past::new();
    calm.enqueued(0).ordered(0, "delete", Did::Nothing);
    assert_eq!(violated(&calm), ["lost"]);
}

fn keyed<'a>(past: &'a mut Past, job: usize, key: &str) -> &'a mut Past {
    past.sent_as(job, None, Some(key), Priority::Normal)
}

#[test]
fn a_job_that_is_named_in_place_of_another_is_stored() {
    let confirmed = || {
        let mut past = Past::new();
        keyed(&mut past, 0, "k").in_doubt(0);
        keyed(&mut past, 1, "k").acked_instead(1, 0);
        past
    };
    assert_eq!(violated(&confirmed()), ["lost"]);
    clean(confirmed().run(0, "a.1"));
    clean(confirmed().kept(0, State::Ready));
    clean(confirmed().operated(0, "delete"));
}

#[test]
fn a_job_that_is_named_in_place_of_another_has_its_key_and_queue() {
    let named = |key| {
        let mut past = Past::new();
        keyed(&mut past, 1, key).acked(1).run(1, "a.1");
        keyed(&mut past, 0, "k").acked_instead(0, 1);
        past
    };
    clean(&named("k"));
    assert_eq!(violated(&named("other")), ["key"]);

    let mut invented = Past::new();
    keyed(&mut invented, 0, "k").acked_instead(0, 1);
    assert_eq!(violated(&invented), ["key"], "nobody sent it");

    let mut late = Past::new();
    keyed(&mut late, 0, "k").acked_instead(0, 1);
    keyed(&mut late, 1, "k").acked(1).run(1, "a.1");
    assert_eq!(violated(&late), ["key"], "nobody had sent it yet");

    let mut bare = Past::new();
    bare.enqueued(1).sent(0).acked_instead(0, 1).run(1, "a.1");
    assert_eq!(violated(&bare), ["key"], "without a key nothing is a duplicate");

    let elsewhere = |moved: bool| {
        let mut past = Past::new();
        let (id, queue) = (past.id(1), mq_core::QueueName::new("other").unwrap());
        let (priority, key) = (Priority::Normal, Some("k".to_owned()));
        past.event(Event::Sent { id, queue, priority, due_ms: None, delay_ms: None, key });
        past.acked(1).run(1, "a.1");
        if moved {
            past.operated(1, "transfer");
        }
        keyed(&mut past, 0, "k").acked_instead(0, 1);
        past
    };
    assert_eq!(violated(&elsewhere(false)), ["key"]);
    clean(&elsewhere(true));
}

#[test]
fn what_was_claimed_is_somewhere_whoever_acknowledged_it() {
    let mut past = Past::new();
    past.sent(0).in_doubt(0).claimed(0, "a.1").failed(0, "a.1");
    assert_eq!(violated(&past), ["place"]);
    clean(past.kept(0, State::Scheduled));
}
