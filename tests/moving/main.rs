//! Moving all jobs to another engine: everything arrives as it was, and a stop at any point, or a
//! worker that gets in between, loses and doubles nothing.
#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

mod faults;
#[path = "../support/passing.rs"]
mod passing;
mod scene;

use mq::admin::{MoveError, MoveProgress};
use mq::engine::{Act, EngineErrorKind};
use mq::lifecycle::Transition;
use mq::prelude::*;
use mq::{History, State};

use crate::faults::{Fault, Faulty};
use crate::scene::{
    HOUR_MS, Hand, Snapshot, client, draft, fill, in_memory, now_ms, on_redis, pairs, queue, ran,
};

#[tokio::test]
async fn everything_arrives_as_it_was_whatever_the_engines() {
    for (from, to) in pairs().await {
        fill(&from).await;
        let before = Snapshot::of(&from).await;
        let mut steps: Vec<MoveProgress> = Vec::new();
        let tell = |step: &MoveProgress| steps.push(step.clone());
        let report = from.admin().move_to(&to).progress(tell).await.unwrap();
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(report.moved(), before.len() as u64);
        assert_eq!(report.paused().count(), 0, "{report:?}");
        let after = Snapshot::of(&to).await;
        assert_eq!(after.jobs, before.jobs);
        assert_eq!(after.order, before.order);
        assert_eq!(after.sizes, before.sizes, "retries and scheduled jobs are told apart");
        assert_eq!(Snapshot::of(&from).await.len(), 0);
        let last = |name: &str| steps.iter().rfind(|step| step.queue.as_str() == name).cloned();
        for moved in report.queues.iter().filter(|queue| queue.moved > 0) {
            let step = last(moved.name.as_str()).unwrap();
            assert_eq!((step.moved, step.left), (moved.moved, 0));
        }
        for queue in from.admin().queues().await.unwrap() {
            assert!(queue.stats.paused_since_ms.is_some(), "{}", queue.name);
        }
        for (name, audit) in to.admin().audit(false).await.unwrap() {
            assert!(audit.findings.is_empty(), "{name}: {audit:?}");
        }
    }
}

#[tokio::test]
async fn keys_and_requests_to_cancel_go_on_there() {
    for (from, to) in pairs().await {
        let first = draft("a").key("welcome-7").send(&from).await;
        from.admin().move_to(&to).await.unwrap();
        let reply = draft("a").key("welcome-7").reply(&to).await;
        assert!(reply.duplicate && reply.id == first);
        assert_eq!(to.admin().cancel(first).await.unwrap(), Act::Applied);
    }
}

#[tokio::test]
async fn many_and_large_jobs_keep_their_order() {
    for (from, to) in pairs().await {
        let mut sent = Vec::new();
        for number in 0..2_500 {
            // Two thousand small ones between a few large ones.
            let len = if number % 250 == 0 { 900_000 } else { 10 };
            sent.push(draft("a").payload(vec![b'x'; len]).build());
        }
        let ids: Vec<_> = sent.iter().map(|job| job.id).collect();
        for chunk in sent.chunks(500) {
            from.engine().enqueue(chunk.to_vec(), Duration::from_secs(30)).await.unwrap();
        }
        let report = from.admin().move_to(&to).await.unwrap();
        assert_eq!((report.moved(), report.is_complete()), (2_500, true));
        assert_eq!(ran(&to, "a").await, ids);
    }
}

#[tokio::test]
async fn only_the_queues_named_are_touched() {
    let (from, to) = (in_memory().await, in_memory().await);
    fill(&from).await;
    let before = Snapshot::of(&from).await;
    let report = from.admin().move_to(&to).queues(["b"]).await.unwrap();
    assert_eq!(report.queues.len(), 1);
    let (here, there) = (Snapshot::of(&from).await, Snapshot::of(&to).await);
    assert_eq!(there.jobs, before.only("b"));
    assert_eq!(here.jobs, before.only("a"));
    assert_eq!(from.admin().queue("a").await.unwrap().stats.paused_since_ms, None);
    let report = from.admin().move_to(&to).queues(["nobody's"]).await.unwrap();
    assert_eq!((report.moved(), from.admin().queues().await.unwrap().len()), (0, 3));
    let error = from.admin().move_to(&to).queues([""]).await.unwrap_err();
    assert!(matches!(error, MoveError::Name(_)), "{error}");
}

