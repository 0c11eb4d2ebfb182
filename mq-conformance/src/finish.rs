//! Ending claims: each transition does what it says, once, and only for who holds the job.

use mq_core::engine::{BATCH_MAX, Claimed, EngineErrorKind, Finish, Finished};
use mq_core::lifecycle::Transition;
use mq_core::{JobId, Priority, State};

use crate::Fixture;
use crate::kit::{
    HOUR, Hand, LEASE, MS, draft, finish, ids, listed, ms, past, put_many, queue, state, stored,
};

/// Each transition, with the state that it leads to.
fn transitions(now_ms: u64) -> [(Transition, Option<State>); 8] {
    let later = now_ms + ms(HOUR);
    [
        (Transition::Done, None),
        (Transition::Retain { until_ms: later }, Some(State::Done)),
        (Transition::Retry { at_ms: later }, Some(State::Scheduled)),
        (Transition::Schedule { at_ms: later }, Some(State::Scheduled)),
        (Transition::Release, Some(State::Ready)),
        (Transition::Bury, Some(State::Dead)),
        (Transition::Cancel { until_ms: None }, None),
        (Transition::Cancel { until_ms: Some(later) }, Some(State::Cancelled)),
    ]
}

pub async fn each_transition_leads_to_its_state(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let now_ms = fixture.now_ms();
    for (number, (transition, expected)) in transitions(now_ms).into_iter().enumerate() {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let id = draft(&name).put(&engine).await;
        let job = hand.one().await;
        assert_eq!(state(&engine, &name, id).await, Some(State::Running));
        assert_eq!(hand.end(&job, transition).await, Finished::Applied, "{transition:?}");
        let after = stored(&engine, &name, id).await;
        assert_eq!(after.as_ref().map(|job| job.state), expected, "{transition:?}");
        let Some(after) = after else { continue };
        assert_eq!((after.record, after.worker), (job.record, None), "{transition:?}");
        let at_ms = match after.state {
            State::Ready => after.at_ms,
            State::Dead => Some(now_ms),
            _ => Some(now_ms + ms(HOUR)),
        };
        assert_eq!(after.at_ms, at_ms, "{transition:?}");
    }
}

pub async fn only_failures_count_as_retrying(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 3).await;
    let at_ms = fixture.now_ms() + ms(HOUR);
    for (job, transition) in hand.take(3).await.iter().zip([
        Transition::Retry { at_ms },
        Transition::Schedule { at_ms },
        Transition::Schedule { at_ms },
    ]) {
        hand.end_with(job, transition, &past(1, at_ms)).await;
    }
    let stats = engine.stats(&queue("q")).await.expect("stats");
    assert_eq!((stats.retrying, stats.scheduled), (1, 2));
}

pub async fn a_repeat_changes_nothing(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let now_ms = fixture.now_ms();
    for with_key in [false, true] {
        for (number, (transition, _)) in transitions(now_ms).into_iter().enumerate() {
            let name = format!("q{with_key}{number}");
            let hand = Hand::join(&engine, &name).await;
            let plain = draft(&name).priority(Priority::High);
            let id = if with_key { plain.key("k") } else { plain }.put(&engine).await;
            let job = hand.one().await;
            let history = past(1, now_ms);
            assert_eq!(hand.end_with(&job, transition, &history).await, Finished::Applied);
            let before = stored(&engine, &name, id).await;
            let other = past(2, now_ms);
            for (again, _) in transitions(now_ms) {
                let repeat = hand.end_with(&job, again, &other).await;
                assert_eq!(repeat, Finished::Already, "{transition:?}, then {again:?}");
            }
            assert_eq!(stored(&engine, &name, id).await, before, "{transition:?}");
            let stats = engine.stats(&queue(&name)).await.expect("stats");
            let totals = [stats.done_total, stats.failed_total, stats.dead_total];
            assert!(totals.iter().all(|total| *total <= 1), "{transition:?}: {totals:?}");
        }
    }
}

