//! Enqueueing under faults: nothing is lost, nothing is doubled, and errors say what is known.

mod kit;

use std::collections::HashSet;
use std::time::Duration;

use kit::*;
use mq_core::JobId;
use mq_core::engine::{BATCH_MAX, EngineErrorKind, NewJob, Schedule};
use mq_testkit::{Direction, Flow, Proxy, RedisServer};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_known_is_not_stored_again() {
    let server = RedisServer::start();
    let engine = connect(&server).await;
    let new = job("q");
    let reply = engine.enqueue(vec![new.clone()], PLENTY).await.unwrap();
    assert_eq!((reply[0].id, reply[0].duplicate), (new.id, false));
    for engine in [engine.clone(), engine.detached(), connect(&server).await] {
        let reply = engine.enqueue(vec![new.clone()], PLENTY).await.unwrap();
        assert_eq!((reply[0].id, reply[0].duplicate), (new.id, false));
    }
    let first = keyed("q", "key");
    engine.enqueue(vec![first.clone()], PLENTY).await.unwrap();
    let reply = engine.enqueue(vec![keyed("q", "key"), job("q")], PLENTY).await.unwrap();
    assert_eq!((reply[0].id, reply[0].duplicate), (first.id, true));
    assert!(!reply[1].duplicate);
    assert_each_once(&mut Admin::of(&server), "q", &[new.id, first.id, reply[1].id]);
}

