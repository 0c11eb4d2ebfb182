//! Lines 13 and 16: names are data, for the store, for its script language and for the terminal.

use mq::admin::Filter;
use mq::prelude::*;
use mq::{NAME_LEN_MAX, State};

use crate::kit::stores;

/// What breaks out of keys, scripts, statements, patterns, paths, shells, formats and pages, if any
/// of them is put together from text.
const HOSTILE: &[&str] = &[
    "]] redis.call('FLUSHALL')--",
    "' .. redis.call('FLUSHALL') .. '",
    "\") redis.call(\"FLUSHALL\") --[[",
    "KEYS[1]",
    "return redis.call('FLUSHALL')",
    ":meta",
    "q1}:x{",
    "{default}",
    "mq:queues",
    "default:jobs",
    "default}:ready",
    "queues",
    "*",
    "'; DROP TABLE mq_jobs; --",
    "\"; DROP TABLE mq_jobs; --",
    "1 OR 1=1",
    "?1",
    ":queue",
    "%",
    "_",
    "%s%n%x",
    "{0}",
    "{}",
    "$(reboot)",
    "`reboot`",
    "${HOME}",
    "../../etc/passwd",
    "jobs.db",
    "-rf",
    "--yes",
    "<script>alert(1)</script>",
    "=1+1",
    "\\",
    "\\u0000",
    "\u{fffd}",
    "ｄefault",
];

#[derive(Serialize, Deserialize, Job)]
#[job(name = "'; DROP TABLE mq_jobs; -- ]] redis.call('FLUSHALL')", max_attempts = 1)]
struct Hostile {
    text: String,
}

#[mq::handler]
impl Hostile {
    async fn run(self, _: Context) -> Result<(), String> {
        Err(self.text)
    }
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = HOSTILE.iter().map(|&name| name.to_owned()).collect();
    names.push("}".repeat(NAME_LEN_MAX));
    names.push("'".repeat(NAME_LEN_MAX));
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_any_field_is_kept_as_it_is_and_does_nothing_else() {
    for store in stores().await {
        let canary = store.mq.enqueue(Hostile { text: "alive".into() }).queue("canary").await;
        let canary = canary.unwrap().id;
        let mut sent = Vec::new();
        for name in names() {
            let job = store.mq.enqueue(Hostile { text: name.clone() });
            let job = job.queue(&name).idempotency_key(&name).tag(&name).traceparent(&name).await;
            sent.push((name, job.unwrap().id));
        }
        let all_died = async {
            for (name, id) in &sent {
                let dead = store.job_in(*id, State::Dead).await;
                assert_eq!(dead.queue.as_str(), name, "{}", store.name);
                assert_eq!(dead.idempotency_key.as_ref(), Some(name), "{}", store.name);
                assert_eq!(dead.tags, [name.as_str()], "{}", store.name);
                assert_eq!(dead.last_error(), Some(name.as_str()), "{}", store.name);
                let filter = Filter::state(State::Dead).queue(name);
                let page = store.mq.admin().jobs(&filter, None, 100).await.unwrap();
                assert_eq!(page.jobs.len(), 1, "{} {name}: no other queue's", store.name);
            }
        };
        let jobs = |worker: mq::WorkerBuilder| {
            let worker = worker.job::<Hostile, ()>();
            names().iter().fold(worker, |worker, name| worker.queue(name, 1))
        };
        store.while_running(jobs, all_died).await;
        store.job_in(canary, State::Ready).await;
        let queues = store.mq.admin().queues().await.unwrap();
        assert_eq!(queues.len(), sent.len() + 1, "{}", store.name);
        store.is_sound().await;
    }
}
