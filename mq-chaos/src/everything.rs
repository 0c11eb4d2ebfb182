//! All faults at once, on a bit of all that applications do.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mq_core::engine::{EngineError, ListRequest};
use mq_core::rng::Rng;
use mq_core::{Client, JobId, QueueName, State, clock};
use mq_testkit::{
    Chance, Lasting, Nemesis, Network, Pack, Proxy, RedisServer, Rules, Server, Verdict, Victim,
};
use tokio::task::JoinHandle;

use crate::file::{File, Lock};
use crate::fleet::Settings;
use crate::fsck;
use crate::producer::{LOAD, PACE};
use crate::scene::{Scene, lasts};
use crate::workload::MAX_ATTEMPTS;

/// Short, so that a run has many takeovers.
const LEASE: Duration = Duration::from_secs(2);
/// The longest pause between two faults.
const PACE_MAX: Duration = Duration::from_millis(500);
/// What P7 promises of a worker's death at defaults, and more than a shorter lease needs.
const RECOVERY_MAX: Duration = Duration::from_secs(20);
/// The longest run; nothing takes so long but a queue that stands still.
const RUN_MAX: Duration = Duration::from_secs(1_800);

/// How much happens in one run.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// At least so many jobs are acknowledged.
    pub jobs: usize,
    /// At least so many faults happen.
    pub faults: usize,
}

/// What is run, as the command that does it again.
#[derive(Debug)]
struct Order {
    engine: &'static str,
    seed: u64,
    size: Size,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, seed, size: Size { jobs, faults } } = self;
        write!(f, "MQ_SEED={seed} MQ_SEEDS=1 MQ_JOBS={jobs} MQ_FAULTS={faults} ")?;
        write!(f, "./ci chaos commit f97_everything_at_once_on_")?;
        f.write_str(engine)
    }
}

/// The programs that suffer.
#[derive(Debug, Clone, Copy)]
pub struct Programs {
    /// `mq-chaos-worker`.
    pub worker: &'static str,
    /// `mq-chaos-producer`.
    pub producer: &'static str,
    /// The planted mistake that both have, if any: then the verdict need not be clean.
    pub mutant: Option<u8>,
}

/// F97 on a Redis server that keeps an append-only file: processes, server and network suffer.
///
/// # Panics
/// When something is wrong that nobody has planted.
pub async fn on_redis(programs: Programs, seed: u64, size: Size) -> Verdict {
    // Not `everysec`: that answers before it writes while a sync is under way, so that on a busy
    // machine a kill takes what a power cut would. F21 is about what is lost then.
    let server = RedisServer::on_a_fast_disk(&["--appendonly", "yes", "--appendfsync", "always"]);
    let proxy = Arc::new(Proxy::start(server.port()).await);
    // The operator and the verdict reach the server by a way of their own.
    let scene = Scene::new(&server.url()).await;
    let mut settings = settings(programs, &scene);
    settings.url = proxy.url();
    let workers = workers(programs, &scene, &settings, [4, 2, 2, 2]);
    let nemesis = Nemesis::new(seed, scene.recorder());
    let nemesis = nemesis.victim(workers).victim(Server::new(server)).victim(Network::new(&proxy));
    run(programs, &scene, &settings, nemesis, &Order { engine: "redis", seed, size }).await
}

/// F97 on a file: most faults are kills, and at times somebody else has the write lock.
///
/// # Panics
/// When something is wrong that nobody has planted.
pub async fn on_a_file(programs: Programs, seed: u64, size: Size) -> Verdict {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder: {error}"));
    let file = File::in_folder(folder.path());
    let scene = Scene::new(&file.url("normal")).await;
    let settings = settings(programs, &scene);
    let workers = workers(programs, &scene, &settings, [12, 1, 1, 1]);
    let nemesis = Nemesis::new(seed, scene.recorder());
    let nemesis = nemesis.victim(workers).victim(Locks { file: file.clone(), lock: None });
    let order = Order { engine: "a_file", seed, size };
    let verdict = run(programs, &scene, &settings, nemesis, &order).await;
    file.assert_whole();
    verdict
}

fn settings(programs: Programs, scene: &Scene) -> Settings {
    let mut settings = scene.settings(LEASE);
    settings.more.extend(programs.mutant.map(|mutant| ("MQ_MUTANT", mutant.to_string())));
    settings
}

fn workers(programs: Programs, scene: &Scene, settings: &Settings, weights: [u32; 4]) -> Pack {
    let (settings, program) = (settings.clone(), PathBuf::from(programs.worker));
    let log = scene.dir().join("workers.log");
    let command = move || {
        let mut command = settings.command(&program);
        command.stderr(appended(&log));
        command
    };
    Pack::start(3, LEASE, scene.recorder(), command).weights(weights)
}

/// Producers, each with a workload of its own; the one that follows a dead one has another.
fn producers(programs: Programs, scene: &Scene, settings: &Settings, seed: u64) -> Pack {
    let (settings, program) = (settings.clone(), PathBuf::from(programs.producer));
    let log = scene.dir().join("producers.log");
    let mut rng = Rng::seeded(!seed);
    let command = move || {
        let mut command = settings.command(&program);
        command.env(PACE, "30").env(LOAD, rng.next_u64().to_string()).stderr(appended(&log));
        command
    };
    Pack::start(2, LEASE, scene.recorder(), command).weights([4, 1, 1, 0])
}

