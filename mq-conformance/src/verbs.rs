//! The complete table of the operators' verbs: each verb on a job in each place, with the answer
//! and the place after it. The cells that need more than a row have cases in the verbs' own files.

use std::sync::Arc;

use mq_core::JobId;
use mq_core::State;
use mq_core::engine::{Act, Engine, Finished};
use mq_core::lifecycle::Transition;

use crate::Fixture;
use crate::kit::{HOUR, Hand, Place, bring, draft, ms, past, queue, state, stored};

/// What is expected of a verb on a job in a place: the answer, the state after it, and the answer
/// to the same verb once more.
type Row = (Place, Act, Option<State>, Act);

#[derive(Debug, Clone, Copy)]
enum Verb {
    Cancel,
    Delete,
    Discard,
    Retry,
    RunNow,
    Transfer,
}

const VERBS: [Verb; 6] =
    [Verb::Cancel, Verb::Delete, Verb::Discard, Verb::Retry, Verb::RunNow, Verb::Transfer];

impl Verb {
    async fn act(self, engine: &Arc<dyn Engine>, name: &str, id: JobId) -> Act {
        let (from, ids) = (queue(name), [id]);
        let acts = match self {
            Self::Cancel => engine.cancel(&from, &ids).await,
            Self::Delete => engine.delete(&from, &ids).await,
            Self::Discard => engine.discard(&from, &ids).await,
            Self::Retry => engine.retry(&from, &ids, None).await,
            Self::RunNow => engine.run_now(&from, &ids).await,
            Self::Transfer => engine.transfer(&from, &queue("to"), &ids).await,
        };
        let acts = acts.expect("the verb");
        assert_eq!(acts.len(), 1, "one answer per job");
        acts[0]
    }
}

async fn check(fixture: &dyn Fixture, verb: Verb, keep: bool) {
    let (engine, rows) = (fixture.engine(), table(verb, keep));
    for (row, place) in rows.iter().zip(Place::ALL) {
        assert_eq!(row.0, place, "the table has every place, in order");
    }
    for (number, (place, act, after, again)) in rows.into_iter().enumerate() {
        let cell = format!("{verb:?} on {place:?}");
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let job = draft(&name).key("k");
        let job = if keep { job.retention(HOUR) } else { job };
        let id = bring(fixture, &hand, job, place).await;
        let before = stored(&engine, &name, id).await;
        assert_eq!(before.as_ref().map(|job| job.state), place.state(), "{cell}: before");
        assert_eq!(verb.act(&engine, &name, id).await, act, "{cell}");
        assert_eq!(state(&engine, &name, id).await, after, "{cell}: after");
        if matches!(act, Act::Refused(_) | Act::Already | Act::NotFound) {
            assert_eq!(stored(&engine, &name, id).await, before, "{cell}: nothing changed");
        }
        crate::fixture::inspect(&*engine).await;
        assert_eq!(verb.act(&engine, &name, id).await, again, "{cell}, again");
        assert_eq!(state(&engine, &name, id).await, after, "{cell}: after the second time");
    }
}

const NOT_THERE: Row = (Place::Absent, Act::NotFound, None, Act::NotFound);

fn refused(place: Place) -> Row {
    let state = place.state().expect("a job that is there");
    (place, Act::Refused(state), Some(state), Act::Refused(state))
}

fn gone(place: Place) -> Row {
    (place, Act::Applied, None, Act::NotFound)
}

