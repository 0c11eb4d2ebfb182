//! Storing jobs as another store had them.

use std::sync::Arc;
use std::time::Duration;

use mq_core::engine::{
    Act, BATCH_MAX, BeatReply, Engine, EngineErrorKind, EnqueueReply, PruneLimits, Stored,
    WaitReply,
};
use mq_core::lifecycle::Transition;
use mq_core::{JobId, Priority, State};

use crate::Fixture;
use crate::kit::{
    DAY, HOUR, Hand, LONG, MS, Place, bring, draft, ids, listed, ms, past, put_many, queue, state,
    stored,
};

/// Every place that a job may have when it is moved.
const PLACES: [Place; 6] =
    [Place::Ready, Place::Scheduled, Place::Retrying, Place::Dead, Place::Done, Place::Cancelled];

/// A ready job of another store.
fn foreign(name: &str) -> Stored {
    let new = draft(name).build();
    Stored {
        id: new.id,
        queue: new.queue,
        state: State::Ready,
        record: new.record,
        history: None,
        at_ms: None,
        worker: None,
        cancel_requested: false,
    }
}

fn with_key(name: &str, key: &str) -> Stored {
    Stored { record: draft(name).key(key).build().record, ..foreign(name) }
}

async fn import(engine: &Arc<dyn Engine>, jobs: &[Stored]) -> Vec<Act> {
    engine.import(jobs.to_vec()).await.expect("import")
}

pub async fn a_job_arrives_as_it_was(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    for (number, place) in PLACES.into_iter().enumerate() {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let job = draft(&name).priority(Priority::Low).payload(vec![0, 255, 7]).key("k");
        let id = bring(fixture, &hand, job.retention(HOUR), place).await;
        let before = stored(&engine, &name, id).await.expect("the job");
        let there = Stored { queue: queue(&format!("to {name}")), ..before };
        assert_eq!(import(&engine, std::slice::from_ref(&there)).await, [Act::Applied]);
        let after = stored(&engine, there.queue.as_str(), id).await;
        assert_eq!(after.as_ref(), Some(&there), "{place:?}");
        let stats = engine.stats(&there.queue).await.expect("stats");
        let is_retry = u64::from(place == Place::Retrying);
        assert_eq!(stats.retrying, is_retry, "{place:?}");
        let counted = stats.enqueued_total + stats.done_total + stats.dead_total;
        assert_eq!((counted, stats.failed_total), (0, 0), "{place:?}: nothing happened here");
    }
}

pub async fn ready_jobs_come_behind_those_there_in_the_order_given(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let first = put_many(&engine, "q", 2).await;
    let mut jobs: Vec<_> = (0..30).map(|_| foreign("q")).collect();
    // Not the order of their ids: a job may have been given back, or come from another queue.
    jobs.reverse();
    let sent: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    assert_eq!(import(&engine, &jobs).await, vec![Act::Applied; 30]);
    let urgent = draft("q").priority(Priority::High).build().record;
    let urgent = Stored { record: urgent, ..foreign("q") };
    import(&engine, std::slice::from_ref(&urgent)).await;
    let expected = [vec![urgent.id], first, sent].concat();
    assert_eq!(listed(&engine, "q", State::Ready).await, expected);
    assert_eq!(Hand::join(&engine, "q").await.drain().await, expected);
}

pub async fn a_job_that_is_there_is_left_alone_wherever_it_is(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let places = [PLACES.as_slice(), &[Place::Running]].concat();
    for (number, place) in places.into_iter().enumerate() {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let id = bring(fixture, &hand, draft(&name).retention(HOUR), place).await;
        let before = stored(&engine, &name, id).await;
        let copy = Stored { id, history: Some(b"another past".to_vec()), ..foreign(&name) };
        for state in [State::Ready, State::Dead, State::Scheduled] {
            let copy = Stored { state, at_ms: Some(7), ..copy.clone() };
            assert_eq!(import(&engine, &[copy]).await, [Act::Already], "{place:?}");
        }
        assert_eq!(stored(&engine, &name, id).await, before, "{place:?}");
    }
}

pub async fn a_repeat_changes_nothing(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let jobs: Vec<_> = (0..20).map(|_| foreign("q")).collect();
    assert_eq!(import(&engine, &jobs[..10]).await, vec![Act::Applied; 10]);
    let expected = [vec![Act::Already; 10], vec![Act::Applied; 10]].concat();
    assert_eq!(import(&engine, &jobs).await, expected);
    let twice = [&jobs[..], &jobs[..5]].concat();
    assert_eq!(import(&engine, &twice).await, vec![Act::Already; 25]);
    let all: Vec<_> = jobs.iter().map(|job| job.id).collect();
    assert_eq!(listed(&engine, "q", State::Ready).await, all);
}

