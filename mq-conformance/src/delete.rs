//! Removing jobs for good.

use mq_core::engine::Act;
use mq_core::lifecycle::Transition;
use mq_core::{JobId, Priority, State};

use crate::Fixture;
use crate::kit::{Hand, Place, bring, draft, listed, put_many, queue};

pub async fn a_deleted_job_never_runs(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let sent = put_many(&engine, "q", 9).await;
    let acts = engine.delete(&hand.queue, &[sent[4], sent[0], sent[8]]).await;
    assert_eq!(acts.expect("delete"), [Act::Applied; 3]);
    assert_eq!(hand.drain().await, [&sent[1..4], &sent[5..8]].concat());
}

pub async fn leaves_nothing_of_a_job_with_everything(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    for (number, place) in Place::ALL.into_iter().enumerate().skip(1) {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let job = draft(&name).key("k").priority(Priority::High);
        let id = bring(fixture, &hand, job, place).await;
        let expected = match place {
            Place::Running => Act::Refused(State::Running),
            _ => Act::Applied,
        };
        let acts = engine.delete(&hand.queue, &[id]).await.expect("delete");
        assert_eq!(acts, [expected], "{place:?}");
    }
    // The audit after each case looks for what was left.
}

pub async fn works_for_a_full_batch(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let sent = put_many(&engine, "q", 1_000).await;
    let last = put_many(&engine, "q", 1).await;
    let acts = engine.delete(&queue("q"), &sent).await.expect("delete");
    assert_eq!(acts, vec![Act::Applied; 1_000]);
    assert_eq!(listed(&engine, "q", State::Ready).await, last);
}

pub async fn a_job_is_either_deleted_or_run(fixture: &dyn Fixture) {
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
            taken.extend(jobs.iter().map(|job| job.id));
        }
    });
    let mut deleted = Vec::new();
    // From the end of the queue, so that the two meet in the middle.
    for part in sent.rchunks(5) {
        let acts = second.delete(&queue("q"), part).await.expect("delete");
        for (id, act) in part.iter().zip(acts) {
            match act {
                Act::Applied => deleted.push(*id),
                other => assert_eq!(other, Act::Refused(State::Running)),
            }
        }
    }
    let mut all = running.await.expect("the worker");
    all.extend(deleted);
    assert_eq!(crate::kit::set(&all), crate::kit::set(&sent));
}

pub async fn a_request_to_cancel_goes_with_the_job(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let at_ms = fixture.now_ms() + 1_000;
    for leaves in [Transition::Release, Transition::Retry { at_ms }, Transition::Bury] {
        let id = draft("q").put(&engine).await;
        let job = hand.one().await;
        engine.cancel(&hand.queue, &[id]).await.expect("cancel");
        hand.end(&job, leaves).await;
        let acts = engine.delete(&hand.queue, &[id]).await.expect("delete");
        assert_eq!(acts, [Act::Applied], "{leaves:?}");
        // The same id in a later life must not be cancelled by the old request.
        draft("q").id(id).put(&engine).await;
        let job = hand.one().await;
        let again = engine.get(&hand.queue, &[id]).await.expect("get").remove(0);
        assert!(!again.expect("the job").cancel_requested, "{leaves:?}");
        hand.end(&job, Transition::Done).await;
    }
}
