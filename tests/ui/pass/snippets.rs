//! How mq looks in use: compiled, not run. One function for each way.

use mq::JobSet;
use mq::prelude::*;

#[derive(Debug)]
pub enum MailError {
    Bounced,
    Down,
}

impl std::fmt::Display for MailError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for MailError {}

/// The shortest: a function is a job, its arguments are the payload.
mod shortest {
    use super::MailError;
    use mq::{Client, Worker};

    #[mq::job(queue = "mail")]
    async fn welcome(user_id: u64, lang: String) -> Result<(), MailError> {
        match (user_id, lang.as_str()) {
            (0, _) => Err(MailError::Bounced),
            _ => Ok(()),
        }
    }

    pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
        let mq = Client::connect("redis://127.0.0.1:6390").await?;
        mq.enqueue(welcome(7, "en".into())).await?;
        Worker::builder(&mq).discover().build()?.run_until(mq::shutdown_signal()).await?;
        Ok(())
    }
}

/// Data and policy in one place, typed state, error, output and verdict.
pub struct App {
    smtp: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Receipt(String);

#[derive(Serialize, Deserialize, Job)]
#[job(name = "mail.welcome", queue = "mail", max_attempts = 10, timeout = "30s", retention = "7d")]
#[job(output = Receipt, state = App)]
#[job(backoff(exponential, base = "2s", max = "1h", jitter = "full"))]
struct Welcome {
    user_id: u64,
}

impl Handler<App> for Welcome {
    type Error = MailError;

    async fn run(self, cx: Context<App>) -> Result<Receipt, MailError> {
        match self.user_id {
            0 => Err(MailError::Down),
            user => Ok(Receipt(format!("{} {user}", cx.state().smtp))),
        }
    }

    fn verdict(&self, error: &MailError) -> Verdict {
        match error {
            MailError::Bounced => Verdict::Discard,
            MailError::Down => Verdict::Retry,
        }
    }
}

#[derive(Serialize, Deserialize, Job)]
#[job(producer)]
struct Resize {
    id: u64,
}

#[derive(Serialize, Deserialize, Job)]
#[job(producer)]
struct Notify {
    id: u64,
}

/// Now, later, at a time, once, many, several kinds at once.
async fn enqueue(mq: &Client, id: u64) -> Result<(), mq::EnqueueError> {
    let delay = Duration::from_secs(300);
    mq.enqueue(Resize { id }).delay(delay).priority(Priority::High).tag("tenant:42").await?;
    mq.enqueue(Resize { id }).at(Utc::now() + TimeDelta::days(1)).await?;
    let receipt = mq.enqueue(Resize { id }).idempotency_key(format!("resize-{id}")).await?;
    println!("{} {} {:?}", receipt.id, receipt.duplicate, receipt.durability);
    mq.enqueue_all([1, 2, 3].map(|id| Resize { id })).await?;
    mq.enqueue_set(JobSet::new().push(Resize { id }).push(Notify { id })).await?;
    Ok(())
}

/// Wraps every attempt.
struct Slow(Duration);

impl Middleware for Slow {
    async fn call(&self, request: JobRequest, next: Next<'_>) -> Outcome {
        let kind = request.kind().to_owned();
        let outcome = next.run(request).await;
        println!("{kind}, slow if over {:?}: {outcome:?}", self.0);
        outcome
    }
}

#[derive(Debug, Serialize, Deserialize, Job)]
#[job(producer)]
struct Ping;

struct Net;

/// Handlers by trait, by closure and by discovery, states by type, weights, layers.
async fn work(mq: &Client) -> Result<(), Box<dyn std::error::Error>> {
    Worker::builder(mq)
        .state(App { smtp: "localhost".into() })
        .state(Net)
        .queue("critical", 6)
        .queue("default", 1)
        .concurrency(64)
        .grace(Duration::from_secs(25))
        .layer(Slow(Duration::from_secs(5)))
        .job::<Welcome, _>()
        .job_fn(async |job: Ping, cx: Context<Net>| {
            let Net = cx.state();
            println!("{job:?}");
            Ok::<(), MailError>(())
        })
        .discover()
        .build()?
        .run_until(mq::shutdown_signal())
        .await?;
    Ok(())
}

/// A long job with anyhow, which stops when it is asked to.
pub struct Db;

#[derive(Serialize, Deserialize, Job)]
#[job(state = Db)]
struct Import {
    total: u64,
}

#[mq::handler]
impl Import {
    async fn run(self, cx: Context<Db>) -> anyhow::Result<()> {
        for at in 0..self.total {
            let Db = cx.state();
            if cx.is_stopping() {
                return Err(cx.retry_in(Duration::ZERO, anyhow::anyhow!("stopping at {at}")));
            }
            if at == 13 {
                return Err(cx.discard(anyhow::anyhow!("unlucky file")));
            }
            std::fs::metadata("/")?;
        }
        Ok(())
    }
}

/// Beside a server in one process, with an ordered stop.
async fn beside(mq: &Client) -> Result<(), Box<dyn std::error::Error>> {
    let jobs = Worker::builder(mq).discover().build()?.spawn();
    mq::shutdown_signal().await;
    jobs.stop(Duration::from_secs(25)).await?;
    Ok(())
}

fn main() {
    // Futures that are made and dropped: what counts is that all of this is accepted, and that a
    // program may spawn it.
    fn is_send<T: Send>(_: T) {}
    is_send(shortest::main());
    fn take(mq: &'static Client) {
        is_send(enqueue(mq, 1));
        is_send(work(mq));
        is_send(beside(mq));
    }
    let _: fn(&'static Client) = take;
    let _ = Import { total: 1 };
}
