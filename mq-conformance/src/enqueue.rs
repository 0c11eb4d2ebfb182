//! Storing jobs: once per id and key, together per call, due by the store's clock.

use std::time::Duration;

use mq_core::engine::{BATCH_MAX, DELAY_MAX, EngineErrorKind, EnqueueReply, PruneLimits};
use mq_core::lifecycle::Transition;
use mq_core::{JobId, Priority, State};

use crate::Fixture;
use crate::kit::{
    DAY, DEADLINE, Draft, HOUR, Hand, LEASE, LONG, MS, Place, bring, draft, enqueue, ids, listed,
    ms, past, put_many, queue, set, state, stored,
};

pub async fn answers_with_the_ids_it_was_given_in_order(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let drafts = [
        draft("a"),
        draft("b").after(HOUR),
        draft("a").key("k"),
        draft("a").priority(Priority::High),
        draft("b").at(1),
        draft("a").retention(HOUR),
    ];
    let jobs: Vec<_> = drafts.into_iter().map(Draft::build).collect();
    let expected: Vec<_> =
        jobs.iter().map(|job| EnqueueReply { id: job.id, duplicate: false }).collect();
    assert_eq!(enqueue(&engine, jobs).await, expected);
}

pub async fn an_empty_batch_is_answered_with_nothing(fixture: &dyn Fixture) {
    assert_eq!(enqueue(&fixture.engine(), Vec::new()).await, []);
}

pub async fn a_batch_of_the_largest_size_is_stored(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let sent = put_many(&engine, "q", BATCH_MAX).await;
    assert_eq!(Hand::join(&engine, "q").await.drain().await, sent);
}

pub async fn a_larger_batch_is_refused_and_nothing_of_it_stored(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let jobs = (0..=BATCH_MAX).map(|_| draft("q").build()).collect();
    let error = engine.enqueue(jobs, DEADLINE).await.expect_err("1,001 jobs");
    assert_eq!(error.kind(), EngineErrorKind::Invalid, "{error}");
    assert_eq!(listed(&engine, "q", State::Ready).await, []);
}

pub async fn one_call_may_fill_many_queues(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let names: Vec<_> = (0..50).map(|number| format!("q{number}")).collect();
    let jobs: Vec<_> = (0..500).map(|at| draft(&names[at % 50]).build()).collect();
    enqueue(&engine, jobs.clone()).await;
    for (at, name) in names.iter().enumerate() {
        let expected: Vec<_> = jobs.iter().skip(at).step_by(50).map(|job| job.id).collect();
        assert_eq!(listed(&engine, name, State::Ready).await, expected, "queue {name}");
    }
}

pub async fn jobs_of_one_call_become_visible_together(fixture: &dyn Fixture) {
    const BATCH: usize = 100;
    const CALLS: usize = 30;
    let engine = fixture.engine();
    let second = fixture.second().await;
    let hand = Hand::join(&engine, "q").await;
    let producer = tokio::spawn(async move {
        for _ in 0..CALLS {
            put_many(&second, "q", BATCH).await;
        }
    });
    let mut seen = 0;
    while seen < BATCH * CALLS {
        let jobs = hand.take(BATCH_MAX).await;
        assert_eq!(jobs.len() % BATCH, 0, "a part of a call was visible without the rest");
        seen += jobs.len();
    }
    producer.await.expect("the producer");
}

pub async fn the_same_id_again_is_not_stored_again(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let job = draft("q").build();
    for _ in 0..3 {
        assert_eq!(enqueue(&engine, vec![job.clone()]).await[0].id, job.id);
    }
    let delayed = draft("q").after(HOUR).build();
    for _ in 0..3 {
        assert_eq!(enqueue(&engine, vec![delayed.clone()]).await[0].id, delayed.id);
    }
    assert_eq!(listed(&engine, "q", State::Ready).await, [job.id]);
    assert_eq!(listed(&engine, "q", State::Scheduled).await, [delayed.id]);
    assert_eq!(engine.stats(&queue("q")).await.expect("stats").enqueued_total, 2);
}

pub async fn a_job_is_no_duplicate_of_itself(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    for job in [draft("q"), draft("q").after(HOUR), draft("q").key("k")] {
        let job = job.build();
        for _ in 0..3 {
            let reply = enqueue(&engine, vec![job.clone()]).await;
            assert_eq!(reply, [EnqueueReply { id: job.id, duplicate: false }]);
        }
    }
}

