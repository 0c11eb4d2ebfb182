//! Cancelling: what waits ends at once, what runs is asked.

use mq_core::engine::{Act, BeatReply};
use mq_core::lifecycle::Transition;
use mq_core::{History, JobId, State};

use crate::Fixture;
use crate::kit::{
    HOUR, Hand, LEASE, MS, Place, bring, draft, ids, ms, put_many, queue, set, stored,
};

pub async fn a_waiting_job_is_kept_for_its_retention(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    for (number, place) in [Place::Ready, Place::Scheduled, Place::Retrying].into_iter().enumerate()
    {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let job = draft(&name).retention(HOUR * 3).payload("p");
        let id = bring(fixture, &hand, job, place).await;
        let before = stored(&engine, &name, id).await.expect("the job");
        let acts = engine.cancel(&hand.queue, &[id]).await.expect("cancel");
        assert_eq!(acts, [Act::Applied], "{place:?}");
        let after = stored(&engine, &name, id).await.expect("the job");
        assert_eq!(after.state, State::Cancelled, "{place:?}");
        assert_eq!(after.at_ms, Some(fixture.now_ms() + ms(HOUR) * 3), "{place:?}");
        assert_eq!(after.record, before.record, "{place:?}");
        assert_eq!(hand.take(5).await, [], "{place:?}");
    }
}

pub async fn a_job_that_is_kept_says_when_it_was_cancelled(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    for place in [Place::Ready, Place::Retrying] {
        let id = bring(fixture, &hand, draft("q").retention(HOUR), place).await;
        let before = stored(&engine, "q", id).await.expect("the job").history;
        let mut expected = before.as_deref().map(History::decode).unwrap_or_default();
        expected.ended_ms = Some(fixture.now_ms());
        engine.cancel(&hand.queue, &[id]).await.expect("cancel");
        let after = stored(&engine, "q", id).await.expect("the job").history;
        assert_eq!(after.as_deref().map(History::decode), Some(expected), "{place:?}");
    }
}

pub async fn a_running_job_is_marked_until_it_ends_for_good(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let id = draft("q").put(&engine).await;
    let job = hand.one().await;
    assert!(!stored(&engine, "q", id).await.expect("the job").cancel_requested);
    let acts = engine.cancel(&hand.queue, &[id]).await.expect("cancel");
    assert_eq!(acts, [Act::Requested]);
    let marked = stored(&engine, "q", id).await.expect("the job");
    assert_eq!((marked.state, marked.cancel_requested), (State::Running, true));
    hand.end(&job, Transition::Release).await;
    let job = hand.one().await;
    let marked = stored(&engine, "q", id).await.expect("the job");
    assert_eq!((marked.state, marked.cancel_requested), (State::Running, true));
    let until_ms = fixture.now_ms() + ms(HOUR);
    hand.end(&job, Transition::Retain { until_ms }).await;
    assert!(!stored(&engine, "q", id).await.expect("the job").cancel_requested);
}

pub async fn a_request_outlives_the_worker_that_ran_the_job(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let reaper = Hand::join(&engine, "q").await;
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    let id = draft("q").put(&engine).await;
    hand.one().await;
    engine.cancel(&hand.queue, &[id]).await.expect("cancel");
    let reaped = reaper.sweep_for(fixture, LEASE + MS).await;
    assert_eq!(ids(&reaped), [id]);
    assert!(stored(&engine, "q", id).await.expect("the job").cancel_requested);
    reaper.end(&reaped[0], Transition::Cancel { until_ms: None }).await;
    assert_eq!(stored(&engine, "q", id).await, None);
}

pub async fn a_request_is_done_with_when_the_job_ends_while_it_waits(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let id = draft("q").retention(HOUR).put(&engine).await;
    let job = hand.one().await;
    engine.cancel(&hand.queue, &[id]).await.expect("cancel");
    hand.end(&job, Transition::Release).await;
    engine.cancel(&hand.queue, &[id]).await.expect("cancel");
    let kept = stored(&engine, "q", id).await.expect("the job");
    assert_eq!((kept.state, kept.cancel_requested), (State::Cancelled, false));
    let expected =
        BeatReply::Extended { cancels: Vec::new(), claims: Vec::new(), now_ms: fixture.now_ms() };
    assert_eq!(hand.beat(LEASE).await, expected);
}

pub async fn works_for_a_full_batch(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let sent = put_many(&engine, "q", 1_000).await;
    let running = ids(&hand.take(400).await);
    let acts = engine.cancel(&hand.queue, &sent).await.expect("cancel");
    assert_eq!(acts[..400], [Act::Requested; 400]);
    assert_eq!(acts[400..], [Act::Applied; 600]);
    assert_eq!(hand.drain().await, []);
    assert_eq!(running, sent[..400]);
}

pub async fn a_cancelled_job_is_not_run_as_well(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let second = fixture.second().await;
    let sent = put_many(&engine, "q", 600).await;
    let hand = Hand::join(&engine, "q").await;
    let running = tokio::spawn(async move {
        let mut taken: Vec<JobId> = Vec::new();
        loop {
            let jobs = hand.take(5).await;
            if jobs.is_empty() {
                return taken;
            }
            for job in jobs {
                hand.end(&job, Transition::Done).await;
                taken.push(job.id);
            }
        }
    });
    let mut cancelled = Vec::new();
    for part in sent.rchunks(5) {
        let acts = second.cancel(&queue("q"), part).await.expect("cancel");
        let applied = part.iter().zip(acts).filter(|(_, act)| *act == Act::Applied);
        cancelled.extend(applied.map(|(id, _)| *id));
    }
    let mut all = running.await.expect("the worker");
    all.extend(cancelled);
    assert_eq!(set(&all), set(&sent));
    // A request that came as the job ended must not stay behind: the audit sees to it.
}
