//! The guide `docs/testing.md`: its blocks are quoted from here, where they run.

#![cfg(all(feature = "testing", feature = "sqlite"))]

use mq::prelude::*;
use mq::testing::{Bench, check_registry, golden};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const GUIDE: &str = include_str!("../docs/testing.md");
const HERE: &str = include_str!("testing.rs");

#[derive(Debug, thiserror::Error)]
#[error("the mail server is down")]
struct MailError;

/// A stand-in for a mail server.
enum Mailer {
    Recording(UnboundedSender<u64>),
    Quiet,
    Broken,
    Hanging,
}

impl Mailer {
    fn recording() -> (Self, UnboundedReceiver<u64>) {
        let (sender, sent) = unbounded_channel();
        (Self::Recording(sender), sent)
    }

    fn quiet() -> Self {
        Self::Quiet
    }

    fn broken() -> Self {
        Self::Broken
    }

    fn hanging() -> Self {
        Self::Hanging
    }

    async fn send(&self, user_id: u64) -> Result<(), MailError> {
        match self {
            Self::Recording(sender) => sender.send(user_id).map_err(|_| MailError),
            Self::Quiet => Ok(()),
            Self::Broken => Err(MailError),
            Self::Hanging => std::future::pending().await,
        }
    }
}

async fn sign_up(mq: &Client, user_id: u64) -> Result<(), mq::EnqueueError> {
    mq.enqueue(Welcome { user_id }).delay(Duration::from_secs(60 * 60)).await?;
    Ok(())
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Job)]
#[job(queue = "mail", max_attempts = 3, timeout = "30s", state = Mailer)]
struct Welcome {
    user_id: u64,
}

#[mq::handler]
impl Welcome {
    async fn run(self, cx: Context<Mailer>) -> Result<(), MailError> {
        cx.state().send(self.user_id).await
    }
}

#[tokio::test]
async fn a_welcome_is_sent() {
    let (mailer, mut sent) = Mailer::recording();
    Bench::new().run(Welcome { user_id: 7 }, mailer).await.unwrap();
    assert_eq!(sent.recv().await, Some(7));
}

#[tokio::test]
async fn a_new_user_is_welcomed_an_hour_later() {
    let t = Bench::new().state(Mailer::quiet());
    sign_up(t.client(), 7).await.unwrap();
    assert_eq!(t.enqueued::<Welcome>(), [Welcome { user_id: 7 }]);
    assert_eq!(t.drain().await.done, 0);
    t.advance(Duration::from_secs(60 * 60));
    assert_eq!(t.drain().await.done, 1);
}

#[tokio::test]
async fn a_welcome_that_never_gets_through_is_a_dead_letter() {
    let t = Bench::new().state(Mailer::broken());
    t.client().enqueue(Welcome { user_id: 7 }).await.unwrap();
    assert_eq!(t.drain().await.failed, 1);
    assert_eq!(t.drain_all().await.dead, 1);
    let dead = t.dead_letters();
    assert_eq!(dead[0].attempts, 3);
    assert_eq!(dead[0].last_error(), Some("the mail server is down"));
}

#[tokio::test(start_paused = true)]
async fn a_mailer_that_hangs_is_cut_off() {
    let t = Bench::new().state(Mailer::hanging());
    t.client().enqueue(Welcome { user_id: 7 }).await.unwrap();
    assert_eq!(t.drain().await.failed, 1);
}

#[tokio::test]
async fn a_welcome_goes_through_a_real_store() {
    let (mailer, mut sent) = Mailer::recording();
    let mq = Client::connect("sqlite::memory:").await.unwrap();
    let worker = Worker::builder(&mq).state(mailer).discover().build().unwrap().spawn();
    mq.enqueue(Welcome { user_id: 7 }).await.unwrap();
    assert_eq!(sent.recv().await, Some(7));
    worker.stop(Duration::from_secs(5)).await.unwrap();
}

#[test]
fn jobs_that_wait_survive_the_next_deploy() {
    let job: Welcome = golden(r#"{"user_id":7}"#);
    assert_eq!(job, Welcome { user_id: 7 });
    check_registry();
}

#[test]
fn every_block_of_the_guide_is_here() {
    let blocks: Vec<_> = GUIDE.split("```rust\n").skip(1).collect();
    assert!(blocks.len() > 5, "the guide was not read");
    for block in blocks {
        let block = block.split("```").next().unwrap();
        assert!(HERE.contains(block), "not quoted from tests/testing.rs:\n{block}");
    }
}
