//! Pages, also while the queue changes between them.

use mq_core::engine::{Cursor, ListRequest};
use mq_core::{JobId, State};

use super::{Kit, THEN_MS};
use crate::ops::list::list;

async fn page(
    kit: &Kit,
    state: State,
    cursor: Option<Cursor>,
    limit: usize,
) -> (Vec<JobId>, Option<Cursor>) {
    let request = ListRequest { queue: kit.queue.clone(), state, cursor, limit };
    let page = list(&kit.engine, request).await.unwrap();
    assert!(page.jobs.iter().all(|job| job.state == state));
    (page.jobs.iter().map(|job| job.id).collect(), page.next)
}

async fn all(kit: &Kit, state: State, limit: usize) -> Vec<JobId> {
    let (mut ids, mut next) = page(kit, state, None, limit).await;
    while next.is_some() {
        let (more, after) = page(kit, state, next, limit).await;
        ids.extend(more);
        next = after;
    }
    ids
}

#[tokio::test]
async fn ready_jobs_come_in_the_order_in_which_they_will_run() {
    let kit = Kit::new().await;
    let mut expected = Vec::new();
    for place in ["ready:high", "ready", "ready:low"] {
        for _ in 0..7 {
            expected.push(kit.job(place).await);
        }
    }
    for limit in [1, 2, 7, 20, 21, 22, 1000] {
        assert_eq!(all(&kit, State::Ready, limit).await, expected, "{limit}");
    }
}

#[tokio::test]
async fn ready_jobs_that_are_claimed_between_two_pages_hide_nobody() {
    let kit = Kit::new().await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(kit.job("ready").await);
    }
    let (first, next) = page(&kit, State::Ready, None, 5).await;
    assert_eq!(first, ids[..5]);
    kit.raw("LPOP", "ready", &[b"3"]).await;
    let (second, next) = page(&kit, State::Ready, next, 5).await;
    assert_eq!(second, ids[5..10]);
    kit.raw("LPOP", "ready", &[b"9"]).await;
    let (third, next) = page(&kit, State::Ready, next, 100).await;
    assert_eq!(third, ids[12..]);
    assert_eq!(next, None);
}

#[tokio::test]
async fn jobs_of_the_same_ms_are_paged_through_even_if_the_last_one_seen_is_gone() {
    for (state, set) in [(State::Scheduled, "scheduled"), (State::Dead, "dead")] {
        let kit = Kit::new().await;
        let mut ids = Vec::new();
        for _ in 0..30 {
            ids.push(kit.job(set).await);
        }
        if state == State::Dead {
            ids.reverse();
        }
        for limit in [1, 7, 29, 30, 31] {
            assert_eq!(all(&kit, state, limit).await, ids, "{limit}");
        }
        let (first, next) = page(&kit, state, None, 11).await;
        assert_eq!(first, ids[..11]);
        for id in &ids[3..11] {
            kit.raw("ZREM", set, &[&id.to_text()]).await;
            kit.raw("HDEL", "jobs", &[&id.to_text()]).await;
        }
        let (second, next) = page(&kit, state, next, 100).await;
        assert_eq!(second, ids[11..]);
        assert_eq!(next, None);
    }
}

#[tokio::test]
async fn scheduled_jobs_and_retries_are_merged_by_their_time() {
    let kit = Kit::new().await;
    let mut expected = Vec::new();
    for number in 0..12u64 {
        let id = kit.job("absent").await;
        kit.raw("HSET", "jobs", &[&id.to_text(), b"x"]).await;
        let due = (THEN_MS + number * 10).to_string();
        let set = if number % 3 == 0 { "scheduled" } else { "retry" };
        kit.raw("ZADD", set, &[due.as_bytes(), &id.to_text()]).await;
        expected.push(id);
    }
    for limit in [1, 5, 12, 50] {
        assert_eq!(all(&kit, State::Scheduled, limit).await, expected, "{limit}");
    }
    assert_eq!(kit.stored(expected[2]).await.unwrap().at_ms, Some(THEN_MS + 20));
}

#[tokio::test]
async fn running_jobs_are_listed_with_their_workers() {
    let kit = Kit::new().await;
    let mut ids = Vec::new();
    for _ in 0..9 {
        ids.push(kit.job("running").await);
    }
    kit.raw("HSET", "cancels", &[&ids[4].to_text(), b"1"]).await;
    for limit in [1, 4, 9, 10] {
        assert_eq!(all(&kit, State::Running, limit).await, ids, "{limit}");
    }
    let job = kit.stored(ids[4]).await.unwrap();
    assert_eq!((job.worker, job.cancel_requested), (Some(kit.worker), true));
    assert!(!kit.stored(ids[5]).await.unwrap().cancel_requested);
}

#[tokio::test]
async fn an_entry_without_a_record_is_left_out() {
    let kit = Kit::new().await;
    kit.place(JobId::new(), "ready").await;
    kit.raw("RPUSH", "ready", &[b"garbage"]).await;
    let id = kit.job("ready").await;
    assert_eq!(all(&kit, State::Ready, 1).await, [id]);
}
