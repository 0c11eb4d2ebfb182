//! What every program here answers to, so that the runner needs to know none of them:
//!
//! ```text
//! PROGRAM [--tuned] about               {"name", "version", "settings"}
//! PROGRAM [--tuned] enqueue URL N       {"jobs", "seconds"}, the fastest way that its docs have
//! PROGRAM [--tuned] enqueue-one URL N   {"jobs", "seconds"}, one producer that awaits each
//! PROGRAM [--tuned] drain URL N         {"first": true}, then {"jobs", "seconds"}: N are queued
//! PROGRAM [--tuned] latency URL N       {"ms": […]}, from the enqueue to the handler, when idle
//! PROGRAM [--tuned] hold URL 1          {"first": true} when its handler starts, which never ends
//! ```
//!
//! Each answer is a line of JSON on stdout. The clock of a drain runs from the start of the first
//! handler to that of the last, so that nobody pays for starting up.

use std::future::Future;
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub type Result<T, E = anyhow::Error> = std::result::Result<T, E>;

/// What all async peers may run at the same time, unless their program says why not.
pub const CONCURRENCY: usize = 1000;
/// Jobs that a latency run does not count: the worker may still be starting, or be awake from it.
const WARM_UPS: usize = 2;
/// What is between two jobs of a latency run.
const PAUSE: Duration = Duration::from_millis(20);
/// A latency run starts no job after this: some peers take seconds for each.
const LATENCY_MAX: Duration = Duration::from_secs(45);

/// The arguments of every job: 100 bytes of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Noop {
    padding: String,
}

impl Noop {
    pub fn new() -> Self {
        Self { padding: "x".repeat(86) }
    }

    pub fn many(count: u64) -> impl Iterator<Item = Self> + Send {
        (0..count).map(|_| Self::new())
    }
}

impl Default for Noop {
    fn default() -> Self {
        Self::new()
    }
}

/// One system: how to enqueue with it, and how to run a worker.
pub trait Peer: Clone + Send + Sync + Sized + 'static {
    /// As its people write it.
    const NAME: &'static str;
    /// The crate whose version counts.
    const CRATE: &'static str;

    fn settings(tuned: bool) -> String;
    fn connect(url: &str, tuned: bool) -> impl Future<Output = Result<Self>> + Send;
    fn enqueue_all(&self, jobs: u64) -> impl Future<Output = Result<()>> + Send;
    fn enqueue_one(&self) -> impl Future<Output = Result<()>> + Send;
    /// Runs a worker until the process ends; its handler awaits [`handle`].
    fn work(&self) -> impl Future<Output = Result<()>>;
}

enum Mode {
    Drain { jobs: u64, started: AtomicU64, since: OnceLock<Instant> },
    Latency(UnboundedSender<Instant>),
    Hold,
}

static MODE: OnceLock<Mode> = OnceLock::new();