pub async fn of_two_ends_of_one_job_the_first_counts(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    for (first, second) in [
        (Transition::Bury, Transition::Done),
        (Transition::Done, Transition::Bury),
        (Transition::Release, Transition::Release),
    ] {
        draft("q").put(&engine).await;
        let job = hand.one().await;
        let ends = vec![finish(&job, first, None), finish(&job, second, None)];
        let answers = engine.finish(ends).await.expect("finish");
        assert_eq!(answers, [Finished::Applied, Finished::Already], "{first:?}, then {second:?}");
        let expected = match first {
            Transition::Bury => Some(State::Dead),
            Transition::Release => Some(State::Ready),
            _ => None,
        };
        assert_eq!(state(&engine, "q", job.id).await, expected);
    }
}

pub async fn a_claim_that_was_taken_over_is_fenced(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    for (number, (transition, _)) in transitions(fixture.now_ms()).into_iter().enumerate() {
        let name = format!("q{number}");
        let reaper = Hand::join(&engine, &name).await;
        let hand = Hand::join_for(&engine, &name, LEASE).await;
        let id = draft(&name).key("k").priority(Priority::Low).put(&engine).await;
        let job = hand.one().await;
        let reaped = reaper.sweep_for(fixture, LEASE + MS).await;
        assert_eq!(ids(&reaped), [id]);
        let before = stored(&engine, &name, id).await;
        let history = past(9, fixture.now_ms());
        let late = hand.end_with(&job, transition, &history).await;
        assert_eq!(late, Finished::Fenced, "{transition:?}");
        assert_eq!(stored(&engine, &name, id).await, before, "{transition:?}");
        assert_eq!(reaper.end(&reaped[0], Transition::Done).await, Finished::Applied);
        let later = hand.end_with(&job, transition, &history).await;
        assert_eq!(later, Finished::Fenced, "{transition:?}");
        assert_eq!(state(&engine, &name, id).await, None, "{transition:?}");
    }
}

pub async fn a_claim_of_an_earlier_attempt_cannot_end_the_next(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let id = draft("q").put(&engine).await;
    let first = hand.one().await;
    hand.end(&first, Transition::Release).await;
    let second = hand.one().await;
    assert_eq!((second.id, first.id), (id, id));
    for (transition, _) in transitions(fixture.now_ms()) {
        assert_eq!(hand.end(&first, transition).await, Finished::Already, "{transition:?}");
        assert_eq!(state(&engine, "q", id).await, Some(State::Running), "{transition:?}");
    }
    assert_eq!(hand.end(&second, Transition::Done).await, Finished::Applied);
}

pub async fn nobody_ends_the_job_of_another(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let (hand, other) = (Hand::join(&engine, "q").await, Hand::join(&engine, "q").await);
    let id = draft("q").put(&engine).await;
    let job = hand.one().await;
    for (transition, _) in transitions(fixture.now_ms()) {
        let by_other = Claimed { claim: other.token(job.claim.number), ..job.clone() };
        assert_eq!(other.end(&by_other, transition).await, Finished::Already, "{transition:?}");
        let stranger = Hand::stranger(&engine, "q").token(job.claim.number);
        let by_stranger = Claimed { claim: stranger, ..job.clone() };
        assert_eq!(other.end(&by_stranger, transition).await, Finished::Fenced, "{transition:?}");
        let wrong_number = Claimed { claim: hand.token(job.claim.number + 1), ..job.clone() };
        assert_eq!(hand.end(&wrong_number, transition).await, Finished::Already, "{transition:?}");
        let wrong_job = Claimed { id: JobId::new(), ..job.clone() };
        assert_eq!(hand.end(&wrong_job, transition).await, Finished::Already, "{transition:?}");
    }
    assert_eq!(state(&engine, "q", id).await, Some(State::Running));
}

pub async fn parts_of_a_claim_may_end_in_any_order(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let sent = put_many(&engine, "q", 60).await;
    let jobs = hand.take(60).await;
    // 7 and 60 have no common factor, so this visits every job once.
    let order: Vec<_> = (0..60).map(|at| &jobs[(at * 7) % 60]).collect();
    for (round, part) in order.chunks(13).enumerate() {
        let done = part.iter().map(|job| finish(job, Transition::Done, None)).collect();
        let answers = engine.finish(done).await.expect("finish");
        assert_eq!(answers, vec![Finished::Applied; part.len()], "round {round}");
        let left = 60 - (round * 13 + part.len());
        assert_eq!(listed(&engine, "q", State::Running).await.len(), left);
    }
    for id in sent {
        assert_eq!(state(&engine, "q", id).await, None);
    }
}

