//! How handlers and claims end, and what starts after that.

use super::past::queue;
use super::*;
use crate::recorder::Answer;

#[test]
fn a_claim_ends_as_its_handler_did() {
    let ended = |ok, to, failed, late_ms| {
        let mut past = Past::new();
        past.enqueued(0).claimed(0, "a.1").started(0, "a.1");
        if to == Destination::Cancelled {
            past.operated(0, "cancel");
        }
        past.after(late_ms).ended(0, "a.1", ok);
        past.finishing(0, "a.1", to, failed).answered(0, "a.1", Answer::Applied);
        match to {
            Destination::Dead => past.kept(0, State::Dead),
            Destination::Again | Destination::HandedBack => past.kept(0, State::Scheduled),
            _ => &mut past,
        };
        past
    };
    use Destination::{Again, Cancelled, Dead, Done, HandedBack};
    for (ok, to, failed) in
        [(false, Done, false), (true, Again, true), (true, Again, false), (true, Dead, true)]
    {
        let past = ended(ok, to, failed, 0);
        assert_eq!(violated(&past), ["outcome"], "{ok} {to:?} {failed}");
        clean_by(&past, &Rules { layers: true, ..Rules::default() });
    }
    for (ok, to, failed) in [
        (true, Done, false),
        (false, Again, true),
        (false, Again, false),
        (false, Dead, true),
        (true, HandedBack, false),
        (true, Cancelled, false),
    ] {
        clean(&ended(ok, to, failed, 0));
    }
    // Its time was up, and it was given up just when it ended.
    clean(&ended(true, Again, true, 5_000));
    // It panicked behind its last word, because somebody made it.
    let mut made = Past::new();
    made.enqueued(0).claimed(0, "a.1").fault("panic", &[1]).failed(0, "a.1");
    for entry in &mut made.entries {
        if let Event::Ended { ok, .. } = &mut entry.event {
            *ok = true;
        }
    }
    clean(made.kept(0, State::Scheduled));
}

#[test]
fn a_handler_that_was_given_up_may_end_as_it_likes() {
    let mut past = Past::new();
    past.enqueued(0).claimed(0, "a.1").started(0, "a.1");
    past.finishing(0, "a.1", Destination::Dead, true).answered(0, "a.1", Answer::Applied);
    clean(past.ended(0, "a.1", true).kept(0, State::Dead));
}

#[test]
fn nothing_starts_under_a_claim_that_was_handed_back() {
    let mut past = Past::new();
    past.enqueued(0).on(1).claimed(0, "a.1").finished(0, "a.1", Destination::HandedBack);
    past.on(2).claimed(0, "b.1").started(0, "b.1");
    let sound = past.entries.clone();
    past.on(1).started(0, "a.1").ended(0, "a.1", true);
    past.on(2).ended(0, "b.1", true).finished(0, "b.1", Destination::Done);
    assert_eq!(violated(&past), ["rerun"]);
    past.entries = sound;
    clean(past.ended(0, "b.1", true).finished(0, "b.1", Destination::Done));
}

#[test]
fn who_starts_a_claim_that_is_over_has_no_slot_left_for_another() {
    let rules = Rules { concurrency: Some(1), ..Rules::default() };
    let mut past = Past::new();
    past.enqueued(0).enqueued(1).claimed(0, "a.1").finished(0, "a.1", Destination::HandedBack);
    past.claimed(1, "a.2").started(1, "a.2").started(0, "a.1").ended(0, "a.1", true);
    past.ended(1, "a.2", true).finished(1, "a.2", Destination::Done).kept(0, State::Ready);
    assert_eq!(violated_by(&past, &rules), ["rerun", "limit"]);
}

#[test]
fn nothing_starts_long_after_its_worker_knew_that_it_was_lost() {
    let started_late = |late_ms, frozen| {
        let mut past = Past::new();
        past.on(3).joined("r", 3_000).on(1).joined("a", 3_000).enqueued(0).claimed(0, "a.1");
        past.fault("freeze", &[1]).after(3_500).on(3).reaped("r.1", "a").taken_over(0, "r.1", 0, 0);
        let worker = past.over().worker("a");
        past.after(1).on(1).event(Event::Lost { worker, queue: queue() });
        past.on(2).granted(0, "b.1", 0, 1, false).started(0, "b.1");
        if frozen {
            past.fault("freeze", &[1]).after(late_ms).over();
        }
        past.after(late_ms).on(1).started(0, "a.1").ended(0, "a.1", true);
        past.finishing(0, "a.1", Destination::Done, false).answered(0, "a.1", Answer::Fenced);
        past.on(2).ended(0, "b.1", true).finished(0, "b.1", Destination::Done);
        past
    };
    clean(&started_late(100, false));
    clean(&started_late(1_000, true));
    assert_eq!(violated(&started_late(1_000, false)), ["rerun"]);
}
