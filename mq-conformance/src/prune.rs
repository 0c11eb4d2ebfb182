//! Forgetting: what retention and bounds say, in bounded portions, and nothing else.

use mq_core::engine::{EnqueueReply, Progress, PruneLimits};
use mq_core::lifecycle::Transition;
use mq_core::{JobId, Priority, State};

use crate::Fixture;
use crate::kit::{
    DAY, HOUR, Hand, MS, Place, bring, draft, finish, listed, ms, past, put_many, queue, state,
    stored,
};

fn limits(dead_count: usize, dead_age_ms: u64, batch: usize) -> PruneLimits {
    let mut limits = PruneLimits::default();
    (limits.dead_count, limits.dead_age_ms, limits.batch) = (dead_count, dead_age_ms, batch);
    limits
}

/// Prunes until nothing is left to do; answers with how much was done.
async fn prune(fixture: &dyn Fixture, name: &str, limits: PruneLimits) -> usize {
    let mut done = 0;
    loop {
        let progress = fixture.engine().prune(&queue(name), limits).await.expect("prune");
        done += progress.done;
        if !progress.more {
            return done;
        }
        assert!(progress.done > 0, "nothing done, yet more to do");
    }
}

pub async fn removes_kept_jobs_when_their_time_is_up(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let done = bring(fixture, &hand, draft("q"), Place::Done).await;
    let job = draft("q").key("k").priority(Priority::Low);
    let cancelled = bring(fixture, &hand, job, Place::Cancelled).await;
    fixture.advance(HOUR - MS).await;
    prune(fixture, "q", PruneLimits::default()).await;
    assert_eq!(state(&engine, "q", done).await, Some(State::Done));
    assert_eq!(state(&engine, "q", cancelled).await, Some(State::Cancelled));
    fixture.advance(MS * 2).await;
    prune(fixture, "q", PruneLimits::default()).await;
    assert_eq!(stored(&engine, "q", done).await, None);
    assert_eq!(stored(&engine, "q", cancelled).await, None);
}

async fn bury(hand: &Hand, count: usize, now_ms: u64) -> Vec<JobId> {
    let sent = put_many(&hand.engine, hand.queue.as_str(), count).await;
    let history = past(1, now_ms).encode();
    let bury = |job| finish(job, Transition::Bury, Some(history.clone()));
    let finishes = hand.take(count).await.iter().map(bury).collect();
    hand.engine.finish(finishes).await.expect("finish");
    sent
}

pub async fn keeps_the_newest_dead_letters(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let mut sent = Vec::new();
    for _ in 0..10 {
        sent.extend(bury(&hand, 1, fixture.now_ms()).await);
        fixture.advance(MS).await;
    }
    assert_eq!(prune(fixture, "q", limits(10, u64::MAX, 100)).await, 0);
    assert_eq!(prune(fixture, "q", limits(4, u64::MAX, 100)).await, 6);
    let mut kept = listed(&engine, "q", State::Dead).await;
    kept.reverse();
    assert_eq!(kept, sent[6..]);
    assert_eq!(prune(fixture, "q", limits(0, u64::MAX, 100)).await, 4);
}

pub async fn removes_dead_letters_by_age(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    bury(&hand, 3, fixture.now_ms()).await;
    fixture.advance(DAY).await;
    let young = bury(&hand, 1, fixture.now_ms()).await;
    assert_eq!(prune(fixture, "q", limits(1_000, ms(DAY) + 1, 100)).await, 0);
    fixture.advance(MS * 2).await;
    assert_eq!(prune(fixture, "q", limits(1_000, ms(DAY) + 1, 100)).await, 3);
    assert_eq!(listed(&engine, "q", State::Dead).await, young);
}

pub async fn works_in_portions(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    bury(&hand, 50, fixture.now_ms()).await;
    let mut left = 50;
    while left > 0 {
        let progress = engine.prune(&hand.queue, limits(0, u64::MAX, 7)).await.expect("prune");
        assert!((1..=7).contains(&progress.done), "{progress:?}");
        left -= progress.done;
        assert_eq!(progress.more, left > 0, "{progress:?} with {left} left");
        assert_eq!(listed(&engine, "q", State::Dead).await.len(), left);
    }
}

pub async fn a_portion_is_at_least_one(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    bury(&hand, 2, fixture.now_ms()).await;
    let progress = engine.prune(&hand.queue, limits(0, u64::MAX, 0)).await.expect("prune");
    assert_eq!(progress, Progress { done: 1, more: true });
}

pub async fn a_portion_counts_done_and_cancelled_jobs_together(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let until_ms = fixture.now_ms() + ms(HOUR);
    for transition in
        [Transition::Retain { until_ms }, Transition::Cancel { until_ms: Some(until_ms) }]
    {
        put_many(&engine, "q", 2).await;
        for job in hand.take(2).await {
            hand.end(&job, transition).await;
        }
    }
    fixture.advance(HOUR).await;
    let kept = async || {
        let stats = engine.stats(&hand.queue).await.expect("stats");
        (stats.done, stats.cancelled)
    };
    for left in [(0, 1), (0, 0)] {
        engine.prune(&hand.queue, limits(10, u64::MAX, 3)).await.expect("prune");
        assert_eq!(kept().await, left);
    }
}