pub async fn the_same_job_twice_in_one_call_is_stored_once(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let job = foreign("q");
    let twice = [job.clone(), job.clone()];
    assert_eq!(import(&engine, &twice).await, [Act::Applied, Act::Already]);
    assert_eq!(listed(&engine, "q", State::Ready).await, [job.id]);
}

pub async fn a_job_that_runs_is_refused(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let running = Stored { state: State::Running, worker: Some(hand.worker), ..foreign("q") };
    let beside = foreign("q");
    let acts = import(&engine, &[running.clone(), beside.clone()]).await;
    assert_eq!(acts, [Act::Refused(State::Running), Act::Applied]);
    assert_eq!(stored(&engine, "q", running.id).await, None);
    assert_eq!(state(&engine, "q", beside.id).await, Some(State::Ready));
}

pub async fn a_job_is_due_at_the_time_it_brought(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let at_ms = Some(fixture.now_ms() + ms(HOUR));
    let waiting = Stored { state: State::Scheduled, at_ms, ..foreign("q") };
    let history = Some(past(2, fixture.now_ms()).encode());
    let failed = Stored { history: history.clone(), ..waiting.clone() };
    let failed = Stored { id: JobId::new(), ..failed };
    let overdue = Stored { at_ms: Some(1), state: State::Scheduled, ..foreign("q") };
    import(&engine, &[waiting.clone(), failed.clone(), overdue.clone()]).await;
    let stats = engine.stats(&hand.queue).await.expect("stats");
    assert_eq!((stats.scheduled, stats.retrying), (2, 1));
    assert_eq!(hand.one().await.id, overdue.id);
    fixture.advance(HOUR - MS).await;
    assert_eq!(hand.drain().await, []);
    fixture.advance(MS).await;
    let mut due = hand.take(9).await;
    due.sort_by_key(|job| job.id);
    assert_eq!(ids(&due), [waiting.id, failed.id]);
    assert_eq!(due[1].history, history);
}

pub async fn a_moved_job_has_its_whole_life_before_it(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let record = draft("q").key("k").priority(Priority::Low).build().record;
    let at_ms = Some(fixture.now_ms());
    let dead = Stored { record, state: State::Dead, at_ms, ..foreign("q") };
    import(&engine, std::slice::from_ref(&dead)).await;
    let retried = engine.retry(&hand.queue, &[dead.id], None).await.expect("retry");
    assert_eq!(retried, [Act::Applied]);
    let job = hand.one().await;
    let at_ms = fixture.now_ms();
    hand.end_with(&job, Transition::Retry { at_ms }, &past(1, at_ms)).await;
    hand.end(&hand.one().await, Transition::Done).await;
    assert_eq!(stored(&engine, "q", dead.id).await, None);
}

pub async fn its_key_comes_along_unless_another_job_has_it(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let here = draft("q").key("taken").put(&engine).await;
    let (second, own) = (with_key("q", "taken"), with_key("q", "own"));
    assert_eq!(import(&engine, &[second.clone(), own.clone()]).await, [Act::Applied; 2]);
    let ask = async |key: &str| draft("q").key(key).send(&engine).await;
    assert_eq!(ask("taken").await, EnqueueReply { id: here, duplicate: true });
    assert_eq!(ask("own").await, EnqueueReply { id: own.id, duplicate: true });
    // The one that came second does not take the other's key along when it goes.
    engine.delete(&queue("q"), &[second.id]).await.expect("delete");
    fixture.advance(DAY * 2).await;
    engine.prune(&queue("q"), PruneLimits::default()).await.expect("prune");
    assert_eq!(ask("taken").await, EnqueueReply { id: here, duplicate: true });
}

pub async fn a_key_is_free_a_day_after_its_job_ended_here(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let old = draft("q").key("k").put(&engine).await;
    engine.delete(&queue("q"), &[old]).await.expect("delete");
    let within = with_key("q", "k");
    import(&engine, std::slice::from_ref(&within)).await;
    assert_eq!(draft("q").key("k").send(&engine).await, EnqueueReply { id: old, duplicate: true });
    fixture.advance(DAY + MS).await;
    let after = with_key("q", "k");
    import(&engine, std::slice::from_ref(&after)).await;
    let reply = draft("q").key("k").send(&engine).await;
    assert_eq!(reply, EnqueueReply { id: after.id, duplicate: true });
}

