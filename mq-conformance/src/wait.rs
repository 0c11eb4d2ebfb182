//! Idle workers: woken when there may be work, all of them if there is enough, and not otherwise.
//! The time in these cases is real, since the waiting is; nothing depends on how long it takes.

use std::sync::Arc;
use std::time::Duration;

use mq_core::clock;
use mq_core::engine::{Engine, WaitReply};
use mq_core::lifecycle::Transition;

use crate::Fixture;
use crate::kit::{HOUR, Hand, LEASE, MS, draft, put_many, queue};

/// Long enough for any wake-up.
const PATIENCE: Duration = Duration::from_secs(20);
/// To see that nothing comes.
const SHORT: Duration = Duration::from_millis(150);

async fn wait(engine: &Arc<dyn Engine>, name: &str, timeout: Duration) -> WaitReply {
    engine.wait(&[queue(name)], timeout).await.expect("wait")
}

/// Takes up wake-ups that are still there from what a case did before.
async fn quiet(engine: &Arc<dyn Engine>, name: &str) {
    while wait(engine, name, SHORT).await != WaitReply::TimedOut {}
}

fn woken(name: &str) -> WaitReply {
    WaitReply::Woken(queue(name))
}

pub async fn ends_when_the_time_is_up(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    Hand::join(&engine, "q").await;
    quiet(&engine, "q").await;
    let started = clock::now();
    assert_eq!(wait(&engine, "q", SHORT).await, WaitReply::TimedOut);
    let waited = started.elapsed();
    // Servers round their timeouts; what matters is that it did not return at once.
    assert!(waited > SHORT / 2, "waited {waited:?}");
    assert!(waited < PATIENCE / 2, "waited {waited:?}");
}

pub async fn wakes_when_a_job_is_enqueued(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let second = fixture.second().await;
    let waiting = tokio::spawn(async move { wait(&second, "q", PATIENCE).await });
    put_many(&engine, "q", 1).await;
    assert_eq!(waiting.await.expect("the waiter"), woken("q"));
}

pub async fn wakes_when_the_job_was_there_first(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    put_many(&engine, "q", 1).await;
    assert_eq!(wait(&engine, "q", PATIENCE).await, woken("q"));
}

pub async fn names_the_queue_that_has_work(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let names: Vec<_> = (0..40).map(|number| queue(&format!("q{number}"))).collect();
    for at in [39, 0, 17] {
        put_many(&engine, names[at].as_str(), 1).await;
        let reply = engine.wait(&names, PATIENCE).await.expect("wait");
        assert_eq!(reply, WaitReply::Woken(names[at].clone()));
    }
}

pub async fn wakes_when_a_job_is_scheduled_so_that_timers_can_be_set(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    draft("q").after(HOUR).put(&engine).await;
    hand.take(1).await;
    quiet(&engine, "q").await;
    draft("q").after(HOUR / 2).put(&engine).await;
    assert_eq!(wait(&engine, "q", PATIENCE).await, woken("q"));
}

pub async fn wakes_when_a_finish_leaves_work(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 3).await;
    let jobs = hand.take(3).await;
    let at_ms = fixture.now_ms() + 1_000;
    let leaving =
        [Transition::Release, Transition::Retry { at_ms }, Transition::Schedule { at_ms }];
    for (job, transition) in jobs.iter().zip(leaving) {
        quiet(&engine, "q").await;
        hand.end(job, transition).await;
        assert_eq!(wait(&engine, "q", PATIENCE).await, woken("q"), "{transition:?}");
        hand.take(1).await;
    }
}

pub async fn wakes_when_a_pause_ends(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    engine.pause(&hand.queue).await.expect("pause");
    put_many(&engine, "q", 1).await;
    hand.take(1).await;
    quiet(&engine, "q").await;
    engine.resume(&hand.queue).await.expect("resume");
    assert_eq!(wait(&engine, "q", PATIENCE).await, woken("q"));
    assert_eq!(hand.take(1).await.len(), 1);
}

