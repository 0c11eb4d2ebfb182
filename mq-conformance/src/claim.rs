//! Taking jobs: each once, in order, under a number that makes a repeat harmless.

use std::sync::Arc;

use mq_core::engine::{
    BATCH_MAX, ClaimReply, ClaimRequest, Claimed, EngineErrorKind, Finished, QueueClaim, QueueReply,
};
use mq_core::lifecycle::Transition;
use mq_core::{JobId, Priority, State};

use crate::Fixture;
use crate::kit::{
    HOUR, Hand, LONG, MS, draft, enqueue, finish, ids, listed, ms, put_many, set, state,
};

pub async fn gives_jobs_in_the_order_they_were_enqueued(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let mut sent = Vec::new();
    for count in [1, 2, 100, 1, 7] {
        sent.extend(put_many(&engine, "q", count).await);
    }
    let mut taken = Vec::new();
    for limit in [1, 50, 3, 500] {
        taken.extend(ids(&hand.take(limit).await));
    }
    assert_eq!(taken, sent);
}

pub async fn gives_high_before_normal_before_low(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let mut sent: Vec<(Priority, JobId)> = Vec::new();
    for round in 0..4 {
        for priority in [Priority::Low, Priority::Normal, Priority::High] {
            let job = draft("q").priority(priority).payload(vec![round]);
            sent.push((priority, job.put(&engine).await));
        }
    }
    // A stable sort: inside one level, first in is first out.
    sent.sort_by_key(|(priority, _)| *priority);
    let sent: Vec<_> = sent.into_iter().map(|(_, id)| id).collect();
    let mut taken = ids(&hand.take(3).await);
    taken.extend(ids(&hand.take(6).await));
    taken.extend(ids(&hand.take(100).await));
    assert_eq!(taken, sent);
}

pub async fn a_later_urgent_job_goes_before_earlier_normal_ones(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 10).await;
    hand.take(1).await;
    let urgent = draft("q").priority(Priority::High).put(&engine).await;
    assert_eq!(hand.one().await.id, urgent);
}

pub async fn empties_the_first_queue_before_the_second(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let [first, second] = [Hand::join(&engine, "z").await, Hand::join(&engine, "a").await];
    let mut sent = put_many(&engine, "z", 5).await;
    let more = put_many(&engine, "a", 5).await;
    sent.extend(&more);
    let queues =
        |limit| [&first, &second].map(|hand| QueueClaim { claim: hand.fresh(), limit }).to_vec();
    let request = ClaimRequest { finishes: Vec::new(), limit: 7, queues: queues(100) };
    let reply = engine.claim(request).await.expect("claim");
    assert_eq!(ids(&reply.jobs), sent[..7]);
    assert_eq!(reply.queues.len(), 2);
    assert_eq!(reply.queues[0], QueueReply::Empty { next_due_ms: None });
    assert_eq!(reply.queues[1], QueueReply::More);
    let names: Vec<_> = reply.jobs.iter().map(|job| job.claim.queue.as_str()).collect();
    assert_eq!(names, ["z", "z", "z", "z", "z", "a", "a"]);
}

pub async fn respects_the_limit_of_each_queue(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hands = [Hand::join(&engine, "a").await, Hand::join(&engine, "b").await];
    let sent = [put_many(&engine, "a", 9).await, put_many(&engine, "b", 9).await];
    let limits = [2, 3];
    let queues = hands.iter().zip(limits);
    let queues: Vec<_> =
        queues.map(|(hand, limit)| QueueClaim { claim: hand.fresh(), limit }).collect();
    let request = ClaimRequest { finishes: Vec::new(), limit: 100, queues };
    let reply = engine.claim(request).await.expect("claim");
    assert_eq!(ids(&reply.jobs), [&sent[0][..2], &sent[1][..3]].concat());
    assert_eq!(reply.queues, [QueueReply::More, QueueReply::More]);
}

pub async fn gives_at_most_a_full_batch(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let sent = put_many(&engine, "q", BATCH_MAX + 5).await;
    let reply = hand.claim(10 * BATCH_MAX).await;
    assert_eq!(ids(&reply.jobs), sent[..BATCH_MAX]);
    assert_eq!(reply.queues, [QueueReply::More]);
    assert_eq!(ids(&hand.take(BATCH_MAX).await), sent[BATCH_MAX..]);
}

pub async fn a_limit_of_zero_takes_nothing(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let sent = put_many(&engine, "q", 3).await;
    assert_eq!(hand.take(0).await, []);
    assert_eq!(listed(&engine, "q", State::Ready).await, sent);
}

