//! Coming and going of workers.

use mq_core::engine::{About, BATCH_MAX, BeatReply, Finished, QueueReply};
use mq_core::lifecycle::Transition;

use crate::Fixture;
use crate::kit::{Hand, LEASE, LONG, MS, ids, ms, put_many, set};

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

/// A connection that broke can keep back copies of requests until long after, in any order.
pub async fn a_late_join_does_not_lift_the_fence(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    let sent = put_many(&engine, "q", 2).await;
    let job = hand.ask(hand.token(1), 1).await.jobs.remove(0);
    let taken = reaper.sweep_for(fixture, LEASE + MS).await;
    assert_eq!(ids(&taken), sent[..1]);
    assert_eq!(reaper.end(&taken[0], Transition::Release).await, Finished::Applied);
    hand.rejoin(LEASE).await;
    let late = hand.ask(hand.token(1), 1).await;
    assert_eq!((late.jobs, late.queues), (Vec::new(), vec![QueueReply::Lost]));
    assert_eq!(hand.end(&job, Transition::Done).await, Finished::Fenced);
    assert_eq!(hand.beat(LEASE).await, BeatReply::Lost);
    assert!(hand.reap(10).await.lost);
    let workers = engine.workers(&hand.queue).await.expect("workers");
    assert_eq!(workers.iter().map(|stats| stats.worker).collect::<Vec<_>>(), [reaper.worker]);
    assert_eq!(engine.stats(&hand.queue).await.expect("stats").workers, 1);
    assert_eq!(ids(&reaper.take(2).await), sent);
    assert_eq!(engine.audit(&hand.queue, false).await.expect("audit").findings, []);
}

pub async fn a_late_join_does_not_bring_back_who_has_left(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 1).await;
    assert_eq!(hand.one().await.claim, hand.token(1));
    let reaper = Hand::join(&engine, "q").await;
    reaper.reap(10).await;
    engine.leave(&hand.queue, hand.worker).await.expect("leave");
    let taken = reaper.reap(10).await.jobs;
    assert_eq!(reaper.end(&taken[0], Transition::Release).await, Finished::Applied);
    let idle = Hand::join(&engine, "q").await;
    engine.leave(&idle.queue, idle.worker).await.expect("leave");
    for gone in [&hand, &idle] {
        gone.rejoin(LEASE).await;
        let late = gone.ask(gone.token(1), 1).await;
        assert_eq!((late.jobs, late.queues), (Vec::new(), vec![QueueReply::Lost]));
    }
    assert_eq!(engine.workers(&hand.queue).await.expect("workers").len(), 1);
}

/// Not for ever, or a fleet that comes and goes would fill the store.
pub async fn so_many_that_are_gone_are_remembered_and_no_more(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let mut gone = Vec::new();
    for _ in 0..=BATCH_MAX {
        let hand = Hand::join(&engine, "q").await;
        engine.leave(&hand.queue, hand.worker).await.expect("leave");
        // The order in which they left is told by the store's clock where it has no other.
        fixture.advance(MS).await;
        gone.push(hand);
    }
    for (at, hand) in gone.iter().enumerate() {
        hand.rejoin(LONG).await;
        let is_remembered = hand.claim(1).await.queues == [QueueReply::Lost];
        assert_eq!(is_remembered, at > 0, "number {at} of {}", gone.len());
    }
}