pub async fn wakes_when_an_operator_makes_work(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 1).await;
    let dead = hand.one().await;
    hand.end(&dead, Transition::Bury).await;
    let scheduled = draft("q").after(HOUR).put(&engine).await;
    quiet(&engine, "q").await;
    engine.retry(&hand.queue, &[dead.id], None).await.expect("retry");
    assert_eq!(wait(&engine, "q", PATIENCE).await, woken("q"), "retry");
    quiet(&engine, "q").await;
    engine.run_now(&hand.queue, &[scheduled]).await.expect("run_now");
    assert_eq!(wait(&engine, "q", PATIENCE).await, woken("q"), "run_now");
    quiet(&engine, "to").await;
    engine.transfer(&hand.queue, &queue("to"), &[dead.id]).await.expect("transfer");
    assert_eq!(wait(&engine, "to", PATIENCE).await, woken("to"), "transfer");
}

pub async fn wakes_when_promote_finds_due_jobs(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    draft("q").after(HOUR).put(&engine).await;
    quiet(&engine, "q").await;
    fixture.advance(HOUR).await;
    engine.promote(&queue("q"), 10).await.expect("promote");
    assert_eq!(wait(&engine, "q", PATIENCE).await, woken("q"));
}

pub async fn a_burst_wakes_as_many_workers_as_it_has_work_for(fixture: &dyn Fixture) {
    const WAITERS: usize = 4;
    let engine = fixture.engine();
    let mut waiting = Vec::new();
    for at in 0..WAITERS {
        let handle = if at % 2 == 0 { Arc::clone(&engine) } else { fixture.second().await };
        let hand = Hand::join(&handle, "q").await;
        waiting.push(tokio::spawn(async move {
            // Each takes one job and keeps it: the others must be woken for the rest.
            loop {
                let reply = wait(&handle, "q", PATIENCE).await;
                assert_eq!(reply, woken("q"), "a waiter was left asleep");
                let jobs = hand.take(1).await;
                if !jobs.is_empty() {
                    return jobs[0].id;
                }
            }
        }));
    }
    let mut sent = put_many(&engine, "q", WAITERS).await;
    let mut taken = Vec::new();
    for waiter in waiting {
        taken.push(waiter.await.expect("a waiter"));
    }
    sent.sort();
    taken.sort();
    assert_eq!(taken, sent);
}

pub async fn a_dropped_wait_takes_no_wake_up_along(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    for _ in 0..5 {
        let dropped = tokio::time::timeout(MS * 20, wait(&engine, "q", PATIENCE)).await;
        assert!(dropped.is_err(), "there was nothing to wake for");
    }
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 1).await;
    // By contract a wake-up may get lost with a wait that was dropped; a sweep makes up for it.
    hand.reap(1).await;
    assert_eq!(wait(&engine, "q", PATIENCE).await, woken("q"));
}

pub async fn a_lost_wake_up_is_made_up_for_by_a_sweep(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    put_many(&engine, "q", 1).await;
    // Somebody took the wake-up and died before it claimed.
    quiet(&engine, "q").await;
    hand.reap(10).await;
    assert_eq!(wait(&engine, "q", PATIENCE).await, woken("q"), "after reap");
    quiet(&engine, "q").await;
    engine.promote(&hand.queue, 10).await.expect("promote");
    assert_eq!(wait(&engine, "q", PATIENCE).await, woken("q"), "after promote");
}

pub async fn a_paused_queue_does_not_wake_again_and_again(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join_for(&engine, "q", LEASE).await;
    put_many(&engine, "q", 3).await;
    engine.pause(&hand.queue).await.expect("pause");
    let mut wakes = 0;
    while wait(&engine, "q", SHORT).await != WaitReply::TimedOut {
        hand.take(1).await;
        hand.reap(1).await;
        wakes += 1;
        assert!(wakes < 3, "idle workers are kept busy by a queue that is paused");
    }
}