pub async fn leaves_everything_else_alone(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let mut kept = Vec::new();
    for (number, place) in Place::ALL.into_iter().enumerate().skip(1) {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let job = draft(&name).key("k").priority(Priority::High);
        let id = bring(fixture, &hand, job, place).await;
        let before = stored(&engine, &name, id).await;
        kept.push((name, id, before));
    }
    fixture.advance(HOUR / 2).await;
    for (name, id, before) in kept {
        let progress = engine.prune(&queue(&name), PruneLimits::default()).await;
        assert_eq!(progress.expect("prune"), Progress { done: 0, more: false }, "{before:?}");
        assert_eq!(stored(&engine, &name, id).await, before);
        let reply = draft(&name).key("k").send(&engine).await;
        assert_eq!(reply, EnqueueReply { id, duplicate: true });
    }
}

pub async fn forgets_the_keys_of_jobs_long_gone_and_no_others(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let waiting = draft("q").key("waiting").after(DAY * 3).put(&engine).await;
    let gone = draft("q").key("gone").put(&engine).await;
    hand.end(&hand.one().await, Transition::Done).await;
    fixture.advance(DAY / 2).await;
    let recent = draft("q").key("recent").put(&engine).await;
    hand.end(&hand.one().await, Transition::Done).await;
    prune(fixture, "q", PruneLimits::default()).await;
    let duplicate = |id| EnqueueReply { id, duplicate: true };
    assert_eq!(draft("q").key("gone").send(&engine).await, duplicate(gone));
    fixture.advance(DAY / 2 + MS).await;
    assert!(prune(fixture, "q", PruneLimits::default()).await >= 1);
    assert_eq!(draft("q").key("recent").send(&engine).await, duplicate(recent));
    assert_eq!(draft("q").key("waiting").send(&engine).await, duplicate(waiting));
    draft("q").key("gone").put(&engine).await;
}

pub async fn a_key_is_not_forgotten_before_its_job(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let job = |key| draft("q").key(key).retention(DAY * 3);
    let done = job("done").put(&engine).await;
    let until_ms = fixture.now_ms() + ms(DAY * 3);
    hand.end(&hand.one().await, Transition::Retain { until_ms }).await;
    let cancelled = job("cancelled").put(&engine).await;
    engine.cancel(&hand.queue, &[cancelled]).await.expect("cancel");
    fixture.advance(DAY + MS).await;
    prune(fixture, "q", PruneLimits::default()).await;
    for (key, id) in [("done", done), ("cancelled", cancelled)] {
        let reply = draft("q").key(key).send(&engine).await;
        assert_eq!(reply, EnqueueReply { id, duplicate: true }, "{key}");
    }
    fixture.advance(DAY * 3).await;
    prune(fixture, "q", PruneLimits::default()).await;
    for key in ["done", "cancelled"] {
        draft("q").key(key).put(&engine).await;
    }
}

pub async fn a_key_outlives_the_pruning_of_its_job_by_a_day_at_most(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    bury(&hand, 1, fixture.now_ms()).await;
    let keyed = draft("q").key("k").put(&engine).await;
    let bury_keyed = finish(&hand.one().await, Transition::Bury, None);
    hand.finish(bury_keyed).await;
    assert!(prune(fixture, "q", limits(0, u64::MAX, 100)).await >= 2);
    assert_eq!(stored(&engine, "q", keyed).await, None);
    fixture.advance(DAY + MS).await;
    prune(fixture, "q", PruneLimits::default()).await;
    draft("q").key("k").put(&engine).await;
}

pub async fn a_key_is_free_once_its_day_is_over_and_its_kept_job_gone(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    for prunes in [0, 1, 3] {
        let id = draft("q").key("k").put(&engine).await;
        let until_ms = fixture.now_ms() + ms(DAY * 9);
        hand.end(&hand.one().await, Transition::Retain { until_ms }).await;
        fixture.advance(DAY).await;
        for _ in 0..prunes {
            prune(fixture, "q", PruneLimits::default()).await;
        }
        let reply = draft("q").key("k").send(&engine).await;
        assert_eq!(reply, EnqueueReply { id, duplicate: true }, "the job is still there");
        engine.delete(&hand.queue, &[id]).await.expect("delete");
        let next = draft("q").key("k").put(&engine).await;
        engine.delete(&hand.queue, &[next]).await.expect("delete");
        fixture.advance(DAY).await;
    }
}

pub async fn an_unknown_queue_has_nothing_to_prune(fixture: &dyn Fixture) {
    let progress = fixture.engine().prune(&queue("never heard of"), PruneLimits::default()).await;
    assert_eq!(progress.expect("prune"), Progress { done: 0, more: false });
}