#[tokio::test]
async fn one_store_under_two_names_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("jobs.db").display());
    let redis = on_redis();
    for url in [&url, &redis] {
        let (from, to) = (client(url).await, client(url).await);
        fill(&from).await;
        let before = Snapshot::of(&from).await;
        let error = from.admin().move_to(&to).await.unwrap_err();
        assert!(matches!(error, MoveError::SameStore), "{error}");
        assert!(!error.is_retryable());
        assert_eq!(Snapshot::of(&from).await, before);
        assert_eq!(from.admin().queue("a").await.unwrap().stats.paused_since_ms, None);
    }
}

/// Fails each call of a move in turn, once without its effect and once with it, lets workers run at
/// both ends what they can get, and moves again.
async fn stop_at_any_point(from: &str, to: &str) {
    for has_effect in [false, true] {
        for calls in 0.. {
            let what = format!("{from} to {to}, call {calls}, effect {has_effect}");
            let (from, to) = (scene::open(from).await, scene::open(to).await);
            fill(&from).await;
            let before = Snapshot::of(&from).await;
            let fault = Fault::new(calls, has_effect);
            let (here, there) = (Faulty::on(&from, &fault), Faulty::on(&to, &fault));
            let outcome = here.admin().move_to(&there).await;
            let mut done = Vec::new();
            for end in [&from, &to] {
                for name in ["a", "b"] {
                    done.extend(ran(end, name).await);
                }
            }
            let Err(error) = outcome else {
                assert!(calls > 40, "{what}: a move makes more calls");
                break;
            };
            assert!(error.is_retryable(), "{what}: {error}");
            let report = from.admin().move_to(&to).await.unwrap();
            assert!(report.is_complete(), "{what}: {report:?}");
            before.check(&from, &to, done, &report, &what).await;
        }
    }
}

#[tokio::test]
async fn a_stop_at_any_point_between_files_loses_and_doubles_nothing() {
    stop_at_any_point("sqlite", "sqlite").await;
}

#[tokio::test]
async fn a_stop_at_any_point_on_the_way_to_redis_loses_and_doubles_nothing() {
    stop_at_any_point("sqlite", "redis").await;
}

#[tokio::test]
async fn a_stop_at_any_point_on_the_way_from_redis_loses_and_doubles_nothing() {
    stop_at_any_point("redis", "sqlite").await;
}

/// At each call of a move in turn, somebody resumes the source and a worker takes jobs.
#[tokio::test]
async fn a_worker_that_gets_in_between_keeps_what_it_took() {
    let mut calls = 0;
    loop {
        let (from, to) = (in_memory().await, in_memory().await);
        fill(&from).await;
        let before = Snapshot::of(&from).await;
        let fault = Fault::meddling(calls, from.engine());
        let (here, there) = (Faulty::on(&from, &fault), Faulty::on(&to, &fault));
        let report = here.admin().move_to(&there).patience(Duration::ZERO).await.unwrap();
        let Some((hand, taken)) = fault.into_taken() else { break };
        let what = format!("call {calls}");
        assert_eq!(report.queues[0].running, taken.len() as u64, "{what}");
        for job in &taken {
            let there = to.engine().get(&queue("a"), &[job.id]).await.unwrap();
            assert_eq!(there, [None], "{what}: it runs at the source");
        }
        let done = taken.iter().map(|job| job.id).collect();
        hand.end(&taken, Transition::Done).await;
        let report = from.admin().move_to(&to).await.unwrap();
        before.check(&from, &to, done, &report, &what).await;
        calls += 1;
    }
    assert!(calls > 40, "a move makes more calls than {calls}");
}

