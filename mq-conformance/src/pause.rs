//! Holding a queue: nobody claims, everything else goes on.

use mq_core::State;
use mq_core::engine::{Act, BeatReply, Finished, QueueReply};
use mq_core::lifecycle::Transition;

use crate::Fixture;
use crate::kit::{HOUR, Hand, LEASE, MS, draft, ids, listed, put_many, queue, set};

pub async fn nobody_claims_until_it_ends(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let sent = put_many(&engine, "q", 3).await;
    engine.pause(&hand.queue).await.expect("pause");
    for _ in 0..3 {
        let reply = hand.claim(5).await;
        assert_eq!((reply.jobs, reply.queues), (Vec::new(), vec![QueueReply::Paused]));
    }
    // Seen by every handle, not only by the one that paused.
    let other = Hand::join(&fixture.second().await, "q").await;
    assert_eq!(other.claim(5).await.queues, [QueueReply::Paused]);
    engine.resume(&hand.queue).await.expect("resume");
    assert_eq!(hand.drain().await, sent);
}

pub async fn running_jobs_end_as_ever(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 3).await;
    let jobs = hand.take(3).await;
    engine.pause(&hand.queue).await.expect("pause");
    let at_ms = fixture.now_ms();
    let endings = [Transition::Done, Transition::Retry { at_ms }, Transition::Release];
    for (job, transition) in jobs.iter().zip(endings) {
        assert_eq!(hand.end(job, transition).await, Finished::Applied, "{transition:?}");
    }
    let reply = hand.beat(LEASE).await;
    assert!(matches!(reply, BeatReply::Extended { .. }), "{reply:?}");
    assert_eq!(hand.take(5).await, []);
    engine.resume(&hand.queue).await.expect("resume");
    assert_eq!(hand.take(5).await.len(), 2);
}

pub async fn enqueueing_and_the_operators_verbs_go_on(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    engine.pause(&hand.queue).await.expect("pause");
    let ready = put_many(&engine, "q", 2).await;
    let due = draft("q").after(HOUR).put(&engine).await;
    let later = draft("q").after(HOUR * 2).put(&engine).await;
    fixture.advance(HOUR).await;
    engine.promote(&hand.queue, 10).await.expect("promote");
    assert_eq!(set(&listed(&engine, "q", State::Ready).await), set(&[ready[0], ready[1], due]));
    let acts = engine.run_now(&hand.queue, &[later]).await.expect("run_now");
    assert_eq!(acts, [Act::Applied]);
    let acts = engine.delete(&hand.queue, &[ready[0]]).await.expect("delete");
    assert_eq!(acts, [Act::Applied]);
    engine.resume(&hand.queue).await.expect("resume");
    assert_eq!(set(&hand.drain().await), set(&[ready[1], due, later]));
}

pub async fn the_dead_are_found_all_the_same(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    let sent = put_many(&engine, "q", 2).await;
    hand.take(2).await;
    engine.pause(&hand.queue).await.expect("pause");
    let reaped = reaper.sweep_for(fixture, LEASE + MS).await;
    assert_eq!(set(&ids(&reaped)), set(&sent));
}

pub async fn it_says_since_when_and_twice_is_once(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let q = queue("q");
    let since = async || engine.stats(&q).await.expect("stats").paused_since_ms;
    engine.resume(&q).await.expect("resume");
    assert_eq!(since().await, None);
    let started_ms = fixture.now_ms();
    engine.pause(&q).await.expect("pause");
    fixture.advance(HOUR).await;
    engine.pause(&q).await.expect("pause");
    assert_eq!(since().await, Some(started_ms));
    engine.resume(&q).await.expect("resume");
    engine.resume(&q).await.expect("resume");
    assert_eq!(since().await, None);
}

pub async fn a_queue_that_is_paused_before_its_first_job_is_listed(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let q = queue("not yet");
    engine.pause(&q).await.expect("pause");
    assert_eq!(engine.queues().await.expect("queues"), [q]);
}

pub async fn other_queues_are_not_affected(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "b").await;
    let sent = put_many(&engine, "b", 2).await;
    engine.pause(&queue("a")).await.expect("pause");
    assert_eq!(hand.drain().await, sent);
}
