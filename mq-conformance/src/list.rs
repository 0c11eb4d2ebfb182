//! Looking at the jobs of a state, page by page, in an order that says something.

use mq_core::engine::{BATCH_MAX, Cursor, EngineErrorKind, ListRequest, Stored};
use mq_core::lifecycle::Transition;
use mq_core::{JobId, Priority, State};

use crate::Fixture;
use crate::kit::{
    HOUR, Hand, MS, Place, bring, draft, enqueue, ids, listed, ms, pages, past, put_many, queue,
    set,
};

pub async fn ready_jobs_come_in_the_order_they_will_run(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    for round in 0..5 {
        for priority in [Priority::Low, Priority::High, Priority::Normal] {
            draft("q").priority(priority).payload(vec![round]).put(&engine).await;
        }
    }
    for page in [1, 4, 1_000] {
        let jobs = pages(&engine, "q", State::Ready, page).await;
        assert_eq!(jobs.len(), 15, "pages of {page}");
    }
    let expected = listed(&engine, "q", State::Ready).await;
    assert_eq!(hand.drain().await, expected);
}

pub async fn scheduled_jobs_and_retries_come_by_due_time(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let hand = Hand::join(&engine, "q").await;
    let now_ms = fixture.now_ms();
    let mut expected = Vec::new();
    for delay_ms in [700, 100, 500, 300] {
        let id = draft("q").put(&engine).await;
        let at_ms = now_ms + delay_ms;
        hand.end_with(&hand.one().await, Transition::Retry { at_ms }, &past(1, now_ms)).await;
        expected.push((at_ms, id));
        let at_ms = now_ms + delay_ms + 50;
        expected.push((at_ms, draft("q").at(at_ms).put(&engine).await));
    }
    expected.sort();
    for page in [1, 3, 1_000] {
        let jobs = pages(&engine, "q", State::Scheduled, page).await;
        let seen: Vec<_> = jobs.iter().map(|job| (job.at_ms.unwrap_or(0), job.id)).collect();
        assert_eq!(seen, expected, "pages of {page}");
    }
}

pub async fn what_has_ended_comes_latest_first(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let places = [Place::Dead, Place::Done, Place::Cancelled];
    for (number, place) in places.into_iter().enumerate() {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let mut sent = Vec::new();
        for _ in 0..7 {
            sent.push(bring(fixture, &hand, draft(&name), place).await);
            fixture.advance(MS).await;
        }
        sent.reverse();
        let state = place.state().expect("a state");
        for page in [1, 3, 1_000] {
            let jobs = pages(&engine, &name, state, page).await;
            let seen: Vec<_> = jobs.iter().map(|job| job.id).collect();
            assert_eq!(seen, sent, "{place:?}, pages of {page}");
        }
    }
}

pub async fn each_job_is_shown_with_all_there_is(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    for (number, place) in Place::ALL.into_iter().enumerate().skip(1) {
        let name = format!("q{number}");
        let hand = Hand::join(&engine, &name).await;
        let job = draft(&name).payload(b"\0\xff".to_vec()).key("k").build();
        let record = job.record.clone();
        let draft = draft(&name).id(job.id).payload(b"\0\xff".to_vec()).key("k");
        let id = bring(fixture, &hand, draft, place).await;
        let state = place.state().expect("a state");
        let jobs = pages(&engine, &name, state, 10).await;
        let now_ms = fixture.now_ms();
        let in_an_hour = Some(now_ms + ms(HOUR));
        let past = past(3, now_ms);
        let history = jobs[0].history.as_deref().map(mq_core::History::decode);
        match place {
            Place::Ready | Place::Scheduled | Place::Running => assert_eq!(history, None),
            _ => assert_eq!(history.map(|history| history.errors), Some(past.errors)),
        }
        let at_ms = match place {
            Place::Ready | Place::Running => jobs[0].at_ms,
            Place::Dead => Some(now_ms),
            _ => in_an_hour,
        };
        let worker = (place == Place::Running).then_some(hand.worker);
        let history = jobs[0].history.clone();
        let queue = queue(&name);
        let cancel_requested = false;
        let expected =
            Stored { id, queue, state, record, history, at_ms, worker, cancel_requested };
        let got = engine.get(&hand.queue, &[id]).await.expect("get");
        assert_eq!(got[0].as_ref(), Some(&expected), "{place:?} in `get`");
        assert_eq!(jobs, [expected], "{place:?} in `list`");
    }
}

pub async fn paging_visits_everything_once(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    let jobs: Vec<_> = (0..500).map(|at| draft("q").after(MS * (1 + at % 3)).build()).collect();
    let scheduled: Vec<_> = jobs.iter().map(|job| job.id).collect();
    enqueue(&engine, jobs).await;
    let hands = [Hand::join(&engine, "q").await, Hand::join(&engine, "q").await];
    put_many(&engine, "q", 600).await;
    let mut running: Vec<JobId> = Vec::new();
    for (hand, count) in hands.iter().zip([250, 20]) {
        running.extend(ids(&hand.take(count).await));
        running.extend(ids(&hand.take(1).await));
    }
    let ready: Vec<JobId> = listed(&engine, "q", State::Ready).await;
    assert_eq!(ready.len(), 600 - 272);
    for page in [7, 100, 1_000] {
        let expected =
            [(State::Scheduled, &scheduled), (State::Running, &running), (State::Ready, &ready)];
        for (state, expected) in expected {
            let jobs = pages(&engine, "q", state, page).await;
            let seen: Vec<_> = jobs.iter().map(|job| job.id).collect();
            assert_eq!(set(&seen), set(expected), "{state}, pages of {page}");
        }
    }
}

pub async fn an_empty_or_unknown_queue_has_no_pages(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    Hand::join(&engine, "q").await;
    for name in ["q", "never heard of"] {
        for state in State::ALL {
            let (queue, cursor) = (queue(name), None);
            let page = engine.list(ListRequest { queue, state, cursor, limit: 10 }).await;
            let page = page.expect("list");
            assert_eq!((page.jobs, page.next), (Vec::new(), None), "{state} of {name}");
        }
    }
}

pub async fn a_page_has_at_most_a_full_batch(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    put_many(&engine, "q", BATCH_MAX + 10).await;
    let request =
        ListRequest { queue: queue("q"), state: State::Ready, cursor: None, limit: 10 * BATCH_MAX };
    // Cutting it down and refusing it are both sound; more than a batch is not.
    match engine.list(request).await {
        Ok(page) => assert!(page.jobs.len() <= BATCH_MAX && page.next.is_some()),
        Err(error) => assert_eq!(error.kind(), EngineErrorKind::Invalid),
    }
}

pub async fn a_page_has_at_least_one_job(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    put_many(&engine, "q", 2).await;
    let request = ListRequest { queue: queue("q"), state: State::Ready, cursor: None, limit: 0 };
    let page = engine.list(request).await.expect("list");
    assert!(page.jobs.len() == 1 && page.next.is_some(), "{page:?}");
}

pub async fn a_cursor_that_nobody_made_does_no_harm(fixture: &dyn Fixture) {
    let engine = fixture.engine();
    put_many(&engine, "q", 5).await;
    for text in ["", "x", "-1", "99999999999999999999999", "0 0", "\u{0}", "1:2:3", "ü"] {
        for state in State::ALL {
            let (queue, cursor) = (queue("q"), Some(Cursor(text.into())));
            let page = engine.list(ListRequest { queue, state, cursor, limit: 10 }).await;
            if let Err(error) = page {
                assert_eq!(error.kind(), EngineErrorKind::Invalid, "{text:?}: {error}");
            }
        }
    }
}
