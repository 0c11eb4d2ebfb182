//! Heartbeats: they keep a worker alive, bring it news, and tell it when it is too late.

use std::time::Duration;

use mq_core::JobId;
use mq_core::engine::{About, Beat, BeatReply, Finished};
use mq_core::lifecycle::Transition;

use crate::Fixture;
use crate::kit::{Hand, LEASE, MS, draft, ids, ms, put_many, set};

fn cancels(reply: BeatReply) -> Vec<JobId> {
    match reply {
        BeatReply::Extended { cancels, .. } => cancels,
        other => panic!("not extended: {other:?}"),
    }
}

pub async fn a_worker_that_beats_keeps_its_jobs(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    put_many(&engine, "q", 5).await;
    let jobs = hand.take(5).await;
    for _ in 0..20 {
        assert_eq!(reaper.sweep_for(fixture, LEASE / 2).await, []);
        let reply = hand.beat(LEASE).await;
        let now_ms = fixture.now_ms();
        assert_eq!(reply, BeatReply::Extended { cancels: Vec::new(), claims: Vec::new(), now_ms });
    }
    assert_eq!(hand.end(&jobs[4], Transition::Done).await, Finished::Applied);
}

pub async fn a_beat_says_how_long_the_lease_is(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    put_many(&engine, "q", 1).await;
    let jobs = ids(&hand.take(1).await);
    hand.beat(LEASE * 10).await;
    let workers = engine.workers(&hand.queue).await.expect("workers");
    let stats = workers.iter().find(|stats| stats.worker == hand.worker).expect("the worker");
    assert_eq!(stats.lease_until_ms, fixture.now_ms() + ms(LEASE) * 10);
    assert_eq!(reaper.sweep_for(fixture, LEASE * 10 - MS).await, []);
    assert_eq!(ids(&reaper.sweep_for(fixture, MS * 2).await), jobs);
}

pub async fn a_worker_that_was_reaped_is_told(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    put_many(&engine, "q", 2).await;
    let jobs = hand.take(2).await;
    assert_eq!(reaper.sweep_for(fixture, LEASE + MS).await.len(), 2);
    assert_eq!(hand.beat(LEASE).await, BeatReply::Lost);
    // A beat does not bring it back.
    assert_eq!(hand.beat(LEASE).await, BeatReply::Lost);
    assert_eq!(hand.end(&jobs[0], Transition::Done).await, Finished::Fenced);
}

pub async fn a_stranger_is_told(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    Hand::join(&engine, "q").await;
    assert_eq!(Hand::stranger(&engine, "q").beat(LEASE).await, BeatReply::Lost);
    assert_eq!(Hand::stranger(&engine, "never heard of").beat(LEASE).await, BeatReply::Lost);
    assert_eq!(engine.workers(&crate::kit::queue("q")).await.expect("workers").len(), 1);
}

pub async fn many_beats_are_answered_in_order(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    assert_eq!(engine.extend(Vec::new()).await.expect("extend"), []);
    let mut hands = Vec::new();
    for number in 0..30 {
        let name = format!("q{}", number % 4);
        hands.push(if number % 7 == 3 {
            Hand::stranger(&engine, &name)
        } else {
            Hand::join(&engine, &name).await
        });
    }
    let beat = |hand: &Hand| Beat {
        queue: hand.queue.clone(),
        worker: hand.worker,
        lease: LEASE,
        about: None,
        names_claims: false,
    };
    let replies = engine.extend(hands.iter().map(beat).collect()).await.expect("extend");
    assert_eq!(replies.len(), 30);
    for (number, reply) in replies.iter().enumerate() {
        assert_eq!(*reply == BeatReply::Lost, number % 7 == 3, "beat {number}: {reply:?}");
    }
}

