//! Numbers at the end of their range, and more of everything than one request takes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashSet;
use std::time::Duration;

use mq_core::engine::{
    About, Beat, BeatReply, ClaimRequest, Engine, EngineErrorKind, Finish, Finished, NewJob,
    PruneLimits, QueueClaim, QueueReply, ReapRequest, Schedule, Stored,
};
use mq_core::lifecycle::Transition;
use mq_core::{Claim, JobId, Priority, QueueName, Record, State, WorkerId};
use mq_redis::RedisEngine;
use mq_testkit::{RedisServer, shared_url, unique_prefix};

const LEASE: Duration = Duration::from_secs(15);
const START_MS: u64 = 1_700_000_000_000;

async fn engine() -> RedisEngine {
    let url = format!("{}?prefix={}", shared_url(), unique_prefix());
    let engine = RedisEngine::connect(&url).await.unwrap();
    engine.set_test_clock(START_MS);
    engine
}

fn queue() -> QueueName {
    QueueName::new("q").unwrap()
}

fn job() -> NewJob {
    NewJob {
        queue: queue(),
        id: JobId::new(),
        record: Record::new("kind", &b""[..]).encode(),
        schedule: Schedule::Now,
        priority: Priority::Normal,
        idempotency_key: None,
    }
}

async fn store(engine: &RedisEngine, count: usize) -> HashSet<JobId> {
    let replies = engine.enqueue((0..count).map(|_| job()).collect(), LEASE).await.unwrap();
    replies.into_iter().map(|reply| reply.id).collect()
}

async fn join(engine: &RedisEngine, lease: Duration) -> WorkerId {
    let worker = WorkerId::random();
    engine.join(&queue(), worker, lease, &About::default()).await.unwrap();
    worker
}

fn token(worker: WorkerId, number: u64) -> Claim {
    Claim { queue: queue(), worker, number }
}

async fn claim(engine: &RedisEngine, worker: WorkerId, number: u64, limit: usize) -> Vec<JobId> {
    let queues = vec![QueueClaim { claim: token(worker, number), limit }];
    let request = ClaimRequest { finishes: Vec::new(), limit, queues };
    let reply = engine.claim(request).await.unwrap();
    assert_ne!(reply.queues, [QueueReply::Lost]);
    reply.jobs.into_iter().map(|job| job.id).collect()
}

#[tokio::test]
async fn claim_numbers_are_told_apart_up_to_the_largest() {
    let engine = engine().await;
    let sent = store(&engine, 6).await;
    let worker = join(&engine, LEASE).await;
    let mut got = HashSet::new();
    // Neighbours that are the same as doubles, and a change in the number of digits.
    let numbers = [9, 10, (1 << 53) + 1, (1 << 53) + 2, u64::MAX - 1, u64::MAX];
    for number in numbers {
        let ids = claim(&engine, worker, number, 1).await;
        assert_eq!(ids.len(), 1, "claim {number}");
        assert_eq!(claim(&engine, worker, number, 1).await, ids, "claim {number} again");
        got.extend(ids);
    }
    assert_eq!(got, sent);
    assert_eq!(claim(&engine, worker, u64::MAX - 2, 1).await, []);
}

#[tokio::test]
async fn any_number_of_dead_workers_is_found() {
    let engine = engine().await;
    let sent = store(&engine, 100).await;
    let reaper = join(&engine, LEASE * 100).await;
    for number in 0..50 {
        let worker = join(&engine, LEASE).await;
        assert_eq!(claim(&engine, worker, number + 1, 2).await.len(), 2);
    }
    let mut number = 0;
    let mut sweep = async |limit| {
        number += 1;
        let request = ReapRequest { claim: token(reaper, number), limit, lease: LEASE };
        engine.reap(request).await.unwrap()
    };
    for after_ms in [0, 7_000, 14_000] {
        engine.set_test_clock(START_MS + after_ms);
        sweep(7).await;
    }
    engine.set_test_clock(START_MS + 14_999);
    assert_eq!(sweep(7).await.workers, []);
    engine.set_test_clock(START_MS + 15_001);
    let (mut jobs, mut workers) = (HashSet::new(), HashSet::new());
    loop {
        let reply = sweep(7).await;
        assert!(reply.jobs.len() <= 7);
        jobs.extend(reply.jobs.into_iter().map(|job| job.id));
        workers.extend(reply.workers);
        if !reply.more {
            break;
        }
    }
    assert_eq!((jobs, workers.len()), (sent, 50));
    assert_eq!(engine.workers(&queue()).await.unwrap().len(), 1, "the reaper alone");
}

/// Workers go on at the memory limit, whatever becomes of their jobs, or it would never be left.
#[tokio::test]
async fn at_the_memory_limit_only_enqueueing_stops() {
    let server = RedisServer::start();
    let engine = RedisEngine::connect(&server.url()).await.unwrap();
    let sent = store(&engine, 4).await;
    let mut redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("CONFIG").arg(&["SET", "maxmemory", "1"]).exec(&mut redis).unwrap();
    let refused = engine.enqueue(vec![job()], LEASE).await.unwrap_err();
    assert_eq!(refused.kind(), EngineErrorKind::Full);
    let NewJob { id, queue: to, record, .. } = job();
    let (state, at_ms, history, worker) = (State::Ready, None, None, None);
    let foreign =
        Stored { id, queue: to, state, record, history, at_ms, worker, cancel_requested: false };
    let refused = engine.import(vec![foreign]).await.unwrap_err();
    assert_eq!(refused.kind(), EngineErrorKind::Full);

    let [worker, reaper] = [join(&engine, LEASE * 2).await, join(&engine, LEASE * 2).await];
    let ids = claim(&engine, worker, 1, 4).await;
    assert_eq!(ids.iter().copied().collect::<HashSet<_>>(), sent);
    let beat = Beat {
        queue: queue(),
        worker,
        lease: LEASE,
        about: Some(About::default()),
        names_claims: false,
    };
    let beats = engine.extend(vec![beat]).await.unwrap();
    assert!(matches!(beats[..], [BeatReply::Extended { .. }]));
    let at_ms = 1;
    let ends = [Transition::Done, Transition::Retry { at_ms }, Transition::Bury];
    let finish = |(id, transition): (&JobId, _)| Finish {
        id: *id,
        claim: token(worker, 1),
        transition,
        history: Some(vec![b'h'; 1000]),
        had_history: false,
        priority: Priority::Normal,
        idempotency_key: None,
        failed: false,
        run_time: LEASE,
    };
    let finishes = ids.iter().zip(ends).map(finish).collect();
    assert_eq!(engine.finish(finishes).await.unwrap(), [Finished::Applied; 3]);
    assert_eq!(engine.promote(&queue(), 10).await.unwrap().done, 1);
    engine.leave(&queue(), worker).await.unwrap();
    let request = ReapRequest { claim: token(reaper, 1), limit: 10, lease: LEASE };
    assert_eq!(engine.reap(request).await.unwrap().jobs.len(), 1);
    let mut limits = PruneLimits::default();
    limits.dead_count = 0;
    assert_eq!(engine.prune(&queue(), limits).await.unwrap().done, 1);
}