pub async fn a_kept_job_holds_its_key_and_goes_when_its_time_is_up(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let q = queue("q");
    let at_ms = Some(fixture.now_ms() + ms(DAY * 3));
    let kept = |state, key| Stored { state, at_ms, ..with_key("q", key) };
    let (done, cancelled) = (kept(State::Done, "a"), kept(State::Cancelled, "b"));
    import(&engine, &[done.clone(), cancelled.clone()]).await;
    fixture.advance(DAY * 3 - MS).await;
    for _ in 0..2 {
        engine.prune(&q, PruneLimits::default()).await.expect("prune");
    }
    for (job, key) in [(&done, "a"), (&cancelled, "b")] {
        let reply = draft("q").key(key).send(&engine).await;
        assert_eq!(reply, EnqueueReply { id: job.id, duplicate: true });
    }
    fixture.advance(DAY + MS).await;
    for _ in 0..2 {
        engine.prune(&q, PruneLimits::default()).await.expect("prune");
    }
    assert_eq!(stored(&engine, "q", done.id).await, None);
    assert!(!draft("q").key("a").send(&engine).await.duplicate);
}

pub async fn a_request_to_cancel_comes_along(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let asked = Stored { cancel_requested: true, ..foreign("q") };
    let at_ms = Some(fixture.now_ms());
    let dead = Stored { cancel_requested: true, state: State::Dead, at_ms, ..foreign("q") };
    import(&engine, &[asked.clone(), dead.clone()]).await;
    assert!(stored(&engine, "q", asked.id).await.expect("the job").cancel_requested);
    assert!(!stored(&engine, "q", dead.id).await.expect("the job").cancel_requested);
    assert_eq!(hand.one().await.id, asked.id);
    let BeatReply::Extended { cancels, .. } = hand.beat(LONG).await else { panic!("lost") };
    assert_eq!(cancels, [asked.id]);
}

pub async fn a_record_that_cannot_be_read_is_kept_as_it_is(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let record: Vec<u8> = (0..=255).rev().collect();
    let history = Some(vec![0, 255, b'{']);
    let damaged = Stored { record, history, ..foreign("q") };
    assert_eq!(import(&engine, std::slice::from_ref(&damaged)).await, [Act::Applied]);
    assert_eq!(stored(&engine, "q", damaged.id).await.as_ref(), Some(&damaged));
    let stats = engine.stats(&queue("q")).await.expect("stats");
    assert_eq!(stats.ready_by_priority, [0, 1, 0]);
}

pub async fn one_call_may_fill_many_queues(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let jobs: Vec<_> = (0..60).map(|number| foreign(&format!("q{}", number % 7))).collect();
    assert_eq!(import(&engine, &jobs).await, vec![Act::Applied; 60]);
    assert_eq!(engine.queues().await.expect("queues").len(), 7);
    for job in &jobs {
        assert_eq!(state(&engine, job.queue.as_str(), job.id).await, Some(State::Ready));
    }
}

pub async fn a_full_batch_is_fine_a_larger_one_refused_an_empty_one_nothing(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let mut jobs: Vec<_> = (0..BATCH_MAX).map(|_| foreign("q")).collect();
    assert_eq!(import(&engine, &jobs).await, vec![Act::Applied; BATCH_MAX]);
    let sent: Vec<_> = jobs.iter().map(|job| job.id).collect();
    assert_eq!(listed(&engine, "q", State::Ready).await, sent);
    assert_eq!(import(&engine, &[]).await, []);
    jobs.iter_mut().for_each(|job| job.id = JobId::new());
    jobs.push(foreign("q"));
    let error = engine.import(jobs).await.expect_err("one too many");
    assert_eq!(error.kind(), EngineErrorKind::Invalid);
    assert_eq!(listed(&engine, "q", State::Ready).await, sent);
}

pub async fn a_batch_of_large_jobs_goes_through(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let record = draft("q").payload(vec![b'x'; 700_000]).build().record;
    let jobs: Vec<_> = (0..20).map(|_| Stored { record: record.clone(), ..foreign("q") }).collect();
    assert_eq!(import(&engine, &jobs).await, vec![Act::Applied; 20]);
    let sent: Vec<_> = jobs.iter().map(|job| job.id).collect();
    assert_eq!(listed(&engine, "q", State::Ready).await, sent);
    let last = jobs.last().expect("one of them");
    assert_eq!(stored(&engine, "q", last.id).await.as_ref(), Some(last));
}

pub async fn wakes_an_idle_worker(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let at_ms = Some(fixture.now_ms() + ms(HOUR));
    let later = Stored { state: State::Scheduled, at_ms, ..foreign("later") };
    for job in [foreign("now"), later] {
        let queues = [job.queue.clone()];
        import(&engine, &[job]).await;
        let woken = engine.wait(&queues, Duration::from_secs(20)).await.expect("wait");
        assert_eq!(woken, WaitReply::Woken(queues[0].clone()));
    }
}

pub async fn a_paused_queue_takes_jobs_and_keeps_them(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    engine.pause(&hand.queue).await.expect("pause");
    let job = foreign("q");
    assert_eq!(import(&engine, std::slice::from_ref(&job)).await, [Act::Applied]);
    assert_eq!(hand.drain().await, []);
    engine.resume(&hand.queue).await.expect("resume");
    assert_eq!(hand.drain().await, [job.id]);
}
