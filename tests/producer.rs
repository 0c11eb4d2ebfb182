//! What a producer can rely on, through the public API.
#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

use mq::prelude::*;
use mq::{EnqueueError, JobSet, NameError, State};
use mq_testkit::{RedisServer, shared_url, unique_prefix};

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(producer, queue = "images", priority = "low", retention = "1h")]
struct Resize {
    id: u64,
    padding: String,
}

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(producer, queue = "mail")]
struct Notify {
    id: u64,
}

fn resize(id: u64) -> Resize {
    Resize { id, padding: String::new() }
}

/// A client with keys of its own on a server that all these tests share.
async fn client() -> Client {
    let url = format!("{}?prefix={}", shared_url(), unique_prefix());
    Client::connect(url).await.unwrap()
}

async fn ready(mq: &Client, queue: &str) -> u64 {
    mq.admin().queue(queue).await.unwrap().stats.ready
}

#[tokio::test]
async fn options_win_over_the_type_and_both_are_stored() {
    let mq = client().await;
    let plain = mq.enqueue(resize(1)).await.unwrap();
    let info = mq.admin().job(plain.id).await.unwrap().unwrap();
    assert_eq!((info.queue.as_str(), info.priority), ("images", Priority::Low));
    assert_eq!(info.payload, br#"{"id":1,"padding":""}"#);
    let enqueue = mq.enqueue(resize(2)).queue("other").priority(Priority::High).tag("a").tag("b");
    let own = enqueue.max_attempts(7).delay(Duration::from_secs(60)).await.unwrap();
    let info = mq.admin().job(own.id).await.unwrap().unwrap();
    assert_eq!((info.queue.as_str(), info.priority), ("other", Priority::High));
    assert_eq!((info.state, info.max_attempts), (State::Scheduled, Some(7)));
    assert_eq!(info.tags, ["a", "b"]);
    assert_eq!(info.kind, "resize");
}

#[tokio::test]
async fn any_number_of_jobs_can_be_enqueued_from_borrowed_data() {
    let mq = client().await;
    let ids: Vec<u64> = (0..2_500).collect();
    let receipts = mq.enqueue_all(ids.iter().map(|id| resize(*id))).tag("bulk").await.unwrap();
    assert_eq!(receipts.len(), 2_500);
    assert!(receipts.windows(2).all(|pair| pair[0].id < pair[1].id), "in the order given");
    assert_eq!(ready(&mq, "images").await, 2_500);
    assert!(mq.enqueue_all(std::iter::empty::<Notify>()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_key_answers_with_the_job_that_is_there_one_by_one_and_in_bulk() {
    let mq = client().await;
    let first = mq.enqueue(Notify { id: 1 }).idempotency_key("n-1").await.unwrap();
    let again = mq.enqueue(Notify { id: 1 }).idempotency_key("n-1").await.unwrap();
    assert_eq!((again.id, again.duplicate), (first.id, true));
    let all = mq.enqueue_all((0..3).map(|id| Notify { id }));
    let all = all.idempotency_key_by(|job| format!("n-{}", job.id)).await.unwrap();
    let duplicates: Vec<_> = all.iter().map(|receipt| receipt.duplicate).collect();
    assert_eq!(duplicates, [false, true, false]);
    assert_eq!(all[1].id, first.id);
    assert_eq!(ready(&mq, "mail").await, 3);
}

#[tokio::test]
async fn a_set_of_any_size_may_mix_types_and_is_sent_whole_or_not_at_all() {
    let mq = client().await;
    let mut set = JobSet::new().push(resize(0)).push_with(Notify { id: 0 }, |o| o.tag("x"));
    (1..=1_500).for_each(|id| set.add(Notify { id }));
    assert_eq!(mq.enqueue_set(set).await.unwrap().len(), 1_502);
    assert_eq!((ready(&mq, "images").await, ready(&mq, "mail").await), (1, 1_501));

    let small = mq.clone().payload_max(50);
    let large = Resize { id: 2, padding: "x".repeat(50) };
    let error = small.enqueue_set(JobSet::new().push(Notify { id: 3 }).push(large)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, EnqueueError::TooLarge { kind: "resize", max: 50, .. }), "{error}");
    assert_eq!(ready(&mq, "mail").await, 1_501);
}

#[tokio::test]
async fn what_is_wrong_with_a_job_is_told_before_anything_is_sent() {
    let mq = client().await;
    let large = Resize { id: 1, padding: "x".repeat(2 * 1024 * 1024) };
    let error = mq.enqueue(large).await.unwrap_err();
    assert!(matches!(error, EnqueueError::TooLarge { max: 1_048_576, .. }), "{error}");
    assert!(!error.is_retryable());
    let error = mq.enqueue(resize(1)).queue("a\u{1b}[31mb").await.unwrap_err();
    assert!(matches!(error, EnqueueError::Name(NameError::Control { .. })), "{error}");
    for enqueue in [
        mq.enqueue(resize(1)).max_attempts(0),
        mq.enqueue(resize(1)).timeout(Duration::ZERO),
        mq.enqueue(resize(1)).delay(Duration::from_secs(u64::MAX)),
    ] {
        let error = enqueue.await.unwrap_err();
        assert!(matches!(error, EnqueueError::Option(_)), "{error}");
    }
    let jobs =
        (0..1_200).map(|id| Resize { id, padding: "x".repeat(usize::from(id == 1_100) * 99) });
    let error = mq.clone().payload_max(60).enqueue_all(jobs).await.unwrap_err();
    let EnqueueError::Partial { enqueued, source } = &error else { panic!("{error}") };
    assert!(matches!(**source, EnqueueError::TooLarge { .. }));
    assert_eq!(enqueued.len(), 1_100, "those before it, and no others");
    assert_eq!(ready(&mq, "images").await, 1_100);
}

#[tokio::test]
async fn a_producer_fails_fast_and_typed_when_the_store_is_away_and_works_when_it_is_back() {
    let mut server = RedisServer::start();
    let mq = Client::connect(server.url()).await.unwrap();
    let mq = mq.enqueue_deadline(Duration::from_millis(300));
    mq.enqueue(Notify { id: 1 }).await.unwrap();
    server.kill9();
    let error = mq.enqueue(Notify { id: 2 }).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let error = mq.enqueue(Notify { id: 3 }).await.unwrap_err();
    assert!(matches!(error, EnqueueError::Unavailable(_)), "{error}");
    server.restart();
    let mq = mq.enqueue_deadline(Duration::from_secs(20));
    let receipt = mq.enqueue(Notify { id: 4 }).await.unwrap();
    assert!(mq.admin().job(receipt.id).await.unwrap().is_some());
}