pub async fn one_call_may_mix_everything_and_answers_in_order(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hands = [
        Hand::join(&engine, "a").await,
        Hand::join(&engine, "b").await,
        Hand::join(&engine, "a").await,
    ];
    let mut jobs = Vec::new();
    for hand in &hands {
        put_many(&engine, hand.queue.as_str(), 8).await;
        jobs.extend(hand.take(4).await);
        jobs.extend(hand.take(4).await);
    }
    let kinds = transitions(fixture.now_ms());
    let mut finishes: Vec<Finish> = Vec::new();
    for at in 0..24 {
        let history = (at % 3 == 0).then(|| past(1, 1).encode());
        finishes.push(finish(&jobs[(at * 5) % 24], kinds[at % 8].0, history));
    }
    let stranger = Hand::stranger(&engine, "b").fresh();
    finishes.insert(7, Finish { claim: stranger, ..finishes[0].clone() });
    finishes.insert(20, finishes[2].clone());
    let answers = engine.finish(finishes).await.expect("finish");
    let mut expected = vec![Finished::Applied; 26];
    expected[7] = Finished::Fenced;
    expected[20] = Finished::Already;
    assert_eq!(answers, expected);
    assert_eq!(listed(&engine, "a", State::Running).await, []);
    assert_eq!(listed(&engine, "b", State::Running).await, []);
}

pub async fn a_full_batch_is_fine_a_larger_one_refused_an_empty_one_nothing(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", BATCH_MAX).await;
    let jobs = hand.take(BATCH_MAX).await;
    let mut finishes: Vec<_> = jobs.iter().map(|job| finish(job, Transition::Done, None)).collect();
    finishes.push(finishes[0].clone());
    let error = engine.finish(finishes.clone()).await.expect_err("1,001 finishes");
    assert_eq!(error.kind(), EngineErrorKind::Invalid, "{error}");
    assert_eq!(listed(&engine, "q", State::Running).await.len(), BATCH_MAX);
    assert_eq!(engine.finish(Vec::new()).await.expect("finish"), []);
    finishes.pop();
    let answers = engine.finish(finishes).await.expect("finish");
    assert!(answers.iter().all(|answer| *answer == Finished::Applied));
}

pub async fn a_full_batch_of_retries_with_histories_is_fine(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", BATCH_MAX).await;
    let at_ms = fixture.now_ms() + 1;
    let history = past(1, at_ms).encode();
    let retry = |job| finish(job, Transition::Retry { at_ms }, Some(history.clone()));
    let finishes = hand.take(BATCH_MAX).await.iter().map(retry).collect();
    let answers = engine.finish(finishes).await.expect("finish");
    assert!(answers.iter().all(|answer| *answer == Finished::Applied));
    fixture.advance(MS).await;
    let mut again = Vec::new();
    while again.len() < BATCH_MAX {
        let jobs = hand.take(BATCH_MAX).await;
        assert!(!jobs.is_empty(), "only {} came back", again.len());
        assert!(jobs.iter().all(|job| job.history.as_ref() == Some(&history)));
        again.extend(ids(&jobs));
    }
}

pub async fn one_call_may_end_many_claims_each_with_a_past(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let now_ms = fixture.now_ms();
    let hand = Hand::join(&engine, "q").await;
    let sent = put_many(&engine, "q", 24).await;
    let mut finishes = Vec::new();
    for (transition, _) in transitions(now_ms).into_iter().cycle().take(24) {
        let job = hand.one().await;
        finishes.push(finish(&job, transition, Some(past(1, now_ms).encode())));
    }
    let answers = engine.finish(finishes).await.expect("finish");
    assert_eq!(answers, [Finished::Applied; 24]);
    for (id, (_, expected)) in sent.iter().zip(transitions(now_ms).into_iter().cycle()) {
        assert_eq!(state(&engine, "q", *id).await, expected);
    }
}