#[tokio::test]
async fn a_request_has_bounds_and_may_be_empty() {
    let server = RedisServer::start();
    let engine = connect(&server).await;
    assert!(engine.enqueue(vec![], PLENTY).await.unwrap().is_empty());
    let jobs = || (0..=BATCH_MAX).map(|_| job("q")).collect::<Vec<_>>();
    let error = engine.enqueue(jobs(), PLENTY).await.unwrap_err();
    assert_eq!(error.kind(), EngineErrorKind::Invalid);
    let reply = engine.enqueue(jobs()[1..].to_vec(), PLENTY).await.unwrap();
    assert_eq!(reply.len(), BATCH_MAX);
    let mut late = jobs()[1..].to_vec();
    late.iter_mut().for_each(|job| job.schedule = Schedule::After(PLENTY));
    engine.enqueue(late, PLENTY).await.unwrap();
    let mut admin = Admin::of(&server);
    assert_eq!(admin.stored("q"), (admin.stored("q").0, 2 * BATCH_MAX));
    assert_eq!(admin.ask::<usize>("ZCARD mq:{q}:scheduled"), BATCH_MAX);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_of_all_sorts_share_requests_and_get_their_own_replies() {
    let server = RedisServer::start();
    let engine = connect(&server).await;
    let taken = keyed("b", "taken");
    engine.enqueue(vec![taken.clone()], PLENTY).await.unwrap();
    let callers: Vec<_> = (0..600u64)
        .map(|number| {
            let mut jobs = vec![job("a"), job("b")];
            match number % 3 {
                0 => jobs.push(keyed("b", "taken")),
                1 => jobs[0].schedule = Schedule::After(PLENTY),
                _ => {}
            }
            let engine = engine.clone();
            let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
            (ids, tokio::spawn(async move { engine.enqueue(jobs, PLENTY).await }))
        })
        .collect();
    for (ids, caller) in callers {
        let replies = caller.await.unwrap().unwrap();
        assert_eq!(replies.len(), ids.len());
        for (at, (reply, id)) in replies.iter().zip(ids).enumerate() {
            let expected = if at == 2 { (taken.id, true) } else { (id, false) };
            assert_eq!((reply.id, reply.duplicate), expected);
        }
    }
    let mut admin = Admin::of(&server);
    assert_eq!(admin.stored("a").0.len(), 400);
    assert_eq!(admin.stored("b").1, 601);
    let queues: HashSet<String> = admin.ask("SMEMBERS mq:queues");
    assert_eq!(queues, HashSet::from(["a".to_owned(), "b".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_connections_neither_lose_nor_double_a_job() {
    let server = RedisServer::start();
    let engine = connect(&server).await;
    let mut admin = Admin::of(&server);
    let mut ids = Vec::new();
    for round in 0..40 {
        // Keyed ones take the other way to the store.
        let new = |number| match number % 4 {
            0 => keyed("q", &format!("{round}-{number}")),
            _ => job("q"),
        };
        let pending = enqueue_each(&engine, (0..100).map(new), PLENTY);
        // Somewhere between before, in the middle and after.
        for _ in 0..round % 7 {
            tokio::task::yield_now().await;
        }
        admin.tell("CLIENT KILL TYPE normal SKIPME yes");
        for caller in pending {
            assert!(!caller.reply.await.unwrap().unwrap()[0].duplicate);
            ids.push(caller.id);
        }
    }
    assert_each_once(&mut admin, "q", &ids);
    assert_eq!(admin.ask::<usize>("HGET mq:{q}:stats enqueued"), ids.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_end_connections_is_safe_too() {
    let server = RedisServer::start();
    let mut admin = Admin::of(&server);
    admin.tell("ACL SETUSER app on >secret ~* &* +@all -client|kill");
    let url = format!("redis://app:secret@127.0.0.1:{}", server.port());
    let engine = try_connect(&url).await.unwrap();
    assert!(engine.warnings().iter().any(|text| text.contains("+client|kill")));
    let mut ids = Vec::new();
    for _ in 0..20 {
        let pending = enqueue_each(&engine, (0..50).map(|_| job("q")), PLENTY);
        admin.tell("CLIENT KILL TYPE normal SKIPME yes");
        for caller in pending {
            caller.reply.await.unwrap().unwrap();
            ids.push(caller.id);
        }
    }
    assert_each_once(&mut admin, "q", &ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_gives_unknown_and_unavailable_and_no_doubles_when_it_thaws() {
    let server = RedisServer::start();
    let engine = connect_with(&server, "response_timeout=500ms").await;
    let first = job("q");
    engine.enqueue(vec![first.clone()], PLENTY).await.unwrap();
    server.stop_process();
    let short = Duration::from_millis(200);
    let sent = job("q");
    // Alone, so it is in the request that gets no answer; the others wait behind it.
    let error = engine.enqueue(vec![sent.clone()], short).await.unwrap_err();
    assert_eq!(error.kind(), EngineErrorKind::Unknown, "{error}");
    for caller in enqueue_each(&engine, (0..20).map(|_| job("q")), short) {
        let error = caller.reply.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), EngineErrorKind::Unavailable, "{error}");
    }
    let patient: Vec<_> = (0..20).map(|_| job("q")).collect();
    let pending = enqueue_each(&engine, patient.clone(), PLENTY);
    // The same job again, as a caller does who was told that nobody knows.
    let again = enqueue_each(&engine, [sent.clone()], PLENTY);
    // sleep: the freeze lasts so long.
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.continue_process();
    let mut ids = vec![first.id, sent.id];
    for caller in pending.into_iter().chain(again) {
        caller.reply.await.unwrap().unwrap();
        ids.push(caller.id);
    }
    ids.sort_unstable();
    ids.dedup();
    assert_each_once(&mut Admin::of(&server), "q", &ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_behind_a_job_in_doubt_hears_at_once_that_the_server_lets_nobody_in() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port()).await;
    let engine = try_connect(&proxy.url()).await.unwrap();
    let first = job("q");
    engine.enqueue(vec![first.clone()], PLENTY).await.unwrap();
    let mut admin = Admin::of(&server);
    proxy.set_flow(Direction::ToClient, Flow::Swallow);
    let in_doubt = enqueue_each(&engine, [job("q")], PLENTY).pop().unwrap();
    eventually("it is stored, and nobody is told", async || admin.stored("q").1 == 2).await;
    admin.tell("CONFIG SET requirepass new");
    proxy.heal();
    proxy.cut();
    let began = mq_core::clock::now();
    let error = engine.enqueue(vec![job("q")], PLENTY).await.unwrap_err();
    assert_eq!(error.kind(), EngineErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("password"), "{error}");
    assert!(began.elapsed() < PLENTY / 2, "{:?}", began.elapsed());
    admin.tell("CONFIG SET requirepass ");
    let reply = in_doubt.reply.await.unwrap().unwrap();
    assert_eq!((reply[0].id, reply[0].duplicate), (in_doubt.id, false));
    assert_each_once(&mut admin, "q", &[first.id, in_doubt.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_callers_who_gave_up_are_not_stored_later() {
    let mut server = RedisServer::start();
    let engine = connect(&server).await;
    engine.enqueue(vec![job("q")], PLENTY).await.unwrap();
    server.kill9();
    for caller in enqueue_each(&engine, (0..10).map(|_| job("q")), Duration::from_millis(200)) {
        let kind = caller.reply.await.unwrap().unwrap_err().kind();
        assert!(matches!(kind, EngineErrorKind::Unavailable | EngineErrorKind::Unknown));
    }
    // Withdrawn by dropping the future.
    let dropped = engine.enqueue(vec![job("q")], PLENTY);
    assert!(tokio::time::timeout(Duration::from_millis(50), dropped).await.is_err());
    server.restart();
    let new = job("q");
    engine.enqueue(vec![new.clone()], PLENTY).await.unwrap();
    assert_each_once(&mut Admin::of(&server), "q", &[new.id]);
}

fn ids_of(jobs: &[NewJob]) -> Vec<JobId> {
    jobs.iter().map(|job| job.id).collect()
}

/// A future that has been polled once and not to its end.
async fn begun<F: Future + Unpin>(mut future: F) -> F {
    tokio::select! {
        biased;
        _ = &mut future => panic!("it was done at once"),
        () = std::future::ready(()) => future,
    }
}

#[tokio::test]
async fn a_caller_who_is_not_polled_any_more_holds_nobody_up() {
    let server = RedisServer::start();
    let engine = connect(&server).await;
    let jobs: Vec<_> = (0..4).map(|_| job("q")).collect();
    let enqueue = |at: usize| engine.enqueue(vec![jobs[at].clone()], PLENTY);
    // Connects, so that the next one is on its way with its first poll.
    enqueue(0).await.unwrap();
    let first = begun(enqueue(1)).await;
    enqueue(2).await.unwrap();
    enqueue(3).await.unwrap();
    first.await.unwrap();
    assert_each_once(&mut Admin::of(&server), "q", &ids_of(&jobs));
}

#[tokio::test]
async fn what_a_caller_who_leaves_has_sent_is_seen_to_its_end() {
    let server = RedisServer::start();
    let engine = connect(&server).await;
    let jobs: Vec<_> = (0..3).map(|_| job("q")).collect();
    engine.enqueue(vec![jobs[0].clone()], PLENTY).await.unwrap();
    drop(begun(engine.enqueue(vec![jobs[1].clone()], PLENTY)).await);
    engine.enqueue(vec![jobs[2].clone()], PLENTY).await.unwrap();
    assert_each_once(&mut Admin::of(&server), "q", &ids_of(&jobs));
}

#[tokio::test]
async fn a_server_at_its_memory_limit_says_full_and_is_well_again_afterwards() {
    let server = RedisServer::start();
    let engine = connect(&server).await;
    let mut admin = Admin::of(&server);
    let mut ids = vec![job("q").id];
    ids.clear();
    for round in 0..2 {
        admin.tell("CONFIG SET maxmemory 1");
        for new in [job("q"), keyed("q", "key")] {
            let error = engine.enqueue(vec![new], PLENTY).await.unwrap_err();
            assert_eq!(error.kind(), EngineErrorKind::Full, "round {round}: {error}");
            assert!(error.to_string().contains("memory limit"), "{error}");
        }
        admin.tell("CONFIG SET maxmemory 0");
        let new = job("q");
        ids.push(new.id);
        engine.enqueue(vec![new], PLENTY).await.unwrap();
    }
    assert_each_once(&mut admin, "q", &ids);
}

#[test]
fn an_engine_outlives_the_runtimes_that_use_it() {
    let server = RedisServer::start();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let engine = runtime().block_on(connect(&server));
    let mut ids = Vec::new();
    for _ in 0..5 {
        let new = job("q");
        ids.push(new.id);
        runtime().block_on(engine.enqueue(vec![new], PLENTY)).unwrap();
        // Left in the middle, while its runtime is there and when it is gone.
        let inside = engine.enqueue(vec![job("other")], PLENTY);
        runtime().block_on(async { drop(begun(inside).await) });
        let outside = engine.enqueue(vec![job("other")], PLENTY);
        drop(runtime().block_on(begun(outside)));
    }
    assert_each_once(&mut Admin::of(&server), "q", &ids);
}

#[tokio::test]
async fn a_foreign_key_in_the_way_is_reported_and_nothing_is_half_written() {
    let server = RedisServer::start();
    let engine = connect(&server).await;
    let mut admin = Admin::of(&server);
    admin.tell("SET mq:{q}:scheduled nonsense");
    let error = engine.enqueue(vec![keyed("q", "key")], PLENTY).await.unwrap_err();
    assert_eq!(error.kind(), EngineErrorKind::Damaged, "{error}");
    assert_eq!(admin.stored("q"), (vec![], 0));
}
