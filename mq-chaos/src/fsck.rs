//! Checks a store without mq: reads what is there by the store's own means, works out where every
//! job is, and compares that with what mq says.

use std::collections::{BTreeMap, BTreeSet};

use mq_core::engine::{EngineError, ListRequest, QueueStats};
use mq_core::{Client, QueueName, State};

mod file;
mod server;

/// Workers come and go beside a check. What is wrong in earnest is so each time.
const TRIES: usize = 5;

/// A queue as it was found.
#[derive(Debug, Default)]
struct Seen {
    /// Per job, where it is, as the store has it.
    jobs: BTreeMap<String, State>,
    /// Per worker, what it holds.
    held: BTreeMap<String, BTreeSet<String>>,
    /// The counters `enqueued`, `done`, `failed`, `dead` and `interrupted`.
    totals: [u64; 5],
}

/// What was found in a store.
#[derive(Debug, Default)]
struct Dump {
    queues: BTreeMap<String, Seen>,
    wrong: Vec<String>,
}

/// Everything that is wrong with a store at rest, or that mq says otherwise: nothing, if all is
/// well. `url` must reach the store, be it through a proxy.
pub async fn fsck(client: &Client, url: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for _ in 0..TRIES {
        let dump = if url.starts_with("sqlite:") { file::dump(url) } else { server::dump(url) };
        wrong = dump.wrong;
        let names: BTreeSet<_> = dump.queues.keys().cloned().collect();
        match client.engine().queues().await {
            Ok(queues) => {
                let told: BTreeSet<_> = queues.iter().map(ToString::to_string).collect();
                for name in names.difference(&told) {
                    wrong.push(format!("queue {name} is in no list"));
                }
            }
            Err(error) => wrong.push(format!("no queues: {error}")),
        }
        for (name, seen) in &dump.queues {
            match compare(client, name, seen).await {
                Ok(differences) => wrong.extend(differences),
                Err(error) => wrong.push(format!("queue {name} cannot be looked at: {error}")),
            }
        }
        if wrong.is_empty() {
            break;
        }
    }
    wrong
}

/// What mq says otherwise about a queue.
async fn compare(client: &Client, name: &str, seen: &Seen) -> Result<Vec<String>, EngineError> {
    let engine = client.engine();
    let queue = QueueName::new(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut wrong = Vec::new();
    let stats = engine.stats(&queue).await?;
    let totals = totals(&stats);
    if totals != seen.totals {
        wrong.push(format!("{name}: stats say {totals:?} in all, there is {:?}", seen.totals));
    }
    for state in State::ALL {
        let told = listed(client, &queue, state).await?;
        let here: BTreeSet<_> =
            seen.jobs.iter().filter(|(_, at)| **at == state).map(|(id, _)| id.clone()).collect();
        for id in told.symmetric_difference(&here) {
            let who = if told.contains(id) { "only mq says" } else { "mq does not say" };
            wrong.push(format!("{name}: {who} that {id} is {state}"));
        }
        let size = size(&stats, state);
        if size != here.len() as u64 {
            wrong.push(format!("{name}: stats say {size} {state}, there are {}", here.len()));
        }
    }
    let ids: Vec<_> = seen.jobs.keys().filter_map(|id| id.parse().ok()).collect();
    for chunk in ids.chunks(mq_core::engine::BATCH_MAX) {
        for (id, job) in chunk.iter().zip(engine.get(&queue, chunk).await?) {
            let told = job.map(|job| job.state);
            if told != seen.jobs.get(&id.to_string()).copied() {
                wrong.push(format!("{name}: `get` says that {id} is {told:?}"));
            }
        }
    }
    let mut held = BTreeMap::new();
    for worker in engine.workers(&queue).await? {
        let running = worker.running.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        held.insert(worker.worker.to_string(), running);
    }
    if held != seen.held {
        wrong.push(format!("{name}: workers say {held:?}, there is {:?}", seen.held));
    }
    Ok(wrong)
}

async fn listed(
    client: &Client,
    queue: &QueueName,
    state: State,
) -> Result<BTreeSet<String>, EngineError> {
    let (mut ids, mut cursor) = (BTreeSet::new(), None);
    loop {
        let request = ListRequest { queue: queue.clone(), state, cursor, limit: 1000 };
        let page = client.engine().list(request).await?;
        ids.extend(page.jobs.iter().map(|job| job.id.to_string()));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(ids);
        }
    }
}

fn size(stats: &QueueStats, state: State) -> u64 {
    match state {
        State::Ready => stats.ready,
        State::Scheduled => stats.scheduled + stats.retrying,
        State::Running => stats.running,
        State::Done => stats.done,
        State::Dead => stats.dead,
        _ => stats.cancelled,
    }
}

fn totals(stats: &QueueStats) -> [u64; 5] {
    [
        stats.enqueued_total,
        stats.done_total,
        stats.failed_total,
        stats.dead_total,
        stats.interrupted_total,
    ]
}