pub async fn an_id_that_is_known_counts_before_its_key(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let known = draft("q").put(&engine).await;
    draft("q").key("k").put(&engine).await;
    let reply = draft("q").id(known).key("k").send(&engine).await;
    assert_eq!(reply, EnqueueReply { id: known, duplicate: false });
}

pub async fn the_same_id_twice_in_one_call_is_stored_once(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let (job, delayed) = (draft("q").build(), draft("q").after(HOUR).build());
    let jobs = vec![job.clone(), delayed.clone(), job.clone(), delayed.clone()];
    let replies: Vec<_> = enqueue(&engine, jobs).await.iter().map(|reply| reply.id).collect();
    assert_eq!(replies, [job.id, delayed.id, job.id, delayed.id]);
    assert_eq!(listed(&engine, "q", State::Ready).await, [job.id]);
    assert_eq!(listed(&engine, "q", State::Scheduled).await, [delayed.id]);
}

pub async fn the_same_id_again_changes_nothing_wherever_the_job_is(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    for (number, place) in Place::ALL.into_iter().enumerate().skip(1) {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let id = bring(fixture, &hand, draft(&name), place).await;
        let before = stored(&engine, &name, id).await;
        draft(&name).id(id).payload("other").send(&engine).await;
        draft(&name).id(id).payload("other").after(HOUR).send(&engine).await;
        assert_eq!(stored(&engine, &name, id).await, before, "{place:?}");
    }
}

pub async fn the_same_key_answers_with_the_job_that_is_there(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    for (number, place) in Place::ALL.into_iter().enumerate().skip(1) {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let id = bring(fixture, &hand, draft(&name).key("k"), place).await;
        let before = stored(&engine, &name, id).await;
        let expected = EnqueueReply { id, duplicate: true };
        assert_eq!(draft(&name).key("k").send(&engine).await, expected, "{place:?}");
        assert_eq!(draft(&name).key("k").after(HOUR).send(&engine).await, expected, "{place:?}");
        assert_eq!(stored(&engine, &name, id).await, before, "{place:?}");
    }
}

pub async fn a_key_is_free_a_day_after_its_job_ended(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let endings = [Transition::Done, Transition::Cancel { until_ms: None }];
    for (number, transition) in endings.into_iter().enumerate() {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let first = draft(&name).key("k").put(&engine).await;
        hand.end(&hand.one().await, transition).await;
        let expected = EnqueueReply { id: first, duplicate: true };
        assert_eq!(draft(&name).key("k").send(&engine).await, expected, "{transition:?}");
        fixture.advance(crate::kit::DAY - MS).await;
        assert_eq!(draft(&name).key("k").send(&engine).await, expected, "{transition:?}");
        fixture.advance(MS).await;
        let second = draft(&name).key("k").put(&engine).await;
        assert_eq!(ids(&hand.take(9).await), [second], "{transition:?}");
        // The second job's hold on the key must not end with the first one's.
        fixture.advance(crate::kit::DAY * 2).await;
        let expected = EnqueueReply { id: second, duplicate: true };
        assert_eq!(draft(&name).key("k").send(&engine).await, expected, "{transition:?}");
    }
}

/// The ways in which a job with a key can come to its end; until then there is no second one.
#[derive(Debug, Clone, Copy)]
enum Holder {
    DeletedWhileItWaits,
    DeletedWhenDead,
    CancelledWhileItWaits,
    CancelledWhileItRuns,
    PrunedWhenDead,
    DoneAfterARetry,
    DoneAfterItsWorkerDied,
    DoneAfterItWasDead,
}

