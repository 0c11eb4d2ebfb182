//! The store itself: reachable, honest about what it survives, and shared by all its handles.

use mq_core::WorkerId;
use mq_core::engine::Durability;
use mq_core::lifecycle::Transition;

use crate::Fixture;
use crate::kit::{HOUR, Hand, ids, put_many};

pub async fn ping_tells_the_stores_time(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    assert_eq!(engine.ping().await.expect("ping"), fixture.now_ms());
    fixture.advance(HOUR).await;
    assert_eq!(engine.ping().await.expect("ping"), fixture.now_ms());
    assert_eq!(fixture.second().await.ping().await.expect("ping"), fixture.now_ms());
}

pub async fn a_detached_handle_sees_the_same_store(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let detached = engine.detached();
    let hand = Hand::join(&detached, "q").await;
    let sent = put_many(&engine, "q", 5).await;
    assert_eq!(ids(&hand.take(5).await), sent);
    assert_eq!(detached.ping().await.expect("ping"), fixture.now_ms());
    assert_eq!(detached.durability(), engine.durability());
}

pub async fn a_detached_handle_works_in_a_runtime_of_its_own(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let sent = put_many(&engine, "q", 3).await;
    let detached = engine.detached();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let hand = Hand::join(&detached, "q").await;
            let jobs = hand.take(3).await;
            for job in &jobs {
                hand.end(job, Transition::Done).await;
            }
            ids(&jobs)
        })
    });
    let joined = tokio::task::spawn_blocking(|| thread.join()).await.expect("to wait for it");
    assert_eq!(joined.expect("the thread"), sent);
    // The handle that it came from is as good as before.
    put_many(&engine, "q", 1).await;
    assert_eq!(Hand::join(&engine, "q").await.drain().await.len(), 1);
}

pub async fn every_handle_calls_the_store_by_the_same_name(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let handles = [fixture.second().await, engine.detached(), engine];
    let mut names = Vec::new();
    for handle in &handles {
        // Twice, for the first question may be what gives it its name.
        names.push(handle.identity().await.expect("identity"));
        names.push(handle.identity().await.expect("identity"));
    }
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
    assert!(names[0].parse::<WorkerId>().is_ok(), "22 characters: {names:?}");
}

pub async fn durability_and_warnings_are_known_from_the_start(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    assert!(engine.durability() >= Durability::Memory);
    for warning in engine.warnings() {
        assert!(!warning.trim().is_empty() && !warning.contains('\n'), "{warning:?}");
    }
}
