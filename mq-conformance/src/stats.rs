//! Sizes and counters, and which queues there are.

use std::time::Duration;

use mq_core::engine::{About, QueueStats};
use mq_core::lifecycle::Transition;
use mq_core::{JobId, Priority};

use crate::Fixture;
use crate::kit::{HOUR, Hand, LEASE, MS, Place, bring, draft, ms, past, put_many, queue};

async fn stats(fixture: &dyn Fixture, name: &str) -> QueueStats {
    fixture.engine().stats(&queue(name)).await.expect("stats")
}

pub async fn sizes_are_those_of_the_places(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let counts = [
        (Place::Scheduled, 2),
        (Place::Retrying, 3),
        (Place::Running, 4),
        (Place::Dead, 5),
        (Place::Done, 6),
        (Place::Cancelled, 7),
    ];
    for (place, count) in counts {
        for _ in 0..count {
            bring(fixture, &hand, draft("q"), place).await;
        }
    }
    for (priority, count) in Priority::ALL.into_iter().zip([1, 2, 3]) {
        for _ in 0..count {
            draft("q").priority(priority).put(&engine).await;
        }
    }
    let stats = stats(fixture, "q").await;
    assert_eq!((stats.ready, stats.ready_by_priority), (6, [1, 2, 3]));
    assert_eq!((stats.scheduled, stats.retrying, stats.running), (2, 3, 4));
    assert_eq!((stats.dead, stats.done, stats.cancelled), (5, 6, 7));
    assert_eq!(stats.next_due_ms, Some(fixture.now_ms() + ms(HOUR)));
    assert_eq!(stats.now_ms, fixture.now_ms());
    assert_eq!(stats.workers, 1);
}

pub async fn an_unknown_queue_is_all_zeros(fixture: &dyn Fixture) {
    let mut expected = QueueStats::default();
    expected.now_ms = fixture.now_ms();
    assert_eq!(stats(fixture, "never heard of").await, expected);
    assert_eq!(fixture.engine().queues().await.expect("queues"), [], "asking creates nothing");
}

pub async fn totals_count_what_happened(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    let reaper = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 7).await;
    draft("q").after(HOUR * 9).put(&engine).await;
    draft("q").after(HOUR * 9).key("k").put(&engine).await;
    draft("q").after(HOUR * 9).key("k").send(&engine).await;
    let jobs = hand.take(7).await;
    let at_ms = fixture.now_ms() + ms(HOUR);
    let endings = [
        Transition::Done,
        Transition::Retain { until_ms: at_ms },
        Transition::Retry { at_ms },
        Transition::Schedule { at_ms },
        Transition::Bury,
    ];
    for (job, transition) in jobs.iter().zip(endings) {
        hand.end_with(job, transition, &past(1, at_ms)).await;
    }
    reaper.sweep_for(fixture, LEASE + MS).await;
    let stats = stats(fixture, "q").await;
    assert_eq!((stats.enqueued_total, stats.done_total), (9, 2));
    assert_eq!((stats.dead_total, stats.interrupted_total), (1, 2));
    // Only what its finish calls a failure is one: an interrupted job is retried as well.
    assert_eq!(stats.failed_total, 1);
}

pub async fn the_last_full_minute_is_counted(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let into_minute = fixture.now_ms() % 60_000;
    fixture.advance(Duration::from_millis(60_000 - into_minute)).await;
    put_many(&engine, "q", 5).await;
    let jobs = hand.take(3).await;
    hand.end(&jobs[0], Transition::Done).await;
    hand.end(&jobs[1], Transition::Done).await;
    hand.end(&jobs[2], Transition::Retry { at_ms: fixture.now_ms() + ms(HOUR) }).await;
    let rates = |stats: QueueStats| {
        (stats.enqueued_last_minute, stats.done_last_minute, stats.failed_last_minute)
    };
    assert_eq!(rates(stats(fixture, "q").await), (0, 0, 0), "this minute is not full");
    fixture.advance(Duration::from_secs(60)).await;
    assert_eq!(rates(stats(fixture, "q").await), (5, 2, 1));
    fixture.advance(Duration::from_secs(59)).await;
    assert_eq!(rates(stats(fixture, "q").await), (5, 2, 1));
    fixture.advance(Duration::from_secs(1)).await;
    assert_eq!(rates(stats(fixture, "q").await), (0, 0, 0));
}

pub async fn the_oldest_ready_job_is_the_next_to_run(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    assert_eq!(stats(fixture, "q").await.oldest_ready_ms, None);
    let sent = put_many(&engine, "q", 2).await;
    let oldest = stats(fixture, "q").await.oldest_ready_ms.expect("an oldest job");
    // By the clock of who enqueued it, or by the store's: both are near in this process.
    let minted_ms = sent[0].created_at().timestamp_millis() as u64;
    let near = |at_ms: u64| oldest.abs_diff(at_ms) <= 60_000;
    assert!(near(minted_ms) || near(fixture.now_ms()), "{oldest} is not near {minted_ms}");
    hand.take(2).await;
    assert_eq!(stats(fixture, "q").await.oldest_ready_ms, None);
}