/// What each verb does to a job in each place; kept by a retention or not.
fn table(verb: Verb, keep: bool) -> [Row; 8] {
    let cancels = |place| match keep {
        true => (place, Act::Applied, Some(State::Cancelled), Act::Already),
        false => gone(place),
    };
    let buries = |place, act| (place, act, Some(State::Dead), Act::Already);
    let readies = |place, act| (place, act, Some(State::Ready), Act::Already);
    match verb {
        Verb::Cancel => [
            NOT_THERE,
            cancels(Place::Ready),
            cancels(Place::Scheduled),
            cancels(Place::Retrying),
            (Place::Running, Act::Requested, Some(State::Running), Act::Already),
            refused(Place::Dead),
            refused(Place::Done),
            (Place::Cancelled, Act::Already, Some(State::Cancelled), Act::Already),
        ],
        Verb::Delete => [
            NOT_THERE,
            gone(Place::Ready),
            gone(Place::Scheduled),
            gone(Place::Retrying),
            refused(Place::Running),
            gone(Place::Dead),
            gone(Place::Done),
            gone(Place::Cancelled),
        ],
        Verb::Discard => [
            NOT_THERE,
            buries(Place::Ready, Act::Applied),
            buries(Place::Scheduled, Act::Applied),
            buries(Place::Retrying, Act::Applied),
            refused(Place::Running),
            buries(Place::Dead, Act::Already),
            refused(Place::Done),
            refused(Place::Cancelled),
        ],
        Verb::Retry => [
            NOT_THERE,
            readies(Place::Ready, Act::Already),
            readies(Place::Scheduled, Act::Applied),
            readies(Place::Retrying, Act::Applied),
            refused(Place::Running),
            readies(Place::Dead, Act::Applied),
            refused(Place::Done),
            readies(Place::Cancelled, Act::Applied),
        ],
        Verb::RunNow => [
            NOT_THERE,
            readies(Place::Ready, Act::Already),
            readies(Place::Scheduled, Act::Applied),
            readies(Place::Retrying, Act::Applied),
            refused(Place::Running),
            refused(Place::Dead),
            refused(Place::Done),
            refused(Place::Cancelled),
        ],
        Verb::Transfer => [
            NOT_THERE,
            gone(Place::Ready),
            gone(Place::Scheduled),
            gone(Place::Retrying),
            refused(Place::Running),
            gone(Place::Dead),
            refused(Place::Done),
            refused(Place::Cancelled),
        ],
    }
}

pub async fn cancel_in_every_state(fixture: &dyn Fixture) {
    check(fixture, Verb::Cancel, false).await;
}

pub async fn cancel_in_every_state_with_a_retention(fixture: &dyn Fixture) {
    check(fixture, Verb::Cancel, true).await;
}

pub async fn delete_in_every_state(fixture: &dyn Fixture) {
    check(fixture, Verb::Delete, true).await;
}

pub async fn discard_in_every_state(fixture: &dyn Fixture) {
    check(fixture, Verb::Discard, true).await;
}

pub async fn retry_in_every_state(fixture: &dyn Fixture) {
    check(fixture, Verb::Retry, true).await;
}

pub async fn run_now_in_every_state(fixture: &dyn Fixture) {
    check(fixture, Verb::RunNow, true).await;
}

pub async fn transfer_in_every_state(fixture: &dyn Fixture) {
    check(fixture, Verb::Transfer, true).await;
}

