//! All engines, the same sequences, the same observations; see `mq_conformance::differential`.
//!
//! `MQ_SEQUENCES=10000` runs more of them, `MQ_SEED=7` begins elsewhere, `MQ_STEPS=60` makes them
//! longer. What fails is made small and written to `tests/regressions/`, to be kept for ever.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mq_conformance::Fixture;
use mq_conformance::differential::{Difference, Step, Subject, generate, parse, run, shrink};
use mq_core::clock;
use mq_core::engine::Engine;
use mq_redis::RedisEngine;
use mq_sqlite::SqliteEngine;
use mq_testkit::MemoryEngine;

/// What a commit is checked with.
const SEQUENCES: u64 = 300;
const STEPS: u64 = 40;
/// Sequences under way at once, so that one computes while another waits for a server.
const AT_ONCE: usize = 4;

const MINUTE_MS: u64 = 60_000;

/// When a store's time begins. A minute of its own for each, in the future and ascending, so that
/// ids which are minted then are new to this process, as they would be in life.
fn start_ms() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let _ = NEXT.compare_exchange(
        0,
        (clock::wall_ms() / MINUTE_MS + 2) * MINUTE_MS,
        Ordering::SeqCst,
        Ordering::SeqCst,
    );
    NEXT.fetch_add(MINUTE_MS, Ordering::SeqCst)
}

/// An engine with a clock that tests set. One store may have several handles.
trait Clocked: Engine {
    fn show(&self, now_ms: u64);
}

impl Clocked for RedisEngine {
    fn show(&self, now_ms: u64) {
        self.set_test_clock(now_ms);
    }
}

impl Clocked for SqliteEngine {
    fn show(&self, now_ms: u64) {
        self.set_test_clock(now_ms);
    }
}

impl Clocked for MemoryEngine {
    fn show(&self, now_ms: u64) {
        self.advance(Duration::from_millis(now_ms - self.now_ms()));
    }
}

/// A store with the clock of all its handles.
struct Clock<E> {
    engine: Arc<E>,
    /// How to connect again; without it another handle is one that is detached.
    url: Option<String>,
    others: Mutex<Vec<Arc<RedisEngine>>>,
    now_ms: AtomicU64,
}

impl<E: Clocked> Clock<E> {
    fn new(engine: E, url: Option<String>, now_ms: u64) -> Self {
        engine.show(now_ms);
        let (engine, now_ms) = (Arc::new(engine), AtomicU64::new(now_ms));
        Self { engine, url, others: Mutex::default(), now_ms }
    }
}

#[async_trait]
impl<E: Clocked> Fixture for Clock<E> {
    fn engine(&self) -> Arc<dyn Engine> {
        self.engine.clone()
    }

    async fn second(&self) -> Arc<dyn Engine> {
        let Some(url) = &self.url else { return self.engine.detached() };
        let other = Arc::new(RedisEngine::connect(url).await.expect("connect"));
        other.show(self.now_ms());
        self.others.lock().expect("the list").push(other.clone());
        other
    }

    async fn advance(&self, by: Duration) {
        let by_ms = by.as_millis() as u64;
        let now_ms = self.now_ms.fetch_add(by_ms, Ordering::SeqCst) + by_ms;
        self.engine.show(now_ms);
        self.others.lock().expect("the list").iter().for_each(|other| other.show(now_ms));
    }

    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }
}

/// All engines, fresh and at the same time. The first one is what the others are compared with.
async fn subjects() -> Vec<Subject> {
    let start_ms = start_ms();
    let url = format!("{}?prefix={}", mq_testkit::shared_url(), mq_testkit::unique_prefix());
    let redis = RedisEngine::connect(&url).await.expect("connect");
    let sqlite = SqliteEngine::connect("sqlite::memory:").await.expect("connect");
    vec![
        Subject::new("redis", Clock::new(redis, Some(url), start_ms)),
        Subject::new("sqlite", Clock::new(sqlite, None, start_ms)),
        Subject::new("memory", Clock::new(MemoryEngine::new(start_ms), None, start_ms)),
    ]
}

fn number(name: &str, usual: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

/// The first seed that fails, and how.
async fn search(first: u64, count: u64, steps: usize) -> Option<(u64, Difference)> {
    let mut running = tokio::task::JoinSet::new();
    let mut seeds = first..first.saturating_add(count);
    let mut found: Option<(u64, Difference)> = None;
    loop {
        while found.is_none() && running.len() < AT_ONCE {
            let Some(seed) = seeds.next() else { break };
            running.spawn(async move {
                let steps = generate(seed, steps);
                (seed, run(&subjects().await, &steps).await)
            });
        }
        let Some(ended) = running.join_next().await else { return found };
        let (seed, result) = ended.expect("a sequence");
        if let Err(difference) = result
            && found.as_ref().is_none_or(|(other, _)| seed < *other)
        {
            found = Some((seed, difference));
        }
    }
}

async fn smallest(seed: u64, steps: usize, found: &Difference) -> (Vec<Step>, Difference) {
    let mut steps = generate(seed, steps);
    steps.truncate(found.step + 1);
    let mut last = found.clone();
    let steps = shrink(steps, async |steps| match run(&subjects().await, steps).await {
        Ok(()) => false,
        Err(difference) => {
            last = difference;
            true
        }
    });
    (steps.await, last)
}

fn regressions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions")
}

#[test]
fn engines_do_the_same() {
    let (count, steps) = (number("MQ_SEQUENCES", SEQUENCES), number("MQ_STEPS", STEPS) as usize);
    let first = number("MQ_SEED", 1);
    let began = clock::now();
    block_on(async {
        let Some((seed, found)) = search(first, count, steps).await else { return };
        let (small, difference) = smallest(seed, steps, &found).await;
        let lines: Vec<_> = small.iter().map(Step::line).collect();
        panic!("seed {seed}: {difference}\n{}", lines.join("\n"));
    });
    eprintln!("{count} sequences in {:?}", began.elapsed());
}

#[test]
fn what_once_differed_stays_the_same() {
    block_on(async {
        for entry in std::fs::read_dir(regressions()).expect("the kept sequences") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a kept sequence");
            let steps = parse(&text).expect("a kept sequence");
            if let Err(difference) = run(&subjects().await, &steps).await {
                panic!("{}: {difference}", path.display());
            }
        }
    });
}
