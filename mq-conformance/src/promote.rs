//! Moving due jobs to their ready lists, in bounded portions.

use mq_core::lifecycle::Transition;
use mq_core::{JobId, Priority, State};

use mq_core::engine::{BATCH_MAX, Progress};

use crate::Fixture;
use crate::kit::{HOUR, Hand, MS, draft, enqueue, ids, listed, queue, set};

pub async fn moves_what_is_due_and_nothing_else(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let first = draft("q").after(HOUR).put(&engine).await;
    let second = draft("q").after(HOUR + MS).put(&engine).await;
    let q = queue("q");
    let nothing = Progress { done: 0, more: false };
    assert_eq!(engine.promote(&q, 10).await.expect("promote"), nothing);
    fixture.advance(HOUR - MS).await;
    assert_eq!(engine.promote(&q, 10).await.expect("promote"), nothing);
    fixture.advance(MS).await;
    let one = Progress { done: 1, more: false };
    assert_eq!(engine.promote(&q, 10).await.expect("promote"), one);
    assert_eq!(engine.promote(&q, 10).await.expect("promote"), nothing);
    assert_eq!(listed(&engine, "q", State::Ready).await, [first]);
    assert_eq!(listed(&engine, "q", State::Scheduled).await, [second]);
}

pub async fn an_unknown_queue_has_nothing_to_promote(fixture: &dyn Fixture) {
    let progress = fixture.engine().promote(&queue("never heard of"), 10).await;
    assert_eq!(progress.expect("promote"), Progress { done: 0, more: false });
    assert_eq!(fixture.engine().queues().await.expect("queues"), []);
}

pub async fn twenty_thousand_due_jobs_come_in_bounded_portions(fixture: &dyn Fixture) {
    const JOBS: usize = 20_000;
    let engine = fixture.engine();
    let jobs: Vec<_> = (0..JOBS).map(|_| draft("q").after(HOUR).build()).collect();
    for batch in jobs.chunks(BATCH_MAX) {
        enqueue(&engine, batch.to_vec()).await;
    }
    fixture.advance(HOUR).await;
    let mut done = 0;
    loop {
        let progress = engine.promote(&queue("q"), 700).await.expect("promote");
        assert!(progress.done <= 700, "{progress:?}");
        done += progress.done;
        assert_eq!(progress.more, done < JOBS, "after {done}");
        if !progress.more {
            break;
        }
        assert!(progress.done > 0, "nothing done, yet more to do");
    }
    assert_eq!(done, JOBS);
    let sent: Vec<_> = jobs.iter().map(|job| job.id).collect();
    assert_eq!(set(&listed(&engine, "q", State::Ready).await), set(&sent));
}

pub async fn claims_alone_also_drain_a_flood_of_due_jobs(fixture: &dyn Fixture) {
    const JOBS: usize = 3_000;
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let jobs: Vec<_> = (0..JOBS).map(|_| draft("q").after(HOUR).build()).collect();
    for batch in jobs.chunks(BATCH_MAX) {
        enqueue(&engine, batch.to_vec()).await;
    }
    fixture.advance(HOUR).await;
    let sent: Vec<_> = jobs.iter().map(|job| job.id).collect();
    assert_eq!(set(&hand.drain().await), set(&sent));
}

async fn retries(fixture: &dyn Fixture, hand: &Hand, count: usize) -> Vec<JobId> {
    let sent = crate::kit::put_many(&hand.engine, hand.queue.as_str(), count).await;
    let at_ms = fixture.now_ms() + 1;
    for job in hand.take(count).await {
        hand.end(&job, Transition::Retry { at_ms }).await;
    }
    sent
}