#[tokio::test]
async fn jobs_that_run_are_waited_for() {
    for (from, to) in pairs().await {
        for _ in 0..3 {
            draft("a").send(&from).await;
        }
        let hand = Hand::join(from.engine(), "a", Duration::from_secs(600)).await;
        let jobs = hand.take(2).await;
        let (source, ends) = (from.clone(), jobs.clone());
        let ending = tokio::spawn(async move {
            while source.admin().queue("a").await.unwrap().stats.ready > 0 {
                // sleep: polls until the move has taken what waits.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            hand.end(&ends[..1], Transition::Done).await;
            hand.end(&ends[1..], Transition::Retry { at_ms: now_ms() + HOUR_MS }).await;
        });
        let report = from.admin().move_to(&to).await.unwrap();
        ending.await.unwrap();
        assert_eq!((report.moved(), report.is_complete()), (2, true));
        let info = to.admin().job(jobs[1].id).await.unwrap().unwrap();
        assert_eq!(info.state, State::Scheduled);
    }
}

#[tokio::test]
async fn jobs_of_workers_that_died_are_taken_back() {
    for (from, to) in pairs().await {
        let id = draft("a").send(&from).await;
        let hand = Hand::join(from.engine(), "a", Duration::from_millis(1)).await;
        assert_eq!(hand.take(1).await.len(), 1);
        let report = from.admin().move_to(&to).await.unwrap();
        assert!(report.is_complete(), "{report:?}");
        let stored = to.engine().get(&queue("a"), &[id]).await.unwrap().remove(0).unwrap();
        let past = History::decode(&stored.history.unwrap());
        assert_eq!((stored.state, past.interruptions.len()), (State::Scheduled, 1));
        let workers = from.engine().workers(&queue("a")).await.unwrap();
        assert_eq!(workers, [], "the mover's housekeeper has left");
    }
}

#[tokio::test]
async fn what_runs_for_too_long_is_left_and_said() {
    let (from, to) = (in_memory().await, in_memory().await);
    draft("a").send(&from).await;
    draft("a").send(&from).await;
    let hand = Hand::join(from.engine(), "a", Duration::from_secs(600)).await;
    let jobs = hand.take(1).await;
    let patience = Duration::from_millis(300);
    let report = from.admin().move_to(&to).patience(patience).await.unwrap();
    let moved = &report.queues[0];
    assert_eq!((moved.moved, moved.running, moved.left), (1, 1, 0));
    assert!(!report.is_complete());
    hand.end(&jobs, Transition::Release).await;
    let report = from.admin().move_to(&to).await.unwrap();
    assert_eq!((report.moved(), report.is_complete()), (1, true));
    assert_eq!(ran(&to, "a").await.len(), 2);
}

#[tokio::test]
async fn a_pause_stays_where_somebody_wanted_one() {
    // Paused at the source, paused at the destination, in use there: is it paused there afterwards?
    let rows = [
        (false, false, false, false),
        (true, false, false, true),
        (false, true, false, true),
        (true, true, false, true),
        (false, false, true, false),
        // As after an earlier move, with workers at the destination that go on.
        (true, false, true, false),
        (false, true, true, true),
    ];
    for (at_source, at_destination, in_use, expected) in rows {
        let row = format!("{at_source} {at_destination} {in_use}");
        let (from, to) = (in_memory().await, in_memory().await);
        draft("a").send(&from).await;
        if in_use {
            draft("a").send(&to).await;
        }
        for (client, _) in [(&from, at_source), (&to, at_destination)].iter().filter(|p| p.1) {
            client.admin().pause("a").await.unwrap();
        }
        let report = from.admin().move_to(&to).await.unwrap();
        let is_paused = to.admin().queue("a").await.unwrap().stats.paused_since_ms.is_some();
        assert_eq!(is_paused, expected, "{row}");
        assert_eq!(report.paused().count(), usize::from(expected), "{row}");
        // Nothing is left to move, so nothing is held up there.
        let again = from.admin().move_to(&to).await.unwrap();
        assert_eq!(again.paused().count(), usize::from(expected), "{row}, again");
    }
}

#[tokio::test]
async fn an_error_says_which_end_failed_and_how_far_it_came() {
    let (from, to) = (in_memory().await, in_memory().await);
    fill(&from).await;
    // The second import, of a page that is larger than the first.
    let fault = Fault::new(6, true);
    let there = Faulty::on(&to, &fault);
    let error = from.admin().move_to(&there).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("the destination failed") && text.contains("repeat"), "{text}");
    let MoveError::Store { report, source, .. } = error else { panic!("{text}") };
    assert_eq!(source.kind(), EngineErrorKind::Unknown);
    assert!(report.moved() > 0 && !report.queues.is_empty(), "{report:?}");
}