/// Where a process writes what it says; it is of use when a run has failed.
fn appended(path: &Path) -> std::fs::File {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    file.unwrap_or_else(|error| panic!("cannot open {path:?}: {error}"))
}

async fn run(
    programs: Programs,
    scene: &Scene,
    settings: &Settings,
    mut nemesis: Nemesis,
    order: &Order,
) -> Verdict {
    let &Order { seed, size, .. } = order;
    let producers = producers(programs, scene, settings, seed);
    let mut of_producers = Nemesis::new(!seed, scene.recorder()).victim(producers);
    let mut rng = Rng::seeded(seed ^ 0x5eed);
    let operator = Operator::start(scene, rng.next_u64());
    let deadline = clock::now() + RUN_MAX;
    let mut faults = 0;
    while faults < size.faults || scene.acks() < size.jobs {
        assert!(clock::now() < deadline, "seed {seed}: {} of {size:?}", scene.acks());
        // Also when enough have happened: who waits for jobs must not do so in peace.
        let victim = if rng.between(0, 4) == 0 { &mut of_producers } else { &mut nemesis };
        faults += usize::from(victim.strike().await.is_some());
        let until =
            clock::now() + Duration::from_millis(rng.between(0, PACE_MAX.as_millis() as u64));
        while clock::now() < until {
            nemesis.recover().await;
            of_producers.recover().await;
            lasts(Duration::from_millis(10)).await;
        }
    }
    eprintln!("{faults} faults, {} acknowledged", scene.acks());
    of_producers.heal().await;
    drop(of_producers);
    nemesis.heal().await;
    operator.stop().await;
    scene.rest_but_for(&mut nemesis).await;
    let wrong = fsck(&scene.client, &scene.url).await;
    assert!(wrong.is_empty(), "fsck of `{order}`: {wrong:#?}");
    let rules = Rules {
        concurrency: Some(settings.concurrency),
        lease: LEASE,
        recovery: Some(RECOVERY_MAX),
        max_attempts: Some(MAX_ATTEMPTS),
        deaths_recorded: true,
        ..Rules::default()
    };
    if programs.mutant.is_some() {
        return scene.verdict(&rules).await;
    }
    scene.assert_clean(&rules, &order.to_string()).await
}

/// An operator who does something with some job, again and again.
struct Operator {
    is_over: Arc<AtomicBool>,
    work: JoinHandle<()>,
}

impl Operator {
    fn start(scene: &Scene, seed: u64) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, client, queue) = (is_over.clone(), scene.client.clone(), scene.queue.clone());
        let work = tokio::spawn(async move {
            let mut rng = Rng::seeded(seed);
            while !over.load(Ordering::Relaxed) {
                // The store may be away just now.
                let _ = operate(&client, &queue, &mut rng).await;
                lasts(Duration::from_millis(200)).await;
            }
        });
        Self { is_over, work }
    }

    async fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.work.await.unwrap_or_else(|error| panic!("the operator: {error}"));
    }
}

async fn operate(client: &Client, queue: &QueueName, rng: &mut Rng) -> Result<(), EngineError> {
    let engine = client.engine();
    let states = [State::Ready, State::Scheduled, State::Running, State::Dead, State::Cancelled];
    let state = states[rng.between(0, states.len() as u64 - 1) as usize];
    let request = ListRequest { queue: queue.clone(), state, cursor: None, limit: 20 };
    let page = engine.list(request).await?;
    let Some(job) = page.jobs.get(rng.between(0, 19) as usize) else { return Ok(()) };
    let ids: &[JobId] = &[job.id];
    match rng.between(0, 9) {
        0..=2 => engine.cancel(queue, ids).await?,
        3..=4 => engine.retry(queue, ids, None).await?,
        5..=6 => engine.run_now(queue, ids).await?,
        7..=8 => engine.delete(queue, ids).await?,
        _ => engine.discard(queue, ids).await?,
    };
    Ok(())
}

/// Another program with a transaction that it leaves open.
#[derive(Debug)]
struct Locks {
    file: File,
    lock: Option<(Lock, Lasting)>,
}

const LOCK: &str = "lock the file";

#[async_trait]
impl Victim for Locks {
    fn faults(&self) -> Vec<(u32, &'static str)> {
        vec![(u32::from(self.lock.is_none()), LOCK)]
    }

    async fn suffer(&mut self, fault: &'static str, chance: &mut Chance<'_>) {
        let time = chance.ms(50, 1_500);
        // Not waited for: who has it may be frozen, and is thawed by the one that waited.
        let lock = self.file.try_lock();
        self.lock = lock.map(|lock| (lock, chance.begin(fault).for_time(time)));
    }

    async fn recover(&mut self, all: bool) {
        if let Some((lock, lasting)) = self.lock.take_if(|(_, it)| all || it.is_over()) {
            drop(lock);
            lasting.finish();
        }
    }
}