pub async fn says_whether_more_is_ready_and_when_the_next_is_due(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    assert_eq!(hand.claim(1).await.queues, [QueueReply::Empty { next_due_ms: None }]);
    let now_ms = fixture.now_ms();
    draft("q").after(HOUR * 2).put(&engine).await;
    draft("q").after(HOUR).put(&engine).await;
    put_many(&engine, "q", 2).await;
    let reply = hand.claim(1).await;
    assert_eq!(reply.queues, [QueueReply::More]);
    assert_eq!(reply.now_ms, now_ms);
    let next_due_ms = Some(now_ms + ms(HOUR));
    let reply = hand.claim(5).await;
    assert_eq!(reply.queues, [QueueReply::Empty { next_due_ms }]);
    // A retry that is due sooner counts as well.
    let at_ms = now_ms + 5;
    hand.end(&reply.jobs[0], Transition::Retry { at_ms }).await;
    let expected = QueueReply::Empty { next_due_ms: Some(at_ms) };
    assert_eq!(hand.claim(1).await.queues, [expected]);
}

pub async fn a_job_is_due_at_its_time_and_not_a_millisecond_before(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let retried = draft("q").put(&engine).await;
    let at_ms = fixture.now_ms() + ms(HOUR);
    hand.end(&hand.one().await, Transition::Retry { at_ms }).await;
    let delayed = draft("q").after(HOUR).put(&engine).await;
    let timed = draft("q").at(at_ms).put(&engine).await;
    fixture.advance(HOUR - MS).await;
    let reply = hand.claim(9).await;
    assert_eq!(ids(&reply.jobs), []);
    assert_eq!(reply.queues, [QueueReply::Empty { next_due_ms: Some(at_ms) }]);
    fixture.advance(MS).await;
    assert_eq!(set(&ids(&hand.take(9).await)), set(&[retried, delayed, timed]));
}

pub async fn never_gives_a_job_to_two_workers(fixture: &dyn Fixture) {
    const JOBS: usize = 3_000;
    let handles = [fixture.engine(), fixture.second().await];
    let sent = put_many(&handles[0], "q", JOBS).await;
    let workers: Vec<_> = (0..6)
        .map(|at| {
            let engine = Arc::clone(&handles[at % 2]);
            tokio::spawn(async move {
                let hand = Hand::join(&engine, "q").await;
                let mut taken: Vec<JobId> = Vec::new();
                loop {
                    let jobs = hand.take(7 + at).await;
                    if jobs.is_empty() {
                        return taken;
                    }
                    taken.extend(ids(&jobs));
                }
            })
        })
        .collect();
    let mut taken = Vec::new();
    for worker in workers {
        taken.extend(worker.await.expect("a worker"));
    }
    assert_eq!(set(&taken), set(&sent));
}

pub async fn a_repeat_gives_the_same_jobs_and_takes_nothing_new(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let low = draft("q").priority(Priority::Low).put(&engine).await;
    put_many(&engine, "q", 50).await;
    let claim = hand.token(7);
    let first = hand.ask(claim.clone(), 20).await;
    assert_eq!(first.jobs.len(), 20);
    for _ in 0..3 {
        assert_eq!(hand.ask(claim.clone(), 20).await.jobs, first.jobs);
    }
    // The repeat may come by another connection.
    let request = ClaimRequest {
        finishes: Vec::new(),
        limit: 20,
        queues: vec![QueueClaim { claim: claim.clone(), limit: 20 }],
    };
    let again = fixture.second().await.claim(request).await.expect("claim");
    assert_eq!(again.jobs, first.jobs);
    let rest = hand.ask(hand.token(8), 100).await.jobs;
    assert_eq!(rest.len(), 31);
    assert_eq!(rest[30].id, low);
}

pub async fn a_repeat_of_an_empty_claim_stays_empty(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    assert_eq!(hand.ask(hand.token(7), 5).await.jobs, []);
    let sent = put_many(&engine, "q", 5).await;
    assert_eq!(hand.ask(hand.token(7), 5).await.jobs, [], "nobody may be waiting for this reply");
    assert_eq!(ids(&hand.ask(hand.token(8), 5).await.jobs), sent);
}

pub async fn a_repeat_of_a_claim_during_a_pause_stays_empty(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 3).await;
    engine.pause(&hand.queue).await.expect("pause");
    let claim = hand.fresh();
    assert_eq!(hand.ask(claim.clone(), 5).await.jobs, []);
    engine.resume(&hand.queue).await.expect("resume");
    assert_eq!(hand.ask(claim, 5).await.jobs, [], "nobody waits for these any more");
    assert_eq!(hand.take(5).await.len(), 3);
}

