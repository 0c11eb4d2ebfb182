//! The job of the fault tests: it does what its payload says and writes it down.

use std::time::Duration;

use mq_core::failpoint::point;
use mq_core::{Backoff, Context, Handler, Job, JobOptions};
use mq_testkit::{Event, Recorder};
use serde::{Deserialize, Serialize};

use crate::deed::Deed;

/// The queue that the tests use.
pub const QUEUE: &str = "chaos";

/// Shared by the handlers of a worker process.
#[derive(Debug)]
pub struct App {
    recorder: Recorder,
}

impl App {
    /// With the history that all processes of the test write.
    pub fn new(recorder: Recorder) -> Self {
        Self { recorder }
    }

    pub(crate) fn write(&self, event: Event) -> Result<(), String> {
        self.recorder.write(event).map_err(|error| error.to_string())
    }
}

/// A job that behaves as told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chaos {
    /// Which one it is.
    pub number: u64,
    /// How long it takes.
    pub sleep_ms: u64,
    /// How long it blocks its thread before that.
    pub block_ms: u64,
    /// How many of its first attempts fail.
    pub failures: u32,
    /// How many of its first attempts panic instead of failing.
    pub panics: u32,
    /// Whether it says that no attempt can help.
    pub discard: bool,
    /// Whether it goes on until it is cancelled or its time is up.
    pub hang: bool,
    /// Whether it kills the process that runs it.
    pub poison: bool,
    /// Whether it enqueues a follow-up under a key of its own.
    pub child: bool,
    /// Makes the payload larger.
    pub padding: String,
    /// What it does to its worker on its first attempt.
    pub deed: Deed,
    /// After how many failed attempts it is dead; 0: as its kind says.
    pub attempts: u32,
    /// The time limit of one attempt; 0: as its kind says.
    pub timeout_ms: u64,
}

impl Chaos {
    /// A job that takes so long.
    pub fn lasting(number: u64, sleep_ms: u64) -> Self {
        Self { number, sleep_ms, ..Self::default() }
    }

    /// Jobs that take so long each.
    pub fn many(numbers: std::ops::Range<u64>, sleep_ms: u64) -> Vec<Self> {
        numbers.map(|number| Self::lasting(number, sleep_ms)).collect()
    }
}

impl Job for Chaos {
    type Output = ();
    const KIND: &'static str = "chaos";
    const OPTIONS: JobOptions = JobOptions::DEFAULT
        .queue(QUEUE)
        .backoff(Backoff::fixed(Duration::from_millis(100)))
        .timeout(Duration::from_secs(120));
}

impl Handler<App> for Chaos {
    type Error = String;

    async fn run(self, cx: Context<App>) -> Result<(), String> {
        let (id, claim) = (cx.id(), cx.fence().to_string());
        let write = |event| cx.state().write(event);
        write(Event::Started { id, claim: claim.clone() })?;
        point("run.started");
        assert!(cx.attempt() > self.panics, "attempt {} was told to panic", cx.attempt());
        if self.hang {
            cx.cancelled().await;
            write(Event::Ended { id, claim, ok: false })?;
            return Err("it was told to hang until its time was up".to_owned());
        }
        if self.poison {
            // Nobody else can tell that this is why the others were interrupted.
            cx.state().recorder.fault_began("poison", vec![std::process::id()]);
            // As `kill -9` would: nothing is unwound, nothing is flushed.
            std::process::abort();
        }
        // A handler that computes without a pause.
        std::thread::park_timeout(Duration::from_millis(self.block_ms));
        if cx.attempt() == 1 {
            self.deed.perform().await?;
        }
        // sleep: this is the work.
        tokio::time::sleep(Duration::from_millis(self.sleep_ms)).await;
        write(Event::Effect { id, claim: claim.clone(), what: "worked".into() })?;
        point("run.worked");
        if self.child {
            let child = Chaos { number: self.number + 1_000_000, ..Self::default() };
            let key = format!("child-of-{id}");
            let sent = cx.client().enqueue(child).idempotency_key(key).await;
            sent.map_err(|error| error.to_string())?;
            point("run.enqueued");
        }
        let ok = cx.attempt() > self.failures && !self.discard;
        write(Event::Ended { id, claim, ok })?;
        point("run.ended");
        match ok {
            true => Ok(()),
            false if self.discard => Err(cx.discard("nothing can help".to_owned())),
            false => Err(format!("attempt {} was told to fail", cx.attempt())),
        }
    }
}

/// A job that does nothing and writes nothing down, for a million of them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Noop;

impl Job for Noop {
    type Output = ();
    const KIND: &'static str = "noop";
    const OPTIONS: JobOptions = JobOptions::DEFAULT.queue(QUEUE);
}

impl Handler<App> for Noop {
    type Error = String;

    async fn run(self, _: Context<App>) -> Result<(), String> {
        Ok(())
    }
}
