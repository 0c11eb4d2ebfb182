//! Looking at jobs by id.

use mq_core::{JobId, State};

use crate::Fixture;
use crate::kit::{HOUR, Hand, draft, put_many, queue};

pub async fn answers_in_order_and_with_none_for_what_is_not_there(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let running = draft("q").put(&engine).await;
    hand.take(1).await;
    let ready = draft("q").put(&engine).await;
    let scheduled = draft("q").after(HOUR).put(&engine).await;
    let absent = JobId::new();
    let asked = [scheduled, absent, ready, running, ready, absent];
    let found = engine.get(&hand.queue, &asked).await.expect("get");
    let found: Vec<_> = found.iter().map(|job| job.as_ref().map(|job| job.id)).collect();
    let expected = asked.map(|id| (id != absent).then_some(id));
    assert_eq!(found, expected);
}

pub async fn names_the_worker_that_runs_the_job(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hands = [Hand::join(&engine, "q").await, Hand::join(&engine, "q").await];
    let sent = put_many(&engine, "q", 4).await;
    for hand in &hands {
        hand.take(2).await;
    }
    let found = engine.get(&queue("q"), &sent).await.expect("get");
    for (at, job) in found.into_iter().enumerate() {
        let job = job.expect("the job");
        assert_eq!((job.state, job.worker), (State::Running, Some(hands[at / 2].worker)));
    }
}

pub async fn a_full_batch_and_an_empty_one(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let sent = put_many(&engine, "q", 1_000).await;
    let found = engine.get(&queue("q"), &sent).await.expect("get");
    let found: Vec<_> = found.into_iter().flatten().map(|job| job.id).collect();
    assert_eq!(found, sent);
    assert_eq!(engine.get(&queue("q"), &[]).await.expect("get"), []);
    assert_eq!(engine.get(&queue("never heard of"), &sent[..1]).await.expect("get"), [None]);
}