impl Holder {
    /// Brings the job to its end.
    async fn end(self, fixture: &dyn Fixture, name: &str, id: JobId) {
        let (engine, now_ms) = (fixture.engine(), fixture.now_ms());
        let hand = Hand::join(&engine, name).await;
        let again = EnqueueReply { id, duplicate: true };
        let bury = async || {
            hand.end_with(&hand.one().await, Transition::Bury, &past(1, now_ms)).await;
            assert_eq!(draft(name).key("k").send(&engine).await, again, "{self:?}");
        };
        match self {
            Self::DeletedWhileItWaits => drop(engine.delete(&hand.queue, &[id]).await),
            Self::CancelledWhileItWaits => drop(engine.cancel(&hand.queue, &[id]).await),
            Self::DeletedWhenDead => {
                bury().await;
                engine.delete(&hand.queue, &[id]).await.expect("delete");
            }
            Self::PrunedWhenDead => {
                bury().await;
                let mut none = PruneLimits::default();
                none.dead_count = 0;
                engine.prune(&hand.queue, none).await.expect("prune");
            }
            Self::CancelledWhileItRuns => {
                let job = hand.one().await;
                engine.cancel(&hand.queue, &[id]).await.expect("cancel");
                hand.end(&job, Transition::Cancel { until_ms: None }).await;
            }
            Self::DoneAfterARetry => {
                let retry = Transition::Retry { at_ms: now_ms };
                hand.end_with(&hand.one().await, retry, &past(1, now_ms)).await;
                assert_eq!(draft(name).key("k").send(&engine).await, again, "{self:?}");
                hand.end(&hand.one().await, Transition::Done).await;
            }
            Self::DoneAfterItsWorkerDied => {
                let dies = Hand::join_for(&engine, name, LEASE).await;
                dies.one().await;
                let taken = hand.sweep_for(fixture, LEASE * 2).await;
                hand.end(&taken[0], Transition::Release).await;
                assert_eq!(draft(name).key("k").send(&engine).await, again, "{self:?}");
                hand.end(&hand.one().await, Transition::Done).await;
            }
            Self::DoneAfterItWasDead => {
                bury().await;
                engine.retry(&hand.queue, &[id], None).await.expect("retry");
                assert_eq!(draft(name).key("k").send(&engine).await, again, "{self:?}");
                hand.end(&hand.one().await, Transition::Done).await;
            }
        }
    }
}

pub async fn a_key_is_free_a_day_after_whatever_became_of_its_job(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let holders = [
        Holder::DeletedWhileItWaits,
        Holder::DeletedWhenDead,
        Holder::CancelledWhileItWaits,
        Holder::CancelledWhileItRuns,
        Holder::PrunedWhenDead,
        Holder::DoneAfterARetry,
        Holder::DoneAfterItsWorkerDied,
        Holder::DoneAfterItWasDead,
    ];
    for holder in holders {
        let name = format!("{holder:?}");
        let id = draft(&name).key("k").put(&engine).await;
        let again = EnqueueReply { id, duplicate: true };
        assert_eq!(draft(&name).key("k").send(&engine).await, again, "{holder:?}");
        holder.end(fixture, &name, id).await;
        assert_eq!(state(&engine, &name, id).await, None, "{holder:?}: it has not ended");
        assert_eq!(draft(&name).key("k").send(&engine).await, again, "{holder:?}: at once");
        fixture.advance(DAY - MS).await;
        assert_eq!(draft(&name).key("k").send(&engine).await, again, "{holder:?}: nearly a day");
        fixture.advance(MS).await;
        let next = draft(&name).key("k").put(&engine).await;
        let hand = Hand::join(&engine, &name).await;
        assert_eq!(ids(&hand.take(9).await), [next], "{holder:?}: one job of the key");
    }
}

pub async fn a_key_is_held_as_long_as_its_job_exists(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    for (number, place) in Place::ALL.into_iter().enumerate().skip(1) {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let id = bring(fixture, &hand, draft(&name).key("k"), place).await;
        // Kept jobs are kept until a `prune` comes by; that none came is the point here.
        fixture.advance(crate::kit::DAY * 100).await;
        let reply = draft(&name).key("k").send(&engine).await;
        assert_eq!(reply, EnqueueReply { id, duplicate: true }, "{place:?}");
    }
}

pub async fn concurrent_calls_with_one_key_store_one_job(fixture: &dyn Fixture) {
    let handles = [fixture.engine(), fixture.second().await];
    for round in 0..20 {
        let key = format!("k{round}");
        let calls: Vec<_> = (0..10)
            .map(|at| {
                let (engine, job) = (handles[at % 2].clone(), draft("q").key(&key));
                tokio::spawn(async move { job.send(&engine).await })
            })
            .collect();
        let mut replies = Vec::new();
        for call in calls {
            replies.push(call.await.expect("a producer"));
        }
        assert!(replies.iter().all(|reply| reply.id == replies[0].id), "{replies:?}");
        let new = replies.iter().filter(|reply| !reply.duplicate).count();
        assert_eq!(new, 1, "{replies:?}");
    }
    assert_eq!(listed(&handles[0], "q", State::Ready).await.len(), 20);
}

