//! Not waiting any longer: attempts and past stay as they are.

use mq_core::engine::Act;
use mq_core::{Priority, State};

use crate::Fixture;
use crate::kit::{HOUR, Hand, Place, bring, draft, enqueue, ids, listed, set, stored};

pub async fn makes_it_ready_and_leaves_the_past_alone(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    for (number, place) in [Place::Scheduled, Place::Retrying].into_iter().enumerate() {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let id = bring(fixture, &hand, draft(&name).key("k"), place).await;
        let before = stored(&engine, &name, id).await.expect("the job");
        let acts = engine.run_now(&hand.queue, &[id]).await.expect("run_now");
        assert_eq!(acts, [Act::Applied], "{place:?}");
        let job = hand.one().await;
        assert_eq!((job.id, job.record), (id, before.record), "{place:?}");
        assert_eq!(job.history, before.history, "{place:?}");
    }
}

pub async fn keeps_the_priority(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let mut sent = Vec::new();
    for priority in [Priority::Low, Priority::High, Priority::Normal] {
        sent.push(draft("q").priority(priority).after(HOUR).put(&engine).await);
    }
    engine.run_now(&hand.queue, &sent).await.expect("run_now");
    assert_eq!(ids(&hand.take(3).await), [sent[1], sent[2], sent[0]]);
}

pub async fn works_for_a_full_batch_and_only_for_those_named(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let other = draft("q").after(HOUR).put(&engine).await;
    let jobs: Vec<_> = (0..1_000).map(|_| draft("q").after(HOUR).build()).collect();
    let sent: Vec<_> = jobs.iter().map(|job| job.id).collect();
    enqueue(&engine, jobs).await;
    let acts = engine.run_now(&hand.queue, &sent).await.expect("run_now");
    assert_eq!(acts, vec![Act::Applied; 1_000]);
    assert_eq!(set(&hand.drain().await), set(&sent));
    assert_eq!(listed(&engine, "q", State::Scheduled).await, [other]);
}
