//! Taking jobs back from the dead letters, with all their attempts and all of their past.

use std::time::Duration;

use mq_core::engine::{Act, EngineErrorKind, Pace};
use mq_core::lifecycle::Transition;
use mq_core::{History, JobId, Priority, State};

use crate::Fixture;
use crate::kit::{HOUR, Hand, Place, bring, draft, finish, ms, past, put_many, set, state, stored};

pub async fn gives_attempts_back_and_keeps_the_past(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    for (number, place) in [Place::Dead, Place::Cancelled, Place::Retrying].into_iter().enumerate()
    {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let job = draft(&name).priority(Priority::Low);
        let id = bring(fixture, &hand, job, place).await;
        let before = stored(&engine, &name, id).await.expect("the job");
        let past = History::decode(&before.history.expect("a history"));
        let acts = engine.retry(&hand.queue, &[id], None).await.expect("retry");
        assert_eq!(acts, [Act::Applied], "{place:?}");
        let job = hand.one().await;
        assert_eq!((job.id, &job.record), (id, &before.record), "{place:?}");
        let now = History::decode(&job.history.expect("a history"));
        assert_eq!(now, past.clone().revived(), "{place:?}");
        assert_eq!((now.attempts, now.lifetime_attempts()), (0, 3), "{place:?}");
        assert_eq!(now.errors, past.errors, "{place:?}");
    }
}

pub async fn gives_attempts_back_to_a_job_that_put_itself_off(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let id = draft("q").put(&engine).await;
    let at_ms = fixture.now_ms() + ms(HOUR);
    let history = past(3, fixture.now_ms());
    hand.end_with(&hand.one().await, Transition::Schedule { at_ms }, &history).await;
    let acts = engine.retry(&hand.queue, &[id], None).await.expect("retry");
    assert_eq!(acts, [Act::Applied]);
    let now = History::decode(&hand.one().await.history.expect("a history"));
    assert_eq!((now.attempts, now.lifetime_attempts()), (0, 3));
}

pub async fn a_history_that_cannot_be_read_does_not_stop_it(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let id = draft("q").put(&engine).await;
    let damaged = Some(b"\xff\0 not a history".to_vec());
    hand.finish(finish(&hand.one().await, Transition::Bury, damaged)).await;
    let acts = engine.retry(&hand.queue, &[id], None).await.expect("retry");
    assert_eq!(acts, [Act::Applied]);
    assert_eq!(hand.one().await.id, id);
}

pub async fn a_pace_staggers_the_jobs(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let ids = put_many(&engine, "q", 10).await;
    for job in hand.take(10).await {
        hand.end(&job, Transition::Bury).await;
    }
    let step = Duration::from_secs(7);
    // As two requests, the second behind the first.
    for (ids, ahead) in [(&ids[..6], 0), (&ids[6..], 6)] {
        let pace = Some(Pace { step, ahead });
        let acts = engine.retry(&hand.queue, ids, pace).await.expect("retry");
        assert_eq!(acts, vec![Act::Applied; ids.len()]);
    }
    let now_ms = fixture.now_ms();
    let mut due = Vec::new();
    for id in &ids {
        let job = stored(&engine, "q", *id).await.expect("the job");
        due.push(if job.state == State::Ready { Some(now_ms) } else { job.at_ms });
    }
    let due: Vec<_> = due.into_iter().map(|at_ms| at_ms.expect("a due time")).collect();
    assert!(due[0] <= now_ms + ms(step), "{due:?}");
    assert!(due.windows(2).all(|pair| pair[1] == pair[0] + ms(step)), "{due:?}");
    fixture.advance(step * 10).await;
    assert_eq!(set(&hand.drain().await), set(&ids));
}

pub async fn the_first_of_a_row_waits_as_well(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let id = draft("q").after(HOUR).put(&engine).await;
    engine.retry(&hand.queue, &[id], Some(Pace::every(HOUR * 2))).await.expect("retry");
    let job = stored(&engine, "q", id).await.expect("the job");
    assert_eq!(job.at_ms, Some(fixture.now_ms() + ms(HOUR * 2)));
}

pub async fn a_pace_without_a_step_means_at_once(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let id = draft("q").after(HOUR).put(&engine).await;
    engine.retry(&hand.queue, &[id], Some(Pace::every(Duration::ZERO))).await.expect("retry");
    assert_eq!(state(&engine, "q", id).await, Some(State::Ready));
}

pub async fn a_thousand_dead_letters_come_back_at_once(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let ids = put_many(&engine, "q", 1_000).await;
    let history = past(25, fixture.now_ms()).encode();
    let bury = |job| finish(job, Transition::Bury, Some(history.clone()));
    let finishes = hand.take(1_000).await.iter().map(bury).collect();
    engine.finish(finishes).await.expect("finish");
    let acts = engine.retry(&hand.queue, &ids, None).await.expect("retry");
    assert_eq!(acts, vec![Act::Applied; 1_000]);
    assert_eq!(hand.drain().await, ids);
    let mut more = ids.clone();
    more.push(JobId::new());
    let error = engine.retry(&hand.queue, &more, None).await.expect_err("1,001 jobs");
    assert_eq!(error.kind(), EngineErrorKind::Invalid, "{error}");
}

pub async fn a_revived_job_can_die_and_be_revived_again(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let id = draft("q").key("k").put(&engine).await;
    for round in 1..=3u32 {
        let job = hand.one().await;
        let mut history = job.history.as_deref().map(History::decode).unwrap_or_default();
        assert_eq!((history.attempts, history.lifetime_attempts()), (0, (round - 1) * 5));
        history.attempts = 5;
        hand.end_with(&job, Transition::Bury, &history).await;
        assert_eq!(state(&engine, "q", id).await, Some(State::Dead));
        fixture.advance(HOUR).await;
        engine.retry(&hand.queue, &[id], None).await.expect("retry");
    }
    assert_eq!(engine.stats(&hand.queue).await.expect("stats").dead_total, 3);
}