/// What a job does: nothing but being counted.
pub async fn handle(_: &Noop) {
    match MODE.get() {
        Some(Mode::Drain { jobs, started, since }) => count(*jobs, started, since),
        Some(Mode::Latency(starts)) => drop(starts.send(Instant::now())),
        Some(Mode::Hold) => {
            say(r#"{"first": true}"#);
            std::future::pending().await
        }
        None => {}
    }
}

fn count(jobs: u64, started: &AtomicU64, since: &OnceLock<Instant>) {
    let nth = started.fetch_add(1, Ordering::Relaxed) + 1;
    if nth == 1 {
        since.get_or_init(Instant::now);
        say(r#"{"first": true}"#);
    }
    if nth == jobs {
        let seconds = since.get().map_or(0.0, |since| since.elapsed().as_secs_f64());
        say(&format!(r#"{{"jobs": {jobs}, "seconds": {seconds}}}"#));
    }
}

/// Carries out the command line.
pub fn run<P: Peer>() {
    if let Err(error) = tokio_main(run_verb::<P>()) {
        eprintln!("{error:#}");
        std::process::exit(1);
    }
}

fn tokio_main<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}

async fn run_verb<P: Peer>() -> Result<()> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let tuned = args.first().is_some_and(|arg| arg == "--tuned");
    args.drain(..usize::from(tuned));
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (verb, url, jobs) = match words[..] {
        ["about"] => return about::<P>(tuned),
        [verb, url, jobs] => (verb, url, jobs.parse()?),
        _ => bail!("usage: [--tuned] about, or VERB URL JOBS"),
    };
    let peer = P::connect(url, tuned).await?;
    match verb {
        "enqueue" => timed(jobs, peer.enqueue_all(jobs)).await,
        "enqueue-one" => timed(jobs, one_by_one(&peer, jobs)).await,
        "drain" => {
            let mode = Mode::Drain { jobs, started: AtomicU64::new(0), since: OnceLock::new() };
            work_as(&peer, mode).await
        }
        "hold" => work_as(&peer, Mode::Hold).await,
        "latency" => latency(peer, jobs).await,
        _ => bail!("no such verb: {verb}"),
    }
}

fn about<P: Peer>(tuned: bool) -> Result<()> {
    let tuning = if tuned { " tuned" } else { "" };
    let about = serde_json::json!({
        "name": P::NAME,
        "version": format!("{}{tuning}", locked_version(P::CRATE)?),
        "settings": P::settings(tuned),
    });
    say(&about.to_string());
    Ok(())
}

/// The version that was compiled in.
fn locked_version(name: &str) -> Result<&'static str> {
    let lock = include_str!("../Cargo.lock");
    let (_, rest) = lock.split_once(&format!("name = \"{name}\"\n")).context("not in the lock")?;
    rest.split('"').nth(1).context("no version in the lock")
}

async fn timed(jobs: u64, work: impl Future<Output = Result<()>>) -> Result<()> {
    let start = Instant::now();
    work.await?;
    let seconds = start.elapsed().as_secs_f64();
    say(&format!(r#"{{"jobs": {jobs}, "seconds": {seconds}}}"#));
    Ok(())
}

async fn one_by_one<P: Peer>(peer: &P, jobs: u64) -> Result<()> {
    for _ in 0..jobs {
        peer.enqueue_one().await?;
    }
    Ok(())
}

/// For peers that have no other way: so many producers that each await their jobs.
pub async fn enqueue_by<P: Peer>(peer: &P, jobs: u64, producers: u64) -> Result<()> {
    let share = |nth: u64| jobs / producers + u64::from(nth < jobs % producers);
    let tasks = (0..producers).map(|nth| {
        let (peer, jobs) = (peer.clone(), share(nth));
        tokio::spawn(async move { one_by_one(&peer, jobs).await })
    });
    for task in futures::future::join_all(tasks).await {
        task??;
    }
    Ok(())
}

async fn work_as<P: Peer>(peer: &P, mode: Mode) -> Result<()> {
    let _ = MODE.set(mode);
    peer.work().await?;
    bail!("the worker ended by itself")
}

async fn latency<P: Peer>(peer: P, jobs: u64) -> Result<()> {
    let (sender, mut starts) = unbounded_channel();
    tokio::select! {
        ended = work_as(&peer, Mode::Latency(sender)) => ended,
        all = pick_ups(&peer, jobs, &mut starts) => {
            say(&serde_json::json!({ "ms": all? }).to_string());
            std::process::exit(0)
        }
    }
}

async fn pick_ups<P: Peer>(
    peer: &P,
    jobs: u64,
    starts: &mut UnboundedReceiver<Instant>,
) -> Result<Vec<f64>> {
    for _ in 0..WARM_UPS {
        pick_up(peer, starts).await?;
    }
    let begin = Instant::now();
    let mut all = Vec::new();
    while (all.len() as u64) < jobs && begin.elapsed() < LATENCY_MAX {
        // sleep: lets the worker become idle again.
        tokio::time::sleep(PAUSE).await;
        all.push(pick_up(peer, starts).await?);
    }
    Ok(all)
}

async fn pick_up<P: Peer>(peer: &P, starts: &mut UnboundedReceiver<Instant>) -> Result<f64> {
    let sent = Instant::now();
    peer.enqueue_one().await?;
    let start = starts.recv().await.context("the worker is gone")?;
    Ok(start.duration_since(sent).as_secs_f64() * 1000.0)
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody is left to tell if the reader is gone.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
