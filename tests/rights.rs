//! The user with least rights that docs/operate.md describes is enough for everything that mq does.

use std::process::Command;

use mq::admin::{Filter, Verb};
use mq::prelude::*;
use mq::{QueueName, State};
use mq_testkit::RedisServer;

const PAGE: &str = include_str!("../docs/operate.md");

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(queue = "rights", max_attempts = 2, retention = "1h")]
#[job(backoff(fixed, base = "10ms"))]
struct Work {
    fails: bool,
}

impl Handler for Work {
    type Error = String;

    async fn run(self, _: Context) -> Result<(), String> {
        if self.fails { Err("as asked".into()) } else { Ok(()) }
    }
}

/// The words of the command in the page that begins with `ACL SETUSER`.
fn documented_command() -> Vec<&'static str> {
    let (_, rest) = PAGE.split_once("```text\nACL SETUSER").expect("the page has the command");
    let (block, _) = rest.split_once("```").expect("the block ends");
    ["ACL", "SETUSER"].into_iter().chain(block.split_whitespace()).collect()
}

fn redis_cli(server: &RedisServer, words: &[&str]) -> String {
    let port = server.port().to_string();
    let output = Command::new("redis-cli").args(["-p", &port]).args(words).output();
    let output = output.expect("redis-cli comes with redis-server");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Ends when nothing waits or runs any more, or fails after half a minute.
async fn settled(mq: &Client) {
    let settled = async {
        loop {
            let stats = mq.admin().queue("rights").await.expect("the queue is there").stats;
            if stats.ready + stats.scheduled + stats.retrying + stats.running == 0 {
                return;
            }
            // sleep: between two looks at the condition
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), settled).await.expect("the jobs end");
}

async fn enqueue(mq: &Client) -> Result<(), mq::EnqueueError> {
    mq.enqueue(Work { fails: false }).priority(Priority::High).await?;
    mq.enqueue(Work { fails: false }).delay(Duration::from_millis(50)).await?;
    mq.enqueue(Work { fails: true }).priority(Priority::Low).tag("t").await?;
    for _ in 0..2 {
        mq.enqueue(Work { fails: true }).idempotency_key("key").await?;
    }
    mq.enqueue_all((0..20).map(|_| Work { fails: false })).await?;
    Ok(())
}

/// Every verb on what is dead, every look at what there is.
async fn operate(mq: &Client) -> Result<(), mq::engine::EngineError> {
    let admin = mq.admin();
    admin.pause("rights").await?;
    admin.resume("rights").await?;
    for state in State::ALL {
        let page = admin.jobs(&Filter::state(state).queue("rights"), None, 100).await?;
        for job in page.jobs.iter().take(1) {
            admin.job(job.id).await?;
        }
    }
    admin.queues().await?;
    admin.workers().await?;
    let other = QueueName::new("rights-too").expect("a name");
    let dead = Filter::state(State::Dead);
    for verb in [Verb::Transfer(other), Verb::Retry { per_second: Some(1) }] {
        admin.act_on_all(&dead, &verb).await?;
    }
    let scheduled = Filter::state(State::Scheduled);
    for verb in [Verb::RunNow, Verb::Cancel, Verb::Discard, Verb::Delete] {
        admin.act_on_all(&scheduled, &verb).await?;
        admin.act_on_all(&Filter::state(State::Ready), &verb).await?;
    }
    for (queue, report) in admin.audit(true).await? {
        assert!(report.findings.is_empty(), "{queue}: {:?}", report.findings);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_user_may_do_everything_and_is_refused_nothing() {
    let server = RedisServer::start();
    assert_eq!(redis_cli(&server, &documented_command()), "OK");
    let password = documented_command().into_iter().find_map(|word| word.strip_prefix('>'));
    let password = password.expect("the command sets a password");

    let url = format!("redis://mq:{password}@127.0.0.1:{}", server.port());
    let mq = Client::connect(url).await.expect("the user may connect");
    enqueue(&mq).await.expect("the user may enqueue");
    let worker = Worker::builder(&mq).discover().build().expect("one kind of job").spawn();
    settled(&mq).await;
    operate(&mq).await.expect("the user may operate");
    worker.stop(Duration::from_secs(5)).await.expect("the worker stops");

    assert_eq!(redis_cli(&server, &["ACL", "LOG"]), "", "the server refused something");
}