pub async fn one_key_twice_in_one_call_stores_one_job(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let jobs = vec![
        draft("q").key("k").build(),
        draft("q").build(),
        draft("q").key("k").build(),
        draft("q").key("k").after(HOUR).build(),
    ];
    let (first, plain) = (jobs[0].id, jobs[1].id);
    let replies = enqueue(&engine, jobs).await;
    let reply = |id, duplicate| EnqueueReply { id, duplicate };
    assert_eq!(
        replies,
        [reply(first, false), reply(plain, false), reply(first, true), reply(first, true)]
    );
    let stats = engine.stats(&queue("q")).await.expect("stats");
    assert_eq!((stats.ready, stats.scheduled), (2, 0));
}

pub async fn one_key_in_two_queues_is_two_keys(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    draft("a").key("k").put(&engine).await;
    draft("b").key("k").put(&engine).await;
    assert_eq!(listed(&engine, "a", State::Ready).await.len(), 1);
    assert_eq!(listed(&engine, "b", State::Ready).await.len(), 1);
}

pub async fn a_time_in_the_past_means_at_once(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let now_ms = fixture.now_ms();
    let mut sent = vec![draft("q").put(&engine).await];
    for at_ms in [0, 1, now_ms - 1, now_ms] {
        sent.push(draft("q").at(at_ms).put(&engine).await);
    }
    sent.push(draft("q").after(Duration::ZERO).put(&engine).await);
    let hand = Hand::join(&engine, "q").await;
    assert_eq!(set(&ids(&hand.take(9).await)), set(&sent));
}

pub async fn a_delay_counts_from_the_stores_clock(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    fixture.advance(HOUR * 1_000).await;
    let delay = Duration::from_millis(1_234);
    let id = draft("q").after(delay).put(&engine).await;
    let job = stored(&engine, "q", id).await.expect("the job");
    assert_eq!(job.state, State::Scheduled);
    assert_eq!(job.at_ms, Some(fixture.now_ms() + ms(delay)));
}

pub async fn ten_years_are_the_farthest_and_more_is_refused_with_the_whole_call(
    fixture: &dyn Fixture,
) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let (now_ms, farthest) = (fixture.now_ms(), DELAY_MAX);
    let late = Duration::from_millis(1);
    let too_far = [
        draft("q").after(farthest + late),
        draft("q").after(Duration::from_millis(u64::MAX)),
        // As a number of ms with 64 bits it would be a quarter of a second.
        draft("q").after(Duration::from_secs(u64::MAX / 1_000 + 1)),
        draft("q").after(Duration::MAX),
        draft("q").at(now_ms + ms(farthest + late)),
        draft("q").at(1 << 53),
        draft("q").at(i64::MAX as u64),
        draft("q").at(u64::MAX),
    ];
    for job in too_far {
        let job = job.key("k").build();
        let schedule = job.schedule;
        let error = engine.enqueue(vec![draft("q").build(), job], DEADLINE).await;
        let error = error.expect_err("too far");
        assert_eq!(error.kind(), EngineErrorKind::Invalid, "{schedule:?}");
        assert!(error.to_string().contains("ten years"), "{error}");
    }
    assert_eq!(engine.stats(&queue("q")).await.expect("stats").enqueued_total, 0);

    // Their key is free.
    let first = draft("q").key("k").after(farthest).put(&engine).await;
    let second = draft("q").at(now_ms + ms(farthest)).put(&engine).await;
    fixture.advance(farthest - late).await;
    hand.rejoin(LONG).await;
    assert_eq!(hand.take(9).await, []);
    fixture.advance(late).await;
    assert_eq!(set(&ids(&hand.take(9).await)), set(&[first, second]));
}

pub async fn a_job_that_has_ended_leaves_no_trace_of_its_id(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let id = draft("q").priority(Priority::Low).put(&engine).await;
    hand.end(&hand.one().await, Transition::Done).await;
    assert_eq!(stored(&engine, "q", id).await, None);
    assert_eq!(stored(&engine, "q", JobId::new()).await, None);
}
