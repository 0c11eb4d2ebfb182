//! Sending jobs that wait to the dead letters.

use mq_core::engine::{Act, EnqueueReply, PruneLimits};
use mq_core::lifecycle::Transition;
use mq_core::{DeathReason, History, JobId, Priority, State};

use crate::Fixture;
use crate::kit::{
    DAY, Hand, Place, bring, draft, ids, listed, past, put_many, queue, set, state, stored,
};

pub async fn a_discarded_job_keeps_what_it_has_and_says_who_did_it(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    for (number, place) in [Place::Ready, Place::Scheduled, Place::Retrying].into_iter().enumerate()
    {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let id = bring(fixture, &hand, draft(&name).payload(vec![0, 255]), place).await;
        let before = stored(&engine, &name, id).await.expect("the job");
        let acts = engine.discard(&hand.queue, &[id]).await.expect("discard");
        assert_eq!(acts, [Act::Applied], "{place:?}");
        let after = stored(&engine, &name, id).await.expect("the job");
        let at_ms = fixture.now_ms();
        assert_eq!((after.state, after.at_ms), (State::Dead, Some(at_ms)), "{place:?}");
        assert_eq!(after.record, before.record, "{place:?}");
        let was = before.history.as_deref().map(History::decode).unwrap_or_default();
        let is = History::decode(&after.history.expect("a past"));
        let death = is.death.clone().expect("a death");
        assert_eq!((death.reason, death.at_ms), (DeathReason::Operator, at_ms), "{place:?}");
        assert_eq!(is, was.discarded(at_ms), "{place:?}");
        fixture.advance(DAY).await;
        assert_eq!(hand.take(5).await, [], "{place:?}");
        assert_eq!(engine.stats(&hand.queue).await.expect("stats").dead_total, 1, "{place:?}");
    }
}

pub async fn it_can_be_retried_with_its_priority(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let id = draft("q").priority(Priority::High).put(&engine).await;
    engine.discard(&hand.queue, &[id]).await.expect("discard");
    draft("q").put(&engine).await;
    let acts = engine.retry(&hand.queue, &[id], None).await.expect("retry");
    assert_eq!(acts, [Act::Applied]);
    let job = hand.one().await;
    assert_eq!(job.id, id, "urgent as before");
    let past = History::decode(&job.history.clone().expect("a past"));
    assert_eq!(past.death, None);
    hand.end(&job, Transition::Done).await;
}

pub async fn a_history_that_cannot_be_read_does_not_stop_it(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let id = draft("q").put(&engine).await;
    let job = hand.one().await;
    let mut end = crate::kit::finish(&job, Transition::Release, None);
    end.history = Some(b"\xff{ not a past".to_vec());
    hand.finish(end).await;
    let acts = engine.discard(&hand.queue, &[id]).await.expect("discard");
    assert_eq!(acts, [Act::Applied]);
    assert_eq!(state(&engine, "q", id).await, Some(State::Dead));
}

pub async fn its_key_holds_as_that_of_any_dead_letter(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let id = draft("q").key("k").put(&engine).await;
    engine.discard(&queue("q"), &[id]).await.expect("discard");
    fixture.advance(DAY * 2).await;
    engine.prune(&queue("q"), PruneLimits::default()).await.expect("prune");
    assert_eq!(draft("q").key("k").send(&engine).await, EnqueueReply { id, duplicate: true });
}

pub async fn a_request_to_cancel_is_over(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let id = draft("q").put(&engine).await;
    let job = hand.one().await;
    engine.cancel(&hand.queue, &[id]).await.expect("cancel");
    let at_ms = fixture.now_ms() + 1_000;
    hand.end_with(&job, Transition::Retry { at_ms }, &past(1, at_ms)).await;
    engine.discard(&hand.queue, &[id]).await.expect("discard");
    engine.retry(&hand.queue, &[id], None).await.expect("retry");
    assert!(!stored(&engine, "q", id).await.expect("the job").cancel_requested);
}

pub async fn works_for_a_full_batch_and_only_for_those_named(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let sent = put_many(&engine, "q", 1_001).await;
    let acts = engine.discard(&queue("q"), &sent[..1_000]).await.expect("discard");
    assert_eq!(acts, vec![Act::Applied; 1_000]);
    assert_eq!(set(&listed(&engine, "q", State::Dead).await), set(&sent[..1_000]));
    assert_eq!(Hand::join(&engine, "q").await.drain().await, sent[1_000..]);
}

pub async fn a_job_is_either_discarded_or_run(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let second = fixture.second().await;
    let sent = put_many(&engine, "q", 400).await;
    let hand = Hand::join(&engine, "q").await;
    let running = tokio::spawn(async move {
        let mut taken: Vec<JobId> = Vec::new();
        loop {
            let jobs = hand.take(5).await;
            if jobs.is_empty() {
                return taken;
            }
            taken.extend(ids(&jobs));
        }
    });
    for part in sent.rchunks(5) {
        second.discard(&queue("q"), part).await.expect("discard");
    }
    let mut all = running.await.expect("the worker");
    all.extend(listed(&engine, "q", State::Dead).await);
    assert_eq!(set(&all), set(&sent));
}