pub async fn cancellations_reach_the_worker_until_the_job_ends(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let other = Hand::join(&engine, "other").await;
    let elsewhere = draft("other").put(&engine).await;
    let foreign = other.one().await;
    let sent = put_many(&engine, "q", 5).await;
    let jobs = hand.take(5).await;
    assert_eq!(cancels(hand.beat(LEASE).await), []);
    engine.cancel(&hand.queue, &sent[1..3]).await.expect("cancel");
    engine.cancel(&other.queue, &[elsewhere]).await.expect("cancel");
    for _ in 0..2 {
        assert_eq!(set(&cancels(hand.beat(LEASE).await)), set(&sent[1..3]));
    }
    assert_eq!(cancels(other.beat(LEASE).await), [elsewhere]);
    hand.end(&jobs[1], Transition::Cancel { until_ms: None }).await;
    assert_eq!(cancels(hand.beat(LEASE).await), [sent[2]]);
    hand.end(&jobs[2], Transition::Done).await;
    assert_eq!(cancels(hand.beat(LEASE).await), []);
    other.end(&foreign, Transition::Done).await;
}

pub async fn news_about_a_worker_is_kept_until_there_is_more(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::stranger(&engine, "q");
    let mut about = About::default();
    about.host = "größe\n\"host\"".into();
    about.concurrency = 64;
    about.kinds = vec!["mail.welcome".into(), "{}".into()];
    engine.join(&hand.queue, hand.worker, LEASE, &about).await.expect("join");
    let known = async || {
        let mut workers = engine.workers(&hand.queue).await.expect("workers");
        assert_eq!(workers.len(), 1);
        workers.remove(0).about
    };
    assert_eq!(known().await, about);
    hand.beat(LEASE).await;
    assert_eq!(known().await, about);
    about.stopping = true;
    let (queue, worker, lease) = (hand.queue.clone(), hand.worker, Duration::from_secs(1));
    let beat = Beat { queue, worker, lease, about: Some(about.clone()), names_claims: false };
    engine.extend(vec![beat]).await.expect("extend");
    assert_eq!(known().await, about);
}

pub async fn a_beat_names_the_claims_that_hold_jobs_if_it_is_to(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    let other = Hand::join_for(&engine, "other", LEASE).await;
    let named = async |hand: &Hand, names_claims: bool| {
        let (queue, worker) = (hand.queue.clone(), hand.worker);
        let beat = Beat { queue, worker, lease: LEASE, about: None, names_claims };
        let mut replies = engine.extend(vec![beat]).await.expect("extend");
        let BeatReply::Extended { mut claims, .. } = replies.remove(0) else { panic!("lost") };
        claims.sort();
        claims.iter().map(|claim| (claim.number, claim.jobs)).collect::<Vec<_>>()
    };
    assert_eq!(named(&hand, true).await, []);
    put_many(&engine, "q", 4).await;
    put_many(&engine, "other", 1).await;
    let two = hand.ask(hand.token(3), 2).await.jobs;
    let one = hand.ask(hand.token(20), 1).await.jobs;
    other.ask(other.token(7), 1).await;
    assert_eq!(named(&hand, true).await, [(3, 2), (20, 1)]);
    assert_eq!(named(&hand, false).await, []);
    assert_eq!(named(&other, true).await, [(7, 1)]);
    assert_eq!(hand.end(&two[0], Transition::Done).await, Finished::Applied);
    assert_eq!(hand.end(&one[0], Transition::Retry { at_ms: u64::MAX }).await, Finished::Applied);
    assert_eq!(hand.ask(hand.token(21), 0).await.jobs, []);
    assert_eq!(named(&hand, true).await, [(3, 1)]);
    assert_eq!(ids(&reaper.sweep_for(fixture, LEASE + MS).await), [two[1].id]);
    assert_eq!(named(&reaper, true).await.iter().map(|(_, jobs)| *jobs).collect::<Vec<_>>(), [1]);
    assert_eq!(hand.beat(LEASE).await, BeatReply::Lost);
}
