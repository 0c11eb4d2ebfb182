//! What an operator can do, through the public API.
#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

use mq::admin::{Filter, Verb};
use mq::engine::Act;
use mq::prelude::*;
use mq::{DeathReason, JobId, QueueName, State};
use mq_testkit::{shared_url, unique_prefix};

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "mail", max_attempts = 1)]
struct Send {
    to: String,
}

impl Handler for Send {
    type Error = String;

    async fn run(self, _: Context) -> Result<(), String> {
        match self.to.as_str() {
            "fine" => Ok(()),
            to => Err(format!("{to} does not answer")),
        }
    }
}

fn send(to: &str) -> Send {
    Send { to: to.to_owned() }
}

async fn client() -> Client {
    let url = format!("{}?prefix={}", shared_url(), unique_prefix());
    Client::connect(url).await.unwrap()
}

/// Runs everything that can be run now.
async fn drain(mq: &Client) {
    let worker = Worker::builder(mq).queue("mail", 1).queue("later", 1).job::<Send, ()>();
    let worker = worker.build().unwrap();
    let idle = async {
        loop {
            let queues = mq.admin().queues().await.unwrap();
            if queues.iter().all(|queue| queue.stats.ready + queue.stats.running == 0) {
                return;
            }
            // sleep: polls until the queues are empty; the test's own limit ends it.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    worker.run_until(idle).await.unwrap();
}

async fn in_state(mq: &Client, state: State) -> Vec<JobId> {
    let page = mq.admin().jobs(&Filter::state(state), None, 1000).await.unwrap();
    page.jobs.iter().map(|job| job.id).collect()
}

#[tokio::test]
async fn dead_letters_are_found_by_what_is_known_of_them_and_brought_back() {
    let mq = client().await;
    let anna = mq.enqueue(send("anna")).tag("vip").await.unwrap().id;
    let bert = mq.enqueue(send("bert")).await.unwrap().id;
    mq.enqueue(send("fine")).await.unwrap();
    drain(&mq).await;
    let admin = mq.admin();
    let found = async |filter: Filter| {
        let page = admin.jobs(&filter, None, 100).await.unwrap();
        page.jobs.iter().map(|job| job.id).collect::<Vec<_>>()
    };
    let dead = || Filter::state(State::Dead);
    assert_eq!(found(dead().error("anna does not")).await, [anna]);
    assert_eq!(found(dead().tag("vip").kind("send").queue("mail")).await, [anna]);
    assert!(found(dead().kind("other")).await.is_empty());
    assert_eq!(found(dead()).await.len(), 2);

    let info = admin.job(bert).await.unwrap().unwrap();
    assert_eq!(info.death_reason(), Some(DeathReason::Exhausted));
    assert_eq!(info.last_error(), Some("bert does not answer"));
    assert_eq!(info.payload_text(), r#"{"to":"bert"}"#);
    let json = serde_json::to_value(&info).unwrap();
    assert_eq!((json["state"].as_str(), json["kind"].as_str()), (Some("dead"), Some("send")));

    assert_eq!(admin.retry(bert).await.unwrap(), Act::Applied);
    assert_eq!(admin.retry(bert).await.unwrap(), Act::Already);
    drain(&mq).await;
    let info = admin.job(bert).await.unwrap().unwrap();
    assert_eq!((info.state, info.attempts, info.lifetime_attempts), (State::Dead, 1, 2));
    assert_eq!(admin.retry(JobId::new()).await.unwrap(), Act::NotFound);
}

#[tokio::test]
async fn a_verb_on_all_that_match_touches_only_what_was_there_and_keeps_to_a_rate() {
    let mq = client().await;
    mq.enqueue_all((0..1_200).map(|_| send("nobody"))).await.unwrap();
    drain(&mq).await;
    let verb = Verb::Retry { per_second: Some(100) };
    let tally = mq.admin().act_on_all(&Filter::state(State::Dead), &verb).await.unwrap();
    assert_eq!((tally.applied, tally.total()), (1_200, 1_200));
    let page = mq.admin().jobs(&Filter::state(State::Scheduled), None, 1_000).await.unwrap();
    let rest = mq.admin().jobs(&Filter::state(State::Scheduled), page.next.clone(), 1_000).await;
    let due: Vec<u64> =
        page.jobs.iter().chain(&rest.unwrap().jobs).filter_map(|job| job.at_ms).collect();
    assert_eq!(due.len(), 1_200, "every job is on one of the pages");
    assert!(due.is_sorted());
    let span_ms = due[due.len() - 1] - due[0];
    assert!((11_000..14_000).contains(&span_ms), "1,200 jobs at 100 a second: {span_ms} ms");
    let most = due.chunk_by(|one, other| one / 1000 == other / 1000).map(<[u64]>::len).max();
    assert!(most.is_some_and(|most| most <= 130), "{most:?} in one second");
    assert_eq!(mq.admin().act_on_all(&Filter::state(State::Dead), &verb).await.unwrap().total(), 0);
}

#[tokio::test]
async fn jobs_that_wait_can_be_cancelled_deleted_hurried_and_moved() {
    let mq = client().await;
    let admin = mq.admin();
    let hour = Duration::from_secs(3600);
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(mq.enqueue(send("fine")).delay(hour).await.unwrap().id);
    }
    assert_eq!(admin.cancel(ids[0]).await.unwrap(), Act::Applied);
    assert_eq!(admin.delete(ids[1]).await.unwrap(), Act::Applied);
    assert_eq!(admin.run_now(ids[2]).await.unwrap(), Act::Applied);
    assert_eq!(admin.transfer(ids[3], "later").await.unwrap(), Act::Applied);
    assert_eq!(in_state(&mq, State::Ready).await, [ids[2]]);
    let moved = admin.job(ids[3]).await.unwrap().unwrap();
    assert_eq!((moved.queue.as_str(), moved.state), ("later", State::Scheduled));
    let verb = Verb::Transfer(QueueName::new("mail").unwrap());
    let acts = admin.act(&[ids[3], ids[0], ids[2]], &verb).await.unwrap();
    assert_eq!(acts, [Act::Applied, Act::NotFound, Act::Already]);
    for (queue, report) in admin.audit(false).await.unwrap() {
        assert!(report.findings.is_empty(), "{queue}: {report:?}");
    }
    assert!(admin.queue("a\nb").await.is_err());
}

#[tokio::test]
async fn pages_go_through_all_queues_and_end() {
    let mq = client().await;
    for queue in ["a", "b", "c"] {
        mq.enqueue_all((0..7).map(|_| send("fine"))).queue(queue).await.unwrap();
    }
    for limit in [1, 2, 7, 10, 1000] {
        let (mut seen, mut cursor, mut pages) = (Vec::new(), None, 0);
        loop {
            let filter = Filter::state(State::Ready);
            let page = mq.admin().jobs(&filter, cursor, limit).await.unwrap();
            assert!(page.jobs.len() <= limit);
            seen.extend(page.jobs.iter().map(|job| (job.queue.clone(), job.id)));
            pages += 1;
            assert!(pages < 100, "never ends at {limit} a page");
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!((seen.len(), count), (21, 21), "{limit} a page");
    }
}
