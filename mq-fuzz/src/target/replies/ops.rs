//! The methods, each with a request, and the shape of what they answer.

use std::time::Duration;

use mq_core::engine::{
    About, Beat, ClaimRequest, Claimed, Cursor, Engine, EngineError, Finish, ListRequest, NewJob,
    Pace, PruneLimits, QueueClaim, ReapRequest, Schedule, Stored,
};
use mq_core::lifecycle::Transition;
use mq_core::{Claim, JobId, Priority, QueueName, Record, State, WorkerId};
use mq_redis::fuzzing::{self, Wire};

use super::{Heard, engine};
use crate::input::{ID, queue};
use crate::promise;

type Done = Result<(), EngineError>;

/// How many there are.
pub(super) const COUNT: usize = 26;

/// Calls one of them.
pub(super) async fn run(op: usize, choices: u8, wire: Wire, heard: &Heard) -> Done {
    let count = wire.count();
    match op % COUNT {
        0 => return looked_at(wire).await,
        1 => return enqueued(&wire, choices & 1 == 1),
        _ => {}
    }
    let engine = engine(wire)?;
    match op % COUNT {
        op @ 2..=7 => data(&engine, op, choices, heard).await,
        op @ 8..=13 => look(&engine, op, choices, heard).await,
        op @ 14..=20 => verbs(&engine, op, choices).await,
        op => rest(&engine, op, choices).await,
    }?;
    // With nothing to hear, no door was passed.
    if count > 0 {
        promise::deep();
    }
    Ok(())
}

async fn looked_at(wire: Wire) -> Done {
    fuzzing::looked_at(wire).await?.iter().for_each(|said| promise::message(said));
    Ok(())
}

fn enqueued(wire: &Wire, is_plain: bool) -> Done {
    let jobs = vec![job(0), job(1), NewJob { queue: other(), ..job(2) }];
    let Some(heard) = fuzzing::enqueued(jobs, wire, is_plain) else { return Ok(()) };
    let replies = heard?;
    assert_eq!(replies.len(), 3);
    for (reply, id) in replies.iter().zip(ids()) {
        assert!(reply.duplicate || reply.id == id, "{reply:?}");
    }
    Ok(())
}

async fn data(engine: &impl Engine, op: usize, choices: u8, heard: &Heard) -> Done {
    match op {
        2 | 3 => {
            let finishes = if op == 3 { finishes() } else { Vec::new() };
            let queues =
                [queue(), other()].map(|queue| QueueClaim { claim: claim(queue), limit: 9 });
            let request = ClaimRequest { finishes, limit: 9, queues: queues.to_vec() };
            let reply = engine.claim(request.clone()).await?;
            assert_eq!(reply.queues.len(), request.queues.len());
            assert_eq!(reply.finished.len(), request.finishes.len());
            let asked = |claim: &Claim| request.queues.iter().any(|asked| asked.claim == *claim);
            assert!(reply.jobs.iter().all(|job| asked(&job.claim)));
            reply.jobs.iter().for_each(|job| heard.has(job.id, &job.record));
        }
        4 => assert_eq!(engine.finish(finishes()).await?.len(), finishes().len()),
        5 => {
            let about = (choices & 1 == 1).then(About::default);
            let beat = |queue| {
                let about = about.clone();
                Beat { queue, worker: worker(), lease: HOUR, about, names_claims: true }
            };
            let beats = vec![beat(queue()), beat(queue()), beat(other())];
            assert_eq!(engine.extend(beats).await?.len(), 3);
        }
        6 => {
            let request = ReapRequest { claim: claim(queue()), limit: 9, lease: HOUR };
            let reply = engine.reap(request).await?;
            assert!(reply.jobs.iter().all(|job: &Claimed| job.claim == claim(queue())));
            assert!(!reply.lost || reply.jobs.is_empty());
            reply.jobs.iter().for_each(|job| heard.has(job.id, &job.record));
        }
        _ => {
            engine.promote(&queue(), 9).await?;
        }
    }
    Ok(())
}