pub async fn a_flood_of_retries_does_not_hold_up_schedules(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let retried = set(&retries(fixture, &hand, 300).await);
    let mut scheduled = Vec::new();
    for _ in 0..5 {
        scheduled.push(draft("q").after(MS).put(&engine).await);
    }
    fixture.advance(MS * 2).await;
    for _ in 0..3 {
        engine.promote(&hand.queue, 20).await.expect("promote");
    }
    let ready = listed(&engine, "q", State::Ready).await;
    assert!(ready.len() <= 60);
    assert!(scheduled.iter().all(|id| ready.contains(id)), "schedules wait behind retries");
    assert!(ready.iter().any(|id| retried.contains(id)), "retries wait behind schedules");
}

pub async fn the_limit_counts_retries_and_schedules_together(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    retries(fixture, &hand, 10).await;
    for _ in 0..10 {
        draft("q").after(MS).put(&engine).await;
    }
    fixture.advance(MS).await;
    let mut done = 0;
    while done < 20 {
        let progress = engine.promote(&hand.queue, 3).await.expect("promote");
        assert!((1..=3).contains(&progress.done), "{progress:?}");
        done += progress.done;
        assert_eq!(progress.more, done < 20, "{progress:?} after {done}");
    }
}

pub async fn scheduled_jobs_and_retries_come_in_turn(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let retry = draft("q").put(&engine).await;
    let at_ms = fixture.now_ms() + 1;
    hand.end(&hand.one().await, Transition::Retry { at_ms }).await;
    let mut scheduled = Vec::new();
    for _ in 0..4 {
        scheduled.push(draft("q").after(MS).put(&engine).await);
    }
    fixture.advance(MS).await;
    assert_eq!(engine.promote(&hand.queue, 4).await.expect("promote").done, 4);
    let expected = [scheduled[0], scheduled[1], retry, scheduled[2]];
    assert_eq!(listed(&engine, "q", State::Ready).await, expected);
}

pub async fn a_promoted_job_keeps_its_priority(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let mut sent = Vec::new();
    for priority in Priority::ALL {
        let job = draft("q").priority(priority).after(HOUR);
        sent.push(job.put(&engine).await);
    }
    fixture.advance(HOUR).await;
    engine.promote(&hand.queue, 10).await.expect("promote");
    let stats = engine.stats(&hand.queue).await.expect("stats");
    assert_eq!(stats.ready_by_priority, [1, 1, 1]);
    let taken = hand.take(3).await;
    assert_eq!(ids(&taken), sent);
    for job in &taken {
        hand.end(job, Transition::Retry { at_ms: fixture.now_ms() }).await;
    }
    engine.promote(&hand.queue, 10).await.expect("promote");
    assert_eq!(ids(&hand.take(3).await), sent);
}

pub async fn jobs_become_ready_in_the_order_they_were_due(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let mut sent = Vec::new();
    for delay_ms in [50, 10, 40, 20, 30] {
        sent.push((delay_ms, draft("q").after(MS * delay_ms).put(&engine).await));
    }
    sent.sort();
    fixture.advance(HOUR).await;
    engine.promote(&hand.queue, 2).await.expect("promote");
    engine.promote(&hand.queue, 10).await.expect("promote");
    let expected: Vec<_> = sent.into_iter().map(|(_, id)| id).collect();
    assert_eq!(hand.drain().await, expected);
}

pub async fn many_promoters_at_once_promote_each_job_once(fixture: &dyn Fixture) {
    const JOBS: usize = 1_000;
    let handles = [fixture.engine(), fixture.second().await];
    let jobs: Vec<_> = (0..JOBS).map(|_| draft("q").after(MS).build()).collect();
    let sent: Vec<_> = jobs.iter().map(|job| job.id).collect();
    enqueue(&handles[0], jobs).await;
    fixture.advance(MS).await;
    let tasks: Vec<_> = (0..6)
        .map(|at| {
            let engine = handles[at % 2].clone();
            tokio::spawn(async move {
                let mut done = 0;
                while let Ok(Progress { done: some @ 1.., .. }) =
                    engine.promote(&queue("q"), 37).await
                {
                    done += some;
                }
                done
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await.expect("a promoter");
    }
    assert_eq!(done, JOBS);
    assert_eq!(set(&listed(&handles[0], "q", State::Ready).await), set(&sent));
}