pub async fn a_repeat_takes_nothing_from_a_queue_that_was_lost_before(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let (hand, late) = (Hand::join(&engine, "a").await, Hand::stranger(&engine, "b"));
    let sent = put_many(&engine, "a", 1).await;
    put_many(&engine, "b", 1).await;
    let queues = [hand.fresh(), late.fresh()].map(|claim| QueueClaim { claim, limit: 5 });
    let request = ClaimRequest { finishes: Vec::new(), limit: 5, queues: queues.to_vec() };
    let first = engine.claim(request.clone()).await.expect("claim");
    assert_eq!((ids(&first.jobs), &first.queues[1]), (sent, &QueueReply::Lost));
    late.rejoin(LONG).await;
    assert_eq!(engine.claim(request).await.expect("claim").jobs, first.jobs);
    assert_eq!(late.take(5).await.len(), 1);
}

pub async fn a_late_duplicate_of_an_old_claim_takes_nothing(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 5).await;
    let jobs = hand.ask(hand.token(10), 5).await.jobs;
    let done = jobs.iter().map(|job| finish(job, Transition::Done, None)).collect();
    engine.finish(done).await.expect("finish");
    assert_eq!(hand.ask(hand.token(20), 5).await.jobs, []);
    let sent = put_many(&engine, "q", 5).await;
    for number in [1, 9, 10, 11, 19] {
        assert_eq!(hand.ask(hand.token(number), 5).await.jobs, [], "claim {number}");
    }
    assert_eq!(ids(&hand.ask(hand.token(21), 5).await.jobs), sent);
}

pub async fn a_repeat_does_not_give_what_was_finished_meanwhile(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 5).await;
    let jobs = hand.ask(hand.token(1), 5).await.jobs;
    assert_eq!(hand.end(&jobs[1], Transition::Done).await, Finished::Applied);
    assert_eq!(hand.end(&jobs[3], Transition::Bury).await, Finished::Applied);
    let expected = [&jobs[0], &jobs[2], &jobs[4]].map(Claimed::clone);
    assert_eq!(hand.ask(hand.token(1), 5).await.jobs, expected);
}

pub async fn numbers_are_each_workers_own(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hands = [Hand::join(&engine, "q").await, Hand::join(&engine, "q").await];
    let sent = put_many(&engine, "q", 2).await;
    let first = hands[0].ask(hands[0].token(5), 1).await.jobs;
    let second = hands[1].ask(hands[1].token(5), 1).await.jobs;
    assert_eq!([first[0].id, second[0].id], sent[..]);
    assert_eq!(first[0].claim, hands[0].token(5));
    assert_eq!(second[0].claim, hands[1].token(5));
}

pub async fn a_stranger_is_told_and_gets_nothing(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let sent = put_many(&engine, "q", 3).await;
    let stranger = Hand::stranger(&engine, "q");
    let reply = stranger.claim(5).await;
    assert_eq!((reply.jobs, reply.queues), (Vec::new(), vec![QueueReply::Lost]));
    // Known on one queue is not known on another.
    engine
        .join(&crate::kit::queue("other"), stranger.worker, LONG, &Default::default())
        .await
        .expect("join");
    assert_eq!(stranger.claim(5).await.queues, [QueueReply::Lost]);
    assert_eq!(listed(&engine, "q", State::Ready).await, sent);
}

pub async fn a_lost_queue_does_not_keep_the_others(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let (lost, paused) = (Hand::stranger(&engine, "lost"), Hand::join(&engine, "paused").await);
    let hand = Hand::join(&engine, "q").await;
    engine.pause(&paused.queue).await.expect("pause");
    put_many(&engine, "lost", 3).await;
    put_many(&engine, "paused", 3).await;
    let sent = put_many(&engine, "q", 3).await;
    let claims = [&lost, &paused, &hand].map(Hand::fresh);
    let queues = claims.map(|claim| QueueClaim { claim, limit: 9 }).to_vec();
    let request = ClaimRequest { finishes: Vec::new(), limit: 9, queues };
    let ClaimReply { jobs, queues, .. } = engine.claim(request).await.expect("claim");
    assert_eq!(ids(&jobs), sent);
    let empty = QueueReply::Empty { next_due_ms: None };
    assert_eq!(queues, [QueueReply::Lost, QueueReply::Paused, empty]);
}

