//! All engines, the same sequences, the same observations; see `mq_conformance::differential`.
//!
//! `MQ_SEQUENCES=10000` runs more of them, `MQ_SEED=7` begins elsewhere, `MQ_STEPS=60` makes them
//! longer. What fails is made small and written to `tests/regressions/`, to be kept for ever.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mq_conformance::Fixture;
use mq_conformance::differential::{
    Difference, Request, Step, Subject, generate, parse, run, shrink,
};
use mq_core::engine::{Engine, Finish, NewJob, Schedule};
use mq_core::lifecycle::Transition;
use mq_core::{Priority, clock};
use mq_redis::RedisEngine;
use mq_sqlite::SqliteEngine;
use mq_testkit::{MemoryEngine, RedisServer};

/// What a commit is checked with.
const SEQUENCES: u64 = 300;
const STEPS: u64 = 40;
/// Sequences that one Redis serves.
const PER_SERVER: usize = 50;
/// How often a long run says how far it is.
const TELL: u64 = 1_000;
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
    place: Option<Place>,
    others: Mutex<Vec<Arc<RedisEngine>>>,
    now_ms: AtomicU64,
}

/// A server's URL, which is good for as long as this lives.
struct Place {
    url: String,
    _server: Arc<RedisServer>,
}

impl Place {
    /// On a server that few have used before: an audit looks at all of its keys, so that with one
    /// server for all each sequence would take longer than the one before.
    fn fresh() -> Self {
        static CURRENT: Mutex<Option<(Arc<RedisServer>, usize)>> = Mutex::new(None);
        let mut current = CURRENT.lock().expect("the server");
        let (server, used) = match current.take() {
            Some((server, used)) if used < PER_SERVER => (server, used + 1),
            _ => (Arc::new(RedisServer::start()), 1),
        };
        *current = Some((Arc::clone(&server), used));
        let url = format!("{}?prefix={}", server.url(), mq_testkit::unique_prefix());
        Self { url, _server: server }
    }
}

impl<E: Clocked> Clock<E> {
    fn new(engine: E, place: Option<Place>, now_ms: u64) -> Self {
        engine.show(now_ms);
        let (engine, now_ms) = (Arc::new(engine), AtomicU64::new(now_ms));
        Self { engine, place, others: Mutex::default(), now_ms }
    }
}

#[async_trait]
impl<E: Clocked> Fixture for Clock<E> {
    fn engine(&self) -> Arc<dyn Engine> {
        self.engine.clone()
    }