pub async fn of_several_ready_lists_the_first_one_counts_as_oldest(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let low = draft("q").priority(Priority::Low).put(&engine).await;
    let high = loop {
        let id = JobId::new();
        if id.created_at() > low.created_at() {
            break draft("q").priority(Priority::High).id(id).put(&engine).await;
        }
    };
    let oldest = stats(fixture, "q").await.oldest_ready_ms;
    assert_eq!(oldest, Some(high.created_at().timestamp_millis() as u64));
}

pub async fn housekeepers_are_not_counted_as_workers(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    Hand::join(&engine, "q").await;
    let keeper = Hand::stranger(&engine, "q");
    let mut about = About::default();
    about.housekeeper = true;
    engine.join(&keeper.queue, keeper.worker, LEASE, &about).await.expect("join");
    assert_eq!(stats(fixture, "q").await.workers, 1);
    assert_eq!(engine.workers(&keeper.queue).await.expect("workers").len(), 2);
}

pub async fn workers_are_shown_with_what_they_hold(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    let idle = Hand::join_for(&engine, "q", LEASE * 2).await;
    Hand::join(&engine, "other").await;
    let mut held = put_many(&engine, "q", 9).await;
    for limit in [1, 3, 5] {
        hand.take(limit).await;
    }
    let mut workers = engine.workers(&hand.queue).await.expect("workers");
    workers.sort_by_key(|stats| stats.lease_until_ms);
    assert_eq!(workers.len(), 2);
    assert_eq!([workers[0].worker, workers[1].worker], [hand.worker, idle.worker]);
    assert_eq!(workers[0].lease_until_ms, fixture.now_ms() + ms(LEASE));
    assert_eq!((workers[0].running_count, workers[1].running_count), (9, 0));
    workers[0].running.sort();
    held.sort();
    assert_eq!(workers[0].running, held);
    assert!(workers.iter().all(|stats| stats.queue == hand.queue));
}

pub async fn a_worker_that_is_fenced_out_is_shown_and_not_counted(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let keeper = Hand::join(&engine, "q").await;
    let (gone, left) = (Hand::join_for(&engine, "q", LEASE).await, Hand::join(&engine, "q").await);
    put_many(&engine, "q", 2).await;
    gone.take(1).await;
    left.take(1).await;
    engine.leave(&left.queue, left.worker).await.expect("leave");
    keeper.sweep_for(fixture, LEASE - MS).await;
    put_many(&engine, "q", 1).await;
    assert_eq!(stats(fixture, "q").await.workers, 2);
    fixture.advance(MS).await;
    keeper.reap(0).await;
    assert_eq!(stats(fixture, "q").await.workers, 1);
    let workers = engine.workers(&keeper.queue).await.expect("workers");
    let shown = workers.iter().find(|stats| stats.worker == gone.worker).expect("the worker");
    assert_eq!((shown.lease_until_ms, shown.running_count), (0, 1));
}

pub async fn workers_come_in_the_order_in_which_they_started(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let mut expected = Vec::new();
    for started_ms in [5, 3, 9, 1] {
        let hand = Hand::stranger(&engine, "q");
        let mut about = About::default();
        about.started_ms = started_ms;
        engine.join(&hand.queue, hand.worker, LEASE, &about).await.expect("join");
        expected.push((started_ms, hand.worker));
    }
    expected.sort();
    let workers = engine.workers(&queue("q")).await.expect("workers");
    let shown: Vec<_> =
        workers.iter().map(|stats| (stats.about.started_ms, stats.worker)).collect();
    assert_eq!(shown, expected);
}

pub async fn queues_are_all_there_ever_were_sorted(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    assert_eq!(engine.queues().await.expect("queues"), []);
    let hand = Hand::join(&engine, "worker only").await;
    put_many(&engine, "b", 1).await;
    put_many(&engine, "a", 1).await;
    draft("scheduled").after(HOUR).put(&engine).await;
    let b = Hand::join(&engine, "b").await;
    b.end(&b.one().await, Transition::Done).await;
    engine.leave(&b.queue, b.worker).await.expect("leave");
    engine.leave(&hand.queue, hand.worker).await.expect("leave");
    let expected = ["a", "b", "scheduled", "worker only"].map(queue);
    assert_eq!(engine.queues().await.expect("queues"), expected);
    assert_eq!(fixture.second().await.queues().await.expect("queues"), expected);
}
