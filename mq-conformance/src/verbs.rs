//! The complete table of the operators' verbs: each verb on a job in each place, with the answer
//! and the place after it. The cells that need more than a row have cases in the verbs' own files.

use std::sync::Arc;

use mq_core::JobId;
use mq_core::State;
use mq_core::engine::{Act, Engine};

use crate::Fixture;
use crate::kit::{HOUR, Hand, Place, bring, draft, queue, state, stored};

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

async fn check(fixture: &dyn Fixture, verb: Verb, keep: bool, rows: [Row; 8]) {
    let engine = fixture.engine();
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

pub async fn cancel_in_every_state(fixture: &dyn Fixture) {
    let gone = |place| (place, Act::Applied, None, Act::NotFound);
    let rows = [
        NOT_THERE,
        gone(Place::Ready),
        gone(Place::Scheduled),
        gone(Place::Retrying),
        (Place::Running, Act::Requested, Some(State::Running), Act::Already),
        refused(Place::Dead),
        refused(Place::Done),
        (Place::Cancelled, Act::Already, Some(State::Cancelled), Act::Already),
    ];
    check(fixture, Verb::Cancel, false, rows).await;
}

pub async fn cancel_in_every_state_with_a_retention(fixture: &dyn Fixture) {
    let kept = |place| (place, Act::Applied, Some(State::Cancelled), Act::Already);
    let rows = [
        NOT_THERE,
        kept(Place::Ready),
        kept(Place::Scheduled),
        kept(Place::Retrying),
        (Place::Running, Act::Requested, Some(State::Running), Act::Already),
        refused(Place::Dead),
        refused(Place::Done),
        (Place::Cancelled, Act::Already, Some(State::Cancelled), Act::Already),
    ];
    check(fixture, Verb::Cancel, true, rows).await;
}

pub async fn delete_in_every_state(fixture: &dyn Fixture) {
    let gone = |place| (place, Act::Applied, None, Act::NotFound);
    let rows = [
        NOT_THERE,
        gone(Place::Ready),
        gone(Place::Scheduled),
        gone(Place::Retrying),
        refused(Place::Running),
        gone(Place::Dead),
        gone(Place::Done),
        gone(Place::Cancelled),
    ];
    check(fixture, Verb::Delete, true, rows).await;
}

pub async fn discard_in_every_state(fixture: &dyn Fixture) {
    let buried = |place, act| (place, act, Some(State::Dead), Act::Already);
    let rows = [
        NOT_THERE,
        buried(Place::Ready, Act::Applied),
        buried(Place::Scheduled, Act::Applied),
        buried(Place::Retrying, Act::Applied),
        refused(Place::Running),
        buried(Place::Dead, Act::Already),
        refused(Place::Done),
        refused(Place::Cancelled),
    ];
    check(fixture, Verb::Discard, true, rows).await;
}

pub async fn retry_in_every_state(fixture: &dyn Fixture) {
    let ready = |place, act| (place, act, Some(State::Ready), Act::Already);
    let rows = [
        NOT_THERE,
        ready(Place::Ready, Act::Already),
        ready(Place::Scheduled, Act::Applied),
        ready(Place::Retrying, Act::Applied),
        refused(Place::Running),
        ready(Place::Dead, Act::Applied),
        refused(Place::Done),
        ready(Place::Cancelled, Act::Applied),
    ];
    check(fixture, Verb::Retry, true, rows).await;
}

pub async fn run_now_in_every_state(fixture: &dyn Fixture) {
    let ready = |place, act| (place, act, Some(State::Ready), Act::Already);
    let rows = [
        NOT_THERE,
        ready(Place::Ready, Act::Already),
        ready(Place::Scheduled, Act::Applied),
        ready(Place::Retrying, Act::Applied),
        refused(Place::Running),
        refused(Place::Dead),
        refused(Place::Done),
        refused(Place::Cancelled),
    ];
    check(fixture, Verb::RunNow, true, rows).await;
}

pub async fn transfer_in_every_state(fixture: &dyn Fixture) {
    let moves = |place| (place, Act::Applied, None, Act::NotFound);
    let rows = [
        NOT_THERE,
        moves(Place::Ready),
        moves(Place::Scheduled),
        moves(Place::Retrying),
        refused(Place::Running),
        moves(Place::Dead),
        refused(Place::Done),
        refused(Place::Cancelled),
    ];
    check(fixture, Verb::Transfer, true, rows).await;
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