    async fn second(&self) -> Arc<dyn Engine> {
        let Some(place) = &self.place else { return self.engine.detached() };
        let other = Arc::new(RedisEngine::connect(&place.url).await.expect("connect"));
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

/// The engines of a run, fresh and at the same time.
type Subjects = fn() -> Pin<Box<dyn Future<Output = Vec<Subject>> + Send>>;

fn all_engines() -> Pin<Box<dyn Future<Output = Vec<Subject>> + Send>> {
    Box::pin(subjects(start_ms()))
}

/// The first one is what the others are compared with.
async fn subjects(start_ms: u64) -> Vec<Subject> {
    let place = Place::fresh();
    let redis = RedisEngine::connect(&place.url).await.expect("connect");
    let sqlite = SqliteEngine::connect("sqlite::memory:").await.expect("connect");
    vec![
        Subject::new("redis", Clock::new(redis, Some(place), start_ms)),
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
async fn search(make: Subjects, seeds: Range<u64>, steps: usize) -> Option<(u64, Difference)> {
    let mut running = tokio::task::JoinSet::new();
    let mut seeds = seeds;
    let mut found: Option<(u64, Difference)> = None;
    let (mut done, total) = (0, seeds.end - seeds.start);
    loop {
        while found.is_none() && running.len() < AT_ONCE {
            let Some(seed) = seeds.next() else { break };
            running.spawn(async move {
                let steps = generate(seed, steps);
                (seed, run(&make().await, &steps).await)
            });
        }
        let Some(ended) = running.join_next().await else { return found };
        let (seed, result) = ended.expect("a sequence");
        done += 1;
        if done % TELL == 0 {
            eprintln!("{done} of {total} sequences");
        }
        if let Err(difference) = result
            && found.as_ref().is_none_or(|(other, _)| seed < *other)
        {
            found = Some((seed, difference));
        }
    }
}

/// The smallest case that can be made of a seed that fails.
async fn smallest(
    make: Subjects,
    seed: u64,
    steps: usize,
    found: &Difference,
) -> (Vec<Step>, Difference) {
    let mut steps = generate(seed, steps);
    steps.truncate(found.step + 1);
    let mut last = found.clone();
    let smaller = shrink(steps, async |steps| match run(&make().await, steps).await {
        Ok(()) => false,
        Err(difference) => {
            last = difference;
            true
        }
    });
    (smaller.await, last)
}

fn regressions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions")
}

/// Writes a failing sequence down; returns what to tell whoever runs the test.
fn keep(seed: u64, steps: usize, small: &[Step], difference: &Difference) -> String {
    let path = regressions().join(format!("seed_{seed}.jsonl"));
    let lines: Vec<_> = small.iter().map(Step::line).collect();
    let lines = lines.join("\n");
    let text = format!("# Seed {seed} of sequences of {steps} steps.\n{lines}\n");
    let kept = match std::fs::write(&path, text) {
        Ok(()) => format!("kept in {}: name it for what it shows and commit it", path.display()),
        Err(error) => format!("{} cannot be written ({error}): keep it", path.display()),
    };
    format!(
        "seed {seed} shows a difference; the smallest case:\n\n{lines}\n\n{difference}\n{kept}\n\
         the whole sequence again: MQ_STEPS={steps} ./ci differential 1 {seed}\n"
    )
}

/// Runs the sequences that were kept.
async fn what_once_differed() {
    let kept = std::fs::read_dir(regressions()).expect("the kept sequences");
    let mut paths: Vec<_> = kept.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a kept sequence");
        let steps = parse(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        if let Err(difference) = run(&all_engines().await, &steps).await {
            panic!("{}: {difference}", path.display());
        }
    }
}

#[test]
fn engines_do_the_same() {
    let (count, steps) = (number("MQ_SEQUENCES", SEQUENCES), number("MQ_STEPS", STEPS) as usize);
    let first = number("MQ_SEED", 1);
    let began = clock::now();
    block_on(async {
        what_once_differed().await;
        let seeds = first..first.saturating_add(count);
        let Some((seed, found)) = search(all_engines, seeds, steps).await else { return };
        let (small, difference) = smallest(all_engines, seed, steps, &found).await;
        panic!("{}", keep(seed, steps, &small, &difference));
    });
    let took_s = began.elapsed().as_secs();
    eprintln!("{count} sequences of {steps} steps from seed {first}: no difference, {took_s} s");
}

/// A mistake that an engine could have, on the way to one that has none.
type Mistake = fn(&mut Request);

const MISTAKES: [(&str, Mistake); 8] = [
    ("buries without the history", |request| {
        for end in ends(request) {
            if end.transition == Transition::Bury {
                end.history = None;
            }
        }
    }),
    ("hands jobs back in reverse order", |request| {
        let ends = ends(request);
        if ends.iter().all(|end| end.transition == Transition::Release) {
            ends.reverse();
        }
    }),
    ("forgets the priority of a job that waits for its time", |request| {
        for job in jobs(request) {
            if job.schedule != Schedule::Now {
                job.priority = Priority::Normal;
            }
        }
    }),
    ("forgets the key of a job that waits for its time", |request| {
        for job in jobs(request) {
            if job.schedule != Schedule::Now {
                job.idempotency_key = None;
            }
        }
    }),
    ("keeps nothing of a job that is cancelled", |request| {
        if let Request::Cancel { queue, ids } = request {
            *request = Request::Delete { queue: queue.clone(), ids: ids.clone() };
        }
    }),
    ("promotes one job less than it may", |request| {
        if let Request::Promote { limit, .. } = request {
            *limit = limit.saturating_sub(1);
        }
    }),
    ("gives workers less time after the store was away", |request| {
        if let Request::Reap(request) = request {
            request.lease /= 2;
        }
    }),
    ("leaves one dead letter more than it should", |request| {
        if let Request::Prune { limits, .. } | Request::PruneAll { limits, .. } = request {
            limits.dead_count += 1;
        }
    }),
];

fn ends(request: &mut Request) -> &mut [Finish] {
    match request {
        Request::Finish(ends) => ends,
        Request::Claim(request) => &mut request.finishes,
        _ => &mut [],
    }
}

fn jobs(request: &mut Request) -> &mut [NewJob] {
    match request {
        Request::Enqueue(jobs) => jobs,
        _ => &mut [],
    }
}

/// Two stores in memory, of which one makes a mistake.
fn one_mistaken<const AT: usize>() -> Pin<Box<dyn Future<Output = Vec<Subject>> + Send>> {
    let start_ms = start_ms();
    let subject =
        |name| Subject::new(name, Clock::new(MemoryEngine::new(start_ms), None, start_ms));
    let subjects = vec![subject("right"), subject("mistaken").bent(MISTAKES[AT].1)];
    Box::pin(async { subjects })
}

#[test]
fn every_planted_mistake_is_found_and_made_small() {
    const MISTAKEN: [Subjects; MISTAKES.len()] = [
        one_mistaken::<0>,
        one_mistaken::<1>,
        one_mistaken::<2>,
        one_mistaken::<3>,
        one_mistaken::<4>,
        one_mistaken::<5>,
        one_mistaken::<6>,
        one_mistaken::<7>,
    ];
    block_on(async {
        for (make, (mistake, _)) in MISTAKEN.into_iter().zip(MISTAKES) {
            let found = search(make, 1..SEQUENCES, STEPS as usize).await;
            let (seed, found) = found.unwrap_or_else(|| panic!("nobody sees that it {mistake}"));
            let (small, difference) = smallest(make, seed, STEPS as usize, &found).await;
            eprintln!("{mistake}: seed {seed}, {} steps\n{difference}", small.len());
            assert!(small.len() <= 8, "{mistake}: {small:#?}");
        }
    });
}