pub async fn finishes_come_first_and_are_answered_in_order(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let sent = put_many(&engine, "q", 6).await;
    let jobs = hand.take(4).await;
    let at_ms = fixture.now_ms() + 1_000;
    let finishes = vec![
        finish(&jobs[3], Transition::Bury, None),
        finish(&jobs[0], Transition::Done, None),
        finish(&jobs[0], Transition::Done, None),
        finish(&jobs[2], Transition::Retry { at_ms }, None),
        finish(&jobs[1], Transition::Release, None),
    ];
    let queues = vec![QueueClaim { claim: hand.fresh(), limit: 2 }];
    let request = ClaimRequest { finishes, limit: 2, queues };
    let reply = engine.claim(request).await.expect("claim");
    let applied = Finished::Applied;
    assert_eq!(reply.finished, [applied, applied, Finished::Already, applied, applied]);
    // The job that was given back is at the front again, so it is the first to be claimed.
    assert_eq!(ids(&reply.jobs), [sent[1], sent[4]]);
    assert_eq!(state(&engine, "q", sent[0]).await, None);
    assert_eq!(state(&engine, "q", sent[2]).await, Some(State::Scheduled));
    assert_eq!(state(&engine, "q", sent[3]).await, Some(State::Dead));
}

pub async fn without_queues_it_only_finishes(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 3).await;
    let finishes = vec![finish(&hand.one().await, Transition::Done, None)];
    let request = ClaimRequest { finishes, limit: 5, queues: Vec::new() };
    let reply = engine.claim(request).await.expect("claim");
    assert_eq!(reply.finished, [Finished::Applied]);
    assert_eq!((reply.jobs.len(), reply.queues.len()), (0, 0));
    let nothing = engine.claim(ClaimRequest::default()).await.expect("claim");
    assert_eq!((nothing.jobs.len(), nothing.finished.len()), (0, 0));
}

pub async fn too_many_finishes_are_refused_and_nothing_happens(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 5).await;
    let job = hand.one().await;
    let finishes = vec![finish(&job, Transition::Done, None); BATCH_MAX + 1];
    let queues = vec![QueueClaim { claim: hand.fresh(), limit: 2 }];
    let request = ClaimRequest { finishes, limit: 2, queues };
    let error = engine.claim(request).await.expect_err("1,001 finishes");
    assert_eq!(error.kind(), EngineErrorKind::Invalid, "{error}");
    assert_eq!(listed(&engine, "q", State::Running).await, [job.id]);
}

pub async fn a_queue_named_twice_is_refused_and_nothing_happens(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 5).await;
    let claim = hand.fresh();
    let queues =
        vec![QueueClaim { claim: claim.clone(), limit: 2 }, QueueClaim { claim, limit: 2 }];
    let request = ClaimRequest { finishes: Vec::new(), limit: 4, queues };
    let error = engine.claim(request).await.expect_err("twice");
    assert_eq!(error.kind(), EngineErrorKind::Invalid, "{error}");
    assert_eq!(listed(&engine, "q", State::Running).await, []);
}

pub async fn promotes_what_is_due_on_the_way(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let jobs: Vec<_> = (0..20).map(|_| draft("q").after(HOUR).build()).collect();
    enqueue(&engine, jobs.clone()).await;
    let low = draft("q").priority(Priority::Low).after(HOUR).put(&engine).await;
    let high = draft("q").priority(Priority::High).after(HOUR).put(&engine).await;
    fixture.advance(HOUR).await;
    let taken = ids(&hand.take(100).await);
    let mut sent: Vec<_> = jobs.iter().map(|job| job.id).collect();
    sent.extend([low, high]);
    assert_eq!(set(&taken), set(&sent));
    assert_eq!((taken[0], taken[21]), (high, low), "a promoted job keeps its priority");
}

/// Also without room for more: so a worker finds out about claims that it has lost sight of.
pub async fn an_earlier_claim_again_gives_what_it_still_holds(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 40).await;
    let first = hand.ask(hand.token(1), 30).await.jobs;
    let second = hand.ask(hand.token(9), 2).await.jobs;
    assert_eq!(hand.end(&first[0], Transition::Done).await, Finished::Applied);
    for limit in [0, 1, 100] {
        assert_eq!(hand.ask(hand.token(1), limit).await.jobs, first[1..]);
        assert_eq!(hand.ask(hand.token(9), limit).await.jobs, second);
    }
    assert_eq!(hand.ask(hand.token(10), 100).await.jobs.len(), 8);
}