pub async fn release_goes_to_the_front_of_its_priority(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let mut sent = Vec::new();
    for priority in [Priority::Normal, Priority::Low, Priority::High] {
        for _ in 0..2 {
            sent.push(draft("q").priority(priority).put(&engine).await);
        }
    }
    let [normal, normal_2, low, low_2, high, high_2] = sent[..] else { unreachable!() };
    let jobs = hand.take(5).await;
    assert_eq!(ids(&jobs), [high, high_2, normal, normal_2, low]);
    for at in [4, 2] {
        assert_eq!(hand.end(&jobs[at], Transition::Release).await, Finished::Applied);
    }
    assert_eq!(hand.drain().await, [normal, low, low_2]);
}

pub async fn jobs_released_together_keep_their_order(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let sent = put_many(&engine, "q", 20).await;
    let jobs = hand.take(10).await;
    let release = |job| finish(job, Transition::Release, None);
    engine.finish(jobs.iter().map(release).collect()).await.expect("finish");
    assert_eq!(hand.drain().await, sent);
}

pub async fn a_history_is_kept_byte_for_byte_until_it_is_replaced(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let id = draft("q").put(&engine).await;
    let mut job = hand.one().await;
    assert_eq!(job.history, None);
    let all_bytes: Vec<u8> = (0..=255).collect();
    let pasts = [b"{}".to_vec(), all_bytes, b"\0".to_vec(), vec![0xff; 300_000]];
    for history in pasts {
        let with = finish(&job, Transition::Release, Some(history.clone()));
        assert_eq!(hand.finish(with).await, Finished::Applied);
        let kept = stored(&engine, "q", id).await.expect("the job").history;
        assert!(kept.as_ref() == Some(&history), "in `get`");
        job = hand.one().await;
        assert!(job.history.as_ref() == Some(&history), "in `claim`");
        // None leaves the stored one.
        assert_eq!(hand.end(&job, Transition::Release).await, Finished::Applied);
        job = hand.one().await;
        assert!(job.history.as_ref() == Some(&history), "in the next `claim`");
    }
    assert_eq!(hand.end(&job, Transition::Done).await, Finished::Applied);
    // The next life of the store knows nothing of it.
    let fresh = draft("q").id(id).put(&engine).await;
    let job = hand.one().await;
    assert_eq!((job.id, job.history), (fresh, None));
}

pub async fn a_job_with_everything_ends_without_a_trace(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    for transition in [Transition::Done, Transition::Cancel { until_ms: None }] {
        let key = format!("{transition:?}");
        let id = draft("q").priority(Priority::High).key(&key).put(&engine).await;
        let job = hand.one().await;
        let due = Transition::Retry { at_ms: fixture.now_ms() };
        hand.end_with(&job, due, &past(1, 1)).await;
        let job = hand.one().await;
        assert!(job.history.is_some());
        engine.cancel(&hand.queue, &[id]).await.expect("cancel");
        let last = hand.end_with(&job, transition, &past(2, 2)).await;
        assert_eq!(last, Finished::Applied);
        assert_eq!(state(&engine, "q", id).await, None);
    }
    // The audit after each case looks for the trace.
}

pub async fn a_job_that_was_to_be_cancelled_may_still_end_well(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    for (number, (transition, expected)) in transitions(fixture.now_ms()).into_iter().enumerate() {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let id = draft(&name).put(&engine).await;
        let job = hand.one().await;
        engine.cancel(&hand.queue, &[id]).await.expect("cancel");
        assert_eq!(hand.end(&job, transition).await, Finished::Applied, "{transition:?}");
        let after = stored(&engine, &name, id).await;
        assert_eq!(after.as_ref().map(|job| job.state), expected, "{transition:?}");
        // If it is to be run again, the request still stands.
        let again = matches!(expected, Some(State::Ready | State::Scheduled));
        let stands = after.is_some_and(|job| job.cancel_requested);
        assert_eq!(stands, again, "{transition:?}");
    }
}

pub async fn a_retry_in_the_past_is_due_at_once(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let sent = put_many(&engine, "q", 4).await;
    let now_ms = fixture.now_ms();
    let due = [
        Transition::Retry { at_ms: 0 },
        Transition::Retry { at_ms: now_ms },
        Transition::Schedule { at_ms: 0 },
        Transition::Schedule { at_ms: now_ms - 1 },
    ];
    for (job, transition) in hand.take(4).await.iter().zip(due) {
        hand.end(job, transition).await;
    }
    assert_eq!(crate::kit::set(&hand.drain().await), crate::kit::set(&sent));
}
