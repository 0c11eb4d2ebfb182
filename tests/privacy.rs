//! What is logged, and what never is: payloads and passwords, at any level.
#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

#[path = "support/log.rs"]
mod log;

use mq::engine::{NewJob, Schedule};
use mq::prelude::*;
use mq::{JobId, QueueName, Record, State};
use mq_testkit::RedisServer;

use crate::log::Log;

const SECRET: &str = "hunter2";
const PASSWORD: &str = "correct-horse";

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(max_attempts = 2, backoff(fixed, base = "10ms"))]
struct Login {
    password: String,
    attempts: u32,
}

impl Handler for Login {
    type Error = String;

    async fn run(self, cx: Context) -> Result<(), String> {
        match self.attempts {
            0 => Ok(()),
            1 => Err("the door is shut".to_owned()),
            2 => panic!("the door fell off"),
            _ => Err(cx.discard("no such door".to_owned())),
        }
    }
}

/// Puts a payload that the type would never have written.
async fn put(mq: &Client, kind: &str, payload: String) {
    let job = NewJob {
        queue: QueueName::new("default").unwrap(),
        id: JobId::new(),
        record: Record::new(kind, payload.into_bytes()).encode(),
        schedule: Schedule::Now,
        priority: Priority::Normal,
        idempotency_key: None,
    };
    mq.engine().enqueue(vec![job], Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn neither_payloads_nor_passwords_are_logged_or_shown_in_errors() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .init();
    let server = RedisServer::with(&["--requirepass", PASSWORD]);
    let url = format!("redis://:{PASSWORD}@127.0.0.1:{}", server.port());
    let mq = Client::connect(&url).await.unwrap();
    for attempts in 0..4 {
        mq.enqueue(Login { password: SECRET.to_owned(), attempts }).await.unwrap();
    }
    put(&mq, "login", format!(r#"{{"password":"x","attempts":"{SECRET}"}}"#)).await;
    put(&mq, "login", format!(r#"{{"password":"{SECRET}, expected","attempts":-5}}"#)).await;
    put(&mq, "login", format!(r#"{{"password":"{SECRET}"#)).await;
    put(&mq, "unheard-of", format!(r#""{SECRET}""#)).await;
    let idle = async {
        while mq.admin().queue("default").await.unwrap().stats.dead < 6 {
            // sleep: polls until six jobs are dead; the test's own limit ends it.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let worker = Worker::builder(&mq).job::<Login, ()>().build().unwrap();
    worker.run_until(idle).await.unwrap();

    let wrong = url.replace(PASSWORD, "correct-horse-not");
    let refused = Client::connect(&wrong).await.unwrap_err();
    let mut shown = format!("{refused:?} {refused} {mq:?}");
    let filter = mq::admin::Filter::state(State::Dead);
    let dead = mq.admin().jobs(&filter, None, 100).await.unwrap().jobs;
    for job in &dead {
        shown.push_str(job.last_error().unwrap());
    }
    let logged = log.text();
    for word in ["the door is shut", "the door fell off", "no such door", "no handler"] {
        assert!(logged.contains(word), "`{word}` was logged");
    }
    assert!(shown.contains("expected u32 at line 1"), "errors still help: {shown}");
    for hidden in [SECRET, PASSWORD] {
        for (line, text) in logged.lines().chain(shown.lines()).enumerate() {
            assert!(!text.contains(hidden), "line {line}: {text}");
        }
    }
}