async fn look(engine: &impl Engine, op: usize, choices: u8, heard: &Heard) -> Done {
    match op {
        8 => {
            let states = State::ALL;
            let state = states[usize::from(choices) % states.len()];
            let request = ListRequest { queue: queue(), state, cursor: None, limit: 3 };
            let first = engine.list(request.clone()).await?;
            let cursor = match state {
                _ if choices & 0x40 == 0 => first.next.clone(),
                State::Ready => Some(Cursor(format!("r.1.{}.{}", usize::MAX, ID[0]))),
                State::Running => Some(Cursor(format!("i.{}", ID[0]))),
                _ => Some(Cursor(format!("s.{}.{}", u64::MAX, ID[0]))),
            };
            let second = engine.list(ListRequest { cursor, ..request }).await?;
            for job in first.jobs.iter().chain(&second.jobs) {
                assert_eq!(job.state, state);
                heard.has(job.id, &job.record);
            }
            assert!(first.jobs.len() <= 3 && second.jobs.len() <= 3);
        }
        9 => {
            let found = engine.get(&queue(), &ids()).await?;
            assert_eq!(found.len(), 3);
            found.iter().flatten().for_each(|job| heard.says(&job.record));
            for (job, id) in found.iter().zip(ids()) {
                assert!(job.as_ref().is_none_or(|job| job.id == id && job.queue == queue()));
            }
        }
        10 => {
            let stats = engine.stats(&queue()).await?;
            assert!(stats.all() >= stats.open());
        }
        11 => {
            for worker in engine.workers(&queue()).await? {
                assert!(worker.running.len() <= worker.running_count);
            }
        }
        12 => engine.queues().await?.iter().for_each(|name| promise::harmless(name.as_str())),
        _ => {
            let report = engine.audit(&queue(), choices & 1 == 1).await?;
            for finding in &report.findings {
                promise::message(&finding.detail);
                promise::harmless(&finding.subject);
            }
            assert!(report.repaired <= report.findings.len() as u64);
        }
    }
    Ok(())
}

async fn verbs(engine: &impl Engine, op: usize, choices: u8) -> Done {
    let (queue, ids) = (queue(), ids());
    let acts = match op {
        14 => engine.retry(&queue, &ids, (choices & 1 == 1).then_some(Pace::every(HOUR))).await?,
        15 => engine.run_now(&queue, &ids).await?,
        16 => engine.delete(&queue, &ids).await?,
        17 => engine.cancel(&queue, &ids).await?,
        18 => engine.discard(&queue, &ids).await?,
        19 => engine.transfer(&queue, &other(), &ids).await?,
        _ => {
            let stored = |id: &JobId| Stored {
                id: *id,
                queue: queue.clone(),
                state: State::Ready,
                record: record(),
                history: None,
                at_ms: None,
                worker: None,
                cancel_requested: false,
            };
            engine.import(ids.iter().map(stored).collect()).await?
        }
    };
    assert_eq!(acts.len(), ids.len());
    Ok(())
}

async fn rest(engine: &impl Engine, op: usize, choices: u8) -> Done {
    match op {
        21 => {
            engine.prune(&queue(), PruneLimits::default()).await?;
        }
        22 => {
            engine.ping().await?;
        }
        23 => {
            engine.identity().await?;
        }
        24 if choices & 1 == 1 => engine.pause(&queue()).await?,
        24 => engine.resume(&queue()).await?,
        _ if choices & 1 == 1 => engine.join(&queue(), worker(), HOUR, &About::default()).await?,
        _ => engine.leave(&queue(), worker()).await?,
    }
    Ok(())
}

const HOUR: Duration = Duration::from_secs(3_600);

fn other() -> QueueName {
    QueueName::new("r").expect("a good name")
}

fn ids() -> [JobId; 3] {
    ID.map(|id| id.parse().expect("an id of ours"))
}

/// Always the same, so that an input means the same in every run.
fn worker() -> WorkerId {
    ID[0].parse().expect("an id of ours")
}

fn claim(queue: QueueName) -> Claim {
    Claim { queue, worker: worker(), number: 7 }
}

fn record() -> Vec<u8> {
    Record::new("k", &b"{}"[..]).encode()
}

fn job(at: usize) -> NewJob {
    NewJob {
        queue: queue(),
        id: ids()[at],
        record: record(),
        schedule: Schedule::Now,
        priority: Priority::Normal,
        idempotency_key: None,
    }
}

fn finishes() -> Vec<Finish> {
    let finish = |(at, transition)| Finish {
        id: ids()[at],
        claim: claim(if at == 2 { other() } else { queue() }),
        transition,
        history: None,
        had_history: false,
        priority: Priority::Normal,
        idempotency_key: None,
        failed: false,
        run_time: HOUR,
    };
    [(0, Transition::Done), (1, Transition::Bury), (2, Transition::Done)].map(finish).to_vec()
}
