//! Coming and going of workers.

use mq_core::engine::{About, BeatReply, Finished, QueueReply};
use mq_core::lifecycle::Transition;

use crate::Fixture;
use crate::kit::{Hand, LEASE, MS, ids, ms, put_many, set};

pub async fn joining_again_renews_the_lease(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    put_many(&engine, "q", 2).await;
    let jobs = hand.take(2).await;
    for _ in 0..4 {
        assert_eq!(reaper.sweep_for(fixture, LEASE / 2).await, []);
        hand.rejoin(LEASE).await;
    }
    assert_eq!(hand.end(&jobs[0], Transition::Done).await, Finished::Applied);
    let workers = engine.workers(&hand.queue).await.expect("workers");
    let stats = workers.iter().find(|stats| stats.worker == hand.worker).expect("the worker");
    assert_eq!(stats.lease_until_ms, fixture.now_ms() + ms(LEASE));
    assert_eq!(stats.running, [jobs[1].id]);
}

pub async fn joining_again_keeps_the_claims_and_their_numbers(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 4).await;
    let jobs = hand.ask(hand.token(5), 2).await.jobs;
    hand.rejoin(LEASE).await;
    assert_eq!(hand.ask(hand.token(5), 2).await.jobs, jobs);
    assert_eq!(hand.ask(hand.token(4), 2).await.jobs, []);
}

pub async fn a_worker_may_be_on_many_queues(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "a").await;
    let b = crate::kit::queue("b");
    engine.join(&b, hand.worker, LEASE, &About::default()).await.expect("join");
    engine.leave(&hand.queue, hand.worker).await.expect("leave");
    assert_eq!(engine.workers(&b).await.expect("workers").len(), 1);
    assert_eq!(engine.workers(&hand.queue).await.expect("workers").len(), 0);
}

pub async fn leaving_lets_others_have_the_jobs_at_once(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join(&engine, "q").await;
    let sent = put_many(&engine, "q", 5).await;
    let jobs = hand.take(5).await;
    assert_eq!(hand.end(&jobs[0], Transition::Done).await, Finished::Applied);
    reaper.reap(10).await;
    engine.leave(&hand.queue, hand.worker).await.expect("leave");
    let reply = reaper.reap(10).await;
    assert_eq!(set(&ids(&reply.jobs)), set(&sent[1..]));
    assert_eq!(hand.end(&jobs[1], Transition::Done).await, Finished::Fenced);
    assert_eq!(hand.claim(1).await.queues, [QueueReply::Lost]);
    assert_eq!(hand.beat(LEASE).await, BeatReply::Lost);
    assert_eq!(engine.workers(&hand.queue).await.expect("workers").len(), 1);
}

pub async fn a_worker_that_left_may_not_touch_its_jobs_even_before_the_sweep(
    fixture: &dyn Fixture,
) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join(&engine, "q").await;
    let sent = put_many(&engine, "q", 1).await;
    let jobs = hand.take(1).await;
    reaper.reap(10).await;
    engine.leave(&hand.queue, hand.worker).await.expect("leave");
    assert_eq!(hand.beat(LEASE).await, BeatReply::Lost, "a beat does not bring it back");
    let late = hand.end(&jobs[0], Transition::Done).await;
    assert_eq!(late, Finished::Fenced);
    assert_eq!(hand.claim(1).await.queues, [QueueReply::Lost]);
    assert_eq!(ids(&reaper.reap(10).await.jobs), sent);
}

pub async fn leaving_with_empty_hands_leaves_nothing(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 1).await;
    hand.end(&hand.one().await, Transition::Done).await;
    for _ in 0..2 {
        engine.leave(&hand.queue, hand.worker).await.expect("leave");
    }
    let stranger = Hand::stranger(&engine, "q");
    engine.leave(&stranger.queue, stranger.worker).await.expect("leave");
    let reaper = Hand::join(&engine, "q").await;
    reaper.reap(10).await;
    let workers = engine.workers(&hand.queue).await.expect("workers");
    assert_eq!(workers.len(), 1);
    assert_eq!(workers[0].worker, reaper.worker);
    assert_eq!(reaper.sweep_for(fixture, LEASE + MS).await, []);
}
