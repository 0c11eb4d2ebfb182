//! The store examines itself. Damage done on purpose is each engine's own tests' business; here
//! it must be silent where nothing is wrong, also in the midst of traffic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mq_core::Priority;
use mq_core::engine::Engine;
use mq_core::lifecycle::Transition;

use crate::Fixture;
use crate::kit::{DAY, HOUR, Hand, LEASE, Place, bring, draft, past, put_many, queue};

pub async fn a_store_with_everything_in_it_is_in_order(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    Hand::join_for(&engine, "q", LEASE).await;
    for (round, priority) in Priority::ALL.into_iter().enumerate() {
        for place in &Place::ALL[2..] {
            let job = draft("q").priority(priority).retention(HOUR);
            let job = if round == 1 { job } else { job.key(&format!("{round}{place:?}")) };
            bring(fixture, &hand, job, *place).await;
        }
    }
    put_many(&engine, "q", 10).await;
    fixture.advance(DAY).await;
    for repair in [false, true] {
        let report = engine.audit(&hand.queue, repair).await.expect("audit");
        assert_eq!((report.findings, report.repaired), (Vec::new(), 0), "repair: {repair}");
        assert_eq!(report.jobs, 10 + 3 * 6);
    }
}

pub async fn an_unknown_queue_is_in_order(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let report = engine.audit(&queue("never heard of"), true).await.expect("audit");
    assert_eq!((report.jobs, report.findings.len(), report.repaired), (0, 0, 0));
    assert_eq!(engine.queues().await.expect("queues"), []);
}

pub async fn a_repair_of_a_sound_store_changes_nothing(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let mut all = Vec::new();
    for (number, place) in Place::ALL.into_iter().enumerate().skip(1) {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let id = bring(fixture, &hand, draft(&name).key("k"), place).await;
        let q = queue(&name);
        let before = engine.get(&q, &[id]).await.expect("get");
        all.push((q, id, before));
    }
    for (q, id, before) in all {
        let report = engine.audit(&q, true).await.expect("audit");
        assert_eq!((report.jobs, report.repaired), (1, 0), "{before:?}");
        assert_eq!(engine.get(&q, &[id]).await.expect("get"), before);
    }
}

/// Every sort of traffic, until told to stop.
async fn traffic(engine: Arc<dyn Engine>, stop: Arc<AtomicBool>, now_ms: u64, worker: usize) {
    let hand = Hand::join(&engine, "q").await;
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        round += 1;
        let key = format!("{worker}.{round}");
        let low = draft("q").priority(Priority::Low).key(&key).put(&engine).await;
        let sent = put_many(&engine, "q", 8).await;
        let later = draft("q").after(HOUR).put(&engine).await;
        let _ = engine.cancel(&hand.queue, &[sent[0], low]).await.expect("cancel");
        let _ = engine.delete(&hand.queue, &[sent[1]]).await.expect("delete");
        let _ = engine.run_now(&hand.queue, &[later]).await.expect("run_now");
        for (at, job) in hand.take(10).await.iter().enumerate() {
            let transition = match (at + round) % 6 {
                0 => Transition::Retry { at_ms: now_ms },
                1 => Transition::Bury,
                2 => Transition::Retain { until_ms: now_ms },
                3 => Transition::Release,
                _ => Transition::Done,
            };
            hand.end_with(job, transition, &past(1, now_ms)).await;
            if transition == Transition::Bury {
                let _ = engine.retry(&hand.queue, &[job.id], None).await.expect("retry");
            }
        }
    }
    hand.take(1_000).await;
    engine.leave(&hand.queue, hand.worker).await.expect("leave");
}

pub async fn traffic_is_not_mistaken_for_damage(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for worker in 0..3 {
        let handle = fixture.second().await;
        tasks.push(tokio::spawn(traffic(handle, Arc::clone(&stop), fixture.now_ms(), worker)));
    }
    for _ in 0..15 {
        let report = engine.audit(&queue("q"), false).await.expect("audit");
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
    }
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.expect("the traffic");
    }
}