/// The verb and the worker's finish are under way together: one comes first, and the verb answers
/// for a job that runs or for one that has ended, never for something in between. The finish counts
/// in any case, because no verb takes a job away from its worker.
pub async fn a_verb_that_meets_a_finish_comes_before_it_or_after_it(fixture: &dyn Fixture) {
    let (engine, second) = (fixture.engine(), fixture.second().await);
    let (past, in_an_hour) = (past(1, fixture.now_ms()), fixture.now_ms() + ms(HOUR));
    let ends = [
        (Transition::Retain { until_ms: in_an_hour }, Place::Done),
        (Transition::Retry { at_ms: in_an_hour }, Place::Retrying),
        (Transition::Schedule { at_ms: in_an_hour }, Place::Scheduled),
        (Transition::Release, Place::Ready),
        (Transition::Bury, Place::Dead),
        (Transition::Done, Place::Absent),
    ];
    let cells = VERBS.iter().flat_map(|verb| ends.iter().map(move |end| (*verb, *end)));
    for (verb, (transition, place)) in cells {
        for round in 0..4 {
            let cell = format!("{verb:?} and {transition:?}");
            let name = format!("{cell} {round}");
            let hand = Hand::join(&engine, &name).await;
            let id = draft(&name).retention(HOUR).put(&engine).await;
            let job = hand.one().await;
            let verb_acts = verb.act(&second, &name, id);
            let finishes = hand.end_with(&job, transition, &past);
            // Whoever is asked first usually comes first.
            let (act, finished) = match round % 2 {
                0 => tokio::join!(verb_acts, finishes),
                _ => {
                    let (finished, act) = tokio::join!(finishes, verb_acts);
                    (act, finished)
                }
            };
            assert_eq!(finished, Finished::Applied, "{cell}");
            let row_of = |wanted| {
                let mut rows = table(verb, true).into_iter();
                rows.find(|row| row.0 == wanted).expect("a row for every place")
            };
            let after = state(&engine, &name, id).await;
            let is_before = act == row_of(Place::Running).1 && after == place.state();
            let is_after = act == row_of(place).1 && after == row_of(place).2;
            assert!(is_before || is_after, "{cell}: {act:?}, then {after:?}");
        }
    }
}

pub async fn a_batch_is_answered_in_order_whatever_is_in_it(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    for verb in VERBS {
        let name = format!("{verb:?}");
        let hand = Hand::join(&engine, &name).await;
        let mut ids = Vec::new();
        // Ready last: `bring` needs the queue empty.
        let mut places = Place::ALL.to_vec();
        places.sort_by_key(|place| *place == Place::Ready);
        for place in &places {
            let draft = draft(&name).retention(HOUR);
            ids.push(bring(fixture, &hand, draft, *place).await);
        }
        let from = queue(&name);
        let acts = match verb {
            Verb::Cancel => engine.cancel(&from, &ids).await,
            Verb::Delete => engine.delete(&from, &ids).await,
            Verb::Discard => engine.discard(&from, &ids).await,
            Verb::Retry => engine.retry(&from, &ids, None).await,
            Verb::RunNow => engine.run_now(&from, &ids).await,
            Verb::Transfer => engine.transfer(&from, &queue("to"), &ids).await,
        };
        let acts = acts.expect("the verb");
        assert_eq!(acts.len(), ids.len());
        assert_eq!(acts[0], Act::NotFound, "{verb:?}");
        for ((id, place), act) in ids.iter().zip(places).zip(acts) {
            let after = state(&engine, &name, *id).await;
            let stays = matches!(act, Act::Refused(_) | Act::Already | Act::Requested);
            assert!(!stays || after == place.state(), "{verb:?} on {place:?}: {act:?}");
        }
    }
}

pub async fn an_empty_or_unknown_request_does_nothing(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let q = queue("never heard of");
    let id = [JobId::new()];
    for ids in [&id[..], &[]] {
        let expected = vec![Act::NotFound; ids.len()];
        assert_eq!(engine.cancel(&q, ids).await.expect("cancel"), expected);
        assert_eq!(engine.delete(&q, ids).await.expect("delete"), expected);
        assert_eq!(engine.discard(&q, ids).await.expect("discard"), expected);
        assert_eq!(engine.retry(&q, ids, None).await.expect("retry"), expected);
        assert_eq!(engine.run_now(&q, ids).await.expect("run_now"), expected);
        let transferred = engine.transfer(&q, &queue("to"), ids).await;
        assert_eq!(transferred.expect("transfer"), expected);
    }
}

pub async fn a_verb_on_one_queue_does_not_touch_another(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let id = draft("a").put(&engine).await;
    draft("b").put(&engine).await;
    for verb in VERBS {
        assert_eq!(verb.act(&engine, "b", id).await, Act::NotFound, "{verb:?}");
        assert_eq!(state(&engine, "a", id).await, Some(State::Ready), "{verb:?}");
    }
}
