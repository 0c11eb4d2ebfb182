//! Operators at work beside live traffic.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mq_core::engine::{
    About, Act, ClaimRequest, Claimed, Engine, Finish, Finished, ListRequest, NewJob, QueueClaim,
    Schedule,
};
use mq_core::lifecycle::Transition;
use mq_core::rng::Rng;
use mq_core::{Claim, History, JobId, Priority, QueueName, Record, State, WorkerId};
use mq_redis::RedisEngine;
use mq_testkit::{shared_url, unique_prefix};

const JOBS: usize = 3_000;
const LONG: Duration = Duration::from_secs(600);

async fn engine() -> Arc<dyn Engine> {
    let url = format!("{}?prefix={}", shared_url(), unique_prefix());
    Arc::new(RedisEngine::connect(&url).await.unwrap())
}

fn job(queue: &QueueName, number: usize) -> NewJob {
    let mut record = Record::new("kind", &b"payload"[..]);
    record.priority = Priority::ALL[number % 3];
    let key = number.is_multiple_of(5).then(|| format!("key {number}"));
    record.idempotency_key = key.clone().map(Into::into);
    let late = number.is_multiple_of(4);
    NewJob {
        queue: queue.clone(),
        id: JobId::new(),
        record: record.encode(),
        schedule: if late { Schedule::After(Duration::from_millis(20)) } else { Schedule::Now },
        priority: record.priority,
        idempotency_key: key,
    }
}

/// Takes jobs and ends them in all ways, until it is told to stop. Returns those that ended well.
async fn work(
    engine: Arc<dyn Engine>,
    queues: Vec<QueueName>,
    stop: Arc<AtomicBool>,
) -> HashSet<JobId> {
    let worker = WorkerId::random();
    for queue in &queues {
        engine.join(queue, worker, LONG, &About::default()).await.unwrap();
    }
    let (mut done, mut finishes, mut number) = (HashSet::new(), Vec::new(), 0);
    let mut rng = Rng::random();
    while !stop.load(Ordering::SeqCst) || !finishes.is_empty() {
        number += 1;
        let limit = if stop.load(Ordering::SeqCst) { 0 } else { 20 };
        let claim = |queue: &QueueName| Claim { queue: queue.clone(), worker, number };
        let wanted = queues.iter().map(|queue| QueueClaim { claim: claim(queue), limit });
        let queues = wanted.collect();
        let sent: Vec<Finish> = std::mem::take(&mut finishes);
        let request = ClaimRequest { finishes: sent.clone(), limit, queues };
        let reply = engine.claim(request).await.unwrap();
        for (finish, finished) in sent.iter().zip(&reply.finished) {
            assert_eq!(*finished, Finished::Applied);
            if finish.transition == Transition::Done {
                assert!(done.insert(finish.id), "{} ended twice", finish.id);
            }
        }
        for job in &reply.jobs {
            finishes.push(end(job, rng.between(0, 9), reply.now_ms));
        }
        tokio::task::yield_now().await;
    }
    done
}

fn end(job: &Claimed, chance: u64, now_ms: u64) -> Finish {
    let record = Record::decode(&job.record).unwrap();
    let mut history = job.history.as_deref().map(History::decode).unwrap_or_default();
    let transition = match chance {
        0 => Transition::Retry { at_ms: now_ms + 5 },
        1 => Transition::Schedule { at_ms: now_ms + 5 },
        2 => Transition::Release,
        3 => Transition::Bury,
        _ => Transition::Done,
    };
    let writes = matches!(transition, Transition::Retry { .. } | Transition::Bury);
    history.attempts += 1;
    Finish {
        id: job.id,
        claim: job.claim.clone(),
        transition,
        history: writes.then(|| history.encode()),
        had_history: job.history.is_some(),
        priority: record.priority,
        idempotency_key: record.idempotency_key.map(|key| key.into_owned()),
        failed: false,
        run_time: Duration::from_millis(1),
    }
}

async fn some(engine: &Arc<dyn Engine>, queue: &QueueName, state: State) -> Vec<JobId> {
    let request = ListRequest { queue: queue.clone(), state, cursor: None, limit: 50 };
    engine.list(request).await.unwrap().jobs.iter().map(|job| job.id).collect()
}

/// One round of everything that an operator may do; the ids that ended by it.
async fn operate(
    engine: &Arc<dyn Engine>,
    queue: &QueueName,
    other: &QueueName,
    round: usize,
) -> Vec<JobId> {
    let dead = some(engine, queue, State::Dead).await;
    engine.retry(queue, &dead, None).await.unwrap();
    let scheduled = some(engine, queue, State::Scheduled).await;
    engine.run_now(queue, &scheduled).await.unwrap();
    let ready = some(engine, queue, State::Ready).await;
    let (moved, rest) = ready.split_at(ready.len() / 2);
    engine.transfer(queue, other, moved).await.unwrap();
    if !round.is_multiple_of(8) {
        return Vec::new();
    }
    let (cancelled, deleted) = rest.split_at(rest.len() / 2);
    let mut acts = engine.cancel(queue, cancelled).await.unwrap();
    acts.extend(engine.delete(queue, deleted).await.unwrap());
    let ended = rest.iter().zip(acts).filter(|(_, act)| *act == Act::Applied);
    ended.map(|(id, _)| *id).collect()
}

#[tokio::test]
async fn a_prefix_is_a_store_of_its_own() {
    let url = format!("{}?prefix={}", shared_url(), unique_prefix());
    let open = async || RedisEngine::connect(&url).await.unwrap().identity().await.unwrap();
    let name = open().await;
    assert_eq!(open().await, name);
    assert_ne!(engine().await.identity().await.unwrap(), name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verbs_transfers_and_audits_beside_live_traffic_lose_and_double_nothing() {
    let engine = engine().await;
    let queues = ["a", "b"].map(|name| QueueName::new(name).unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..3)
        .map(|_| tokio::spawn(work(engine.detached(), queues.to_vec(), stop.clone())))
        .collect();
    let sent: Vec<_> = (0..JOBS).map(|number| job(&queues[number % 2], number)).collect();
    let ids: HashSet<_> = sent.iter().map(|job| job.id).collect();
    let producer = engine.detached();
    let producing = tokio::spawn(async move {
        for batch in sent.chunks(30) {
            producer.enqueue(batch.to_vec(), LONG).await.unwrap();
        }
    });
    let (mut ended, mut round) = (HashSet::new(), 0);
    loop {
        for (queue, other) in [(0, 1), (1, 0)].map(|(a, b)| (&queues[a], &queues[b])) {
            round += 1;
            for id in operate(&engine, queue, other, round).await {
                assert!(ended.insert(id), "{id} ended twice");
            }
            let report = engine.audit(queue, true).await.unwrap();
            assert_eq!(report.findings, [], "round {round}");
        }
        let mut left = 0;
        for queue in &queues {
            let stats = engine.stats(queue).await.unwrap();
            left += stats.ready + stats.scheduled + stats.retrying + stats.running + stats.dead;
        }
        if left == 0 && producing.is_finished() {
            break;
        }
    }
    stop.store(true, Ordering::SeqCst);
    for worker in workers {
        for id in worker.await.unwrap() {
            assert!(ended.insert(id), "{id} ended twice");
        }
    }
    assert_eq!(ended, ids);
}
