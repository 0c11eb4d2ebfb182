//! Moving jobs to another queue of the same store.

use mq_core::engine::{Act, EnqueueReply};
use mq_core::lifecycle::Transition;
use mq_core::{Priority, State};

use crate::Fixture;
use crate::kit::{
    DAY, HOUR, Hand, Place, bring, draft, ids, listed, past, put_many, queue, set, state, stored,
};

pub async fn a_job_arrives_as_it_was(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let places = [Place::Ready, Place::Scheduled, Place::Retrying, Place::Dead];
    for (number, place) in places.into_iter().enumerate() {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let job = draft(&name).priority(Priority::Low).payload(vec![0, 255, 7]);
        let id = bring(fixture, &hand, job, place).await;
        let before = stored(&engine, &name, id).await.expect("the job");
        let acts = engine.transfer(&hand.queue, &queue("to"), &[id]).await.expect("transfer");
        assert_eq!(acts, [Act::Applied], "{place:?}");
        assert_eq!(stored(&engine, &name, id).await, None, "{place:?}");
        let mut after = stored(&engine, "to", id).await.expect("the job");
        assert_eq!(after.queue, queue("to"));
        after.queue = before.queue.clone();
        assert_eq!(after, before, "{place:?}");
    }
    let stats = engine.stats(&queue("to")).await.expect("stats");
    assert_eq!(stats.ready_by_priority, [0, 0, 1]);
    assert_eq!((stats.scheduled, stats.retrying, stats.dead), (1, 1, 1));
}

pub async fn a_moved_job_runs_there_and_nowhere_else(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let from = Hand::join(&engine, "from").await;
    let to = Hand::join(&engine, "to").await;
    let sent = put_many(&engine, "from", 5).await;
    let due = draft("from").after(HOUR).put(&engine).await;
    let mut moved = sent[1..4].to_vec();
    moved.push(due);
    engine.transfer(&from.queue, &to.queue, &moved).await.expect("transfer");
    assert_eq!(from.drain().await, [sent[0], sent[4]]);
    assert_eq!(set(&ids(&to.take(9).await)), set(&sent[1..4]));
    fixture.advance(HOUR).await;
    assert_eq!(from.drain().await, []);
    let last = to.one().await;
    assert_eq!(last.id, due);
    to.end(&last, Transition::Done).await;
}

pub async fn a_moved_job_has_its_whole_life_before_it(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let from = Hand::join(&engine, "from").await;
    let to = Hand::join(&engine, "to").await;
    let job = draft("from").priority(Priority::High);
    let id = bring(fixture, &from, job, Place::Dead).await;
    engine.transfer(&from.queue, &to.queue, &[id]).await.expect("transfer");
    engine.retry(&to.queue, &[id], None).await.expect("retry");
    let job = to.one().await;
    let at_ms = fixture.now_ms();
    to.end_with(&job, Transition::Retry { at_ms }, &past(1, at_ms)).await;
    to.end(&to.one().await, Transition::Done).await;
    assert_eq!(state(&engine, "to", id).await, None);
}

pub async fn a_moved_job_has_its_key_unless_another_has_it(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "to").await;
    let other = draft("to").key("k").put(&engine).await;
    let moved = draft("from").key("k").put(&engine).await;
    let there = draft("from").key("free").put(&engine).await;
    let acts = engine.transfer(&queue("from"), &hand.queue, &[moved, there]).await;
    assert_eq!(acts.expect("transfer"), [Act::Applied; 2]);
    let duplicate = |id| EnqueueReply { id, duplicate: true };
    assert_eq!(draft("to").key("k").send(&engine).await, duplicate(other));
    assert_eq!(draft("to").key("free").send(&engine).await, duplicate(there));
    // A key whose day is over is nobody's, pruned or not.
    engine.delete(&hand.queue, &[other, there, moved]).await.expect("delete");
    fixture.advance(DAY).await;
    let moved = draft("from").key("free").put(&engine).await;
    let acts = engine.transfer(&queue("from"), &hand.queue, &[moved]).await;
    assert_eq!(acts.expect("transfer"), [Act::Applied]);
    assert_eq!(draft("to").key("free").send(&engine).await, duplicate(moved));
}

pub async fn there_and_back_again(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let (a, b) = (queue("a"), queue("b"));
    let sent = put_many(&engine, "a", 20).await;
    for _ in 0..3 {
        let acts = engine.transfer(&a, &b, &sent).await.expect("transfer");
        assert_eq!(acts, vec![Act::Applied; 20]);
        assert_eq!(set(&listed(&engine, "b", State::Ready).await), set(&sent));
        assert_eq!(listed(&engine, "a", State::Ready).await, []);
        let acts = engine.transfer(&b, &a, &sent).await.expect("transfer");
        assert_eq!(acts, vec![Act::Applied; 20]);
    }
    let hand = Hand::join(&engine, "a").await;
    assert_eq!(set(&hand.drain().await), set(&sent));
}

pub async fn several_jobs_keep_their_order(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let sent = put_many(&engine, "from", 30).await;
    let first = put_many(&engine, "to", 2).await;
    engine.transfer(&queue("from"), &queue("to"), &sent).await.expect("transfer");
    let hand = Hand::join(&engine, "to").await;
    assert_eq!(hand.drain().await, [first, sent].concat());
}

pub async fn works_for_a_full_batch(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let sent = put_many(&engine, "from", 1_000).await;
    let acts = engine.transfer(&queue("from"), &queue("to"), &sent).await.expect("transfer");
    assert_eq!(acts, vec![Act::Applied; 1_000]);
    assert_eq!(set(&listed(&engine, "to", State::Ready).await), set(&sent));
    assert_eq!(listed(&engine, "from", State::Ready).await, []);
}

pub async fn to_the_same_queue_loses_nothing(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let sent = put_many(&engine, "q", 5).await;
    // The answer is the engine's choice, also an error; the jobs are not.
    let _ = engine.transfer(&queue("q"), &queue("q"), &sent).await;
    assert_eq!(set(&listed(&engine, "q", State::Ready).await), set(&sent));
}

pub async fn a_job_is_either_moved_or_taken(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let second = fixture.second().await;
    let sent = put_many(&engine, "from", 400).await;
    let hand = Hand::join(&engine, "from").await;
    let running = tokio::spawn(async move {
        let mut taken = Vec::new();
        loop {
            let jobs = hand.take(3).await;
            if jobs.is_empty() {
                return taken;
            }
            taken.extend(ids(&jobs));
        }
    });
    for part in sent.rchunks(3) {
        second.transfer(&queue("from"), &queue("to"), part).await.expect("transfer");
    }
    let mut all = running.await.expect("the worker");
    all.extend(listed(&engine, "to", State::Ready).await);
    assert_eq!(set(&all), set(&sent));
}
