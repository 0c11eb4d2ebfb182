//! Processes that can be killed, frozen, thawed and asked to stop: workers, and producers too.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use mq_core::clock;

/// How the workers of a fleet are set up; handed over by environment variables.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The store.
    pub url: String,
    /// The ledger.
    pub ledger: PathBuf,
    /// The lease; recovery takes about this long.
    pub lease: Duration,
    /// Jobs at a time per process.
    pub concurrency: usize,
    /// How long a stop may take.
    pub grace: Duration,
    /// More variables, for a program that is no worker and for a disk that loses its power.
    pub more: Vec<(&'static str, String)>,
}

/// One worker process.
#[derive(Debug)]
pub struct WorkerProcess {
    child: Child,
}

/// Worker processes; killed when dropped.
#[derive(Debug)]
pub struct Fleet {
    settings: Settings,
    program: PathBuf,
    workers: Vec<WorkerProcess>,
}

impl Fleet {
    /// Starts so many workers of this program (`env!("CARGO_BIN_EXE_mq-chaos-worker")`).
    pub fn start(program: &str, settings: Settings, count: usize) -> Self {
        let mut fleet = Self { settings, program: program.into(), workers: Vec::new() };
        for _ in 0..count {
            fleet.add(None);
        }
        fleet
    }

    /// Starts one more worker, perhaps with a fail point, and returns its place.
    pub fn add(&mut self, fail: Option<&str>) -> usize {
        let worker = WorkerProcess::spawn(&self.program, &self.settings, fail);
        self.workers.push(worker);
        self.workers.len() - 1
    }

    /// How many there are, dead ones included.
    pub fn len(&self) -> usize {
        self.workers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// A worker.
    pub fn worker(&mut self, at: usize) -> &mut WorkerProcess {
        &mut self.workers[at]
    }

    /// Kills a worker as `kill -9` does and starts another in its place.
    pub fn replace(&mut self, at: usize) {
        self.workers[at].kill9();
        self.workers[at] = WorkerProcess::spawn(&self.program, &self.settings, None);
    }

    /// Starts another in the place of each that has died by itself; returns how many had.
    pub fn revive(&mut self) -> usize {
        let mut dead = 0;
        for worker in &mut self.workers {
            if worker.exit_status().is_some() {
                dead += 1;
                *worker = WorkerProcess::spawn(&self.program, &self.settings, None);
            }
        }
        dead
    }

    /// Kills all, as fast as one after the other can be.
    pub fn kill9(&mut self) {
        for worker in &mut self.workers {
            let _ = worker.child.kill();
        }
        self.workers.iter_mut().for_each(WorkerProcess::kill9);
    }

    /// Asks all to stop and waits until they have; their exit codes in order.
    pub fn stop(mut self) -> Vec<Option<i32>> {
        // The number of one that is gone may be somebody else's by now.
        for worker in &mut self.workers {
            if worker.exit_status().is_none() {
                worker.signal("CONT");
                worker.signal("TERM");
            }
        }
        let limit = self.settings.grace + Duration::from_secs(20);
        let wait = |worker: &mut WorkerProcess| worker.wait(limit).and_then(|s| s.code());
        self.workers.iter_mut().map(wait).collect()
    }
}

impl WorkerProcess {
    fn spawn(program: &Path, settings: &Settings, fail: Option<&str>) -> Self {
        let mut command = Command::new(program);
        command
            .env("MQ_URL", &settings.url)
            .env("MQ_LEDGER", &settings.ledger)
            .env("MQ_LEASE_MS", settings.lease.as_millis().to_string())
            .env("MQ_CONCURRENCY", settings.concurrency.to_string())
            .env("MQ_GRACE_MS", settings.grace.as_millis().to_string())
            // What is meant to panic need not say where from.
            .env("RUST_BACKTRACE", "0")
            .envs(settings.more.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        match fail {
            Some(fail) => command.env("MQ_FAIL", fail),
            None => command.env_remove("MQ_FAIL"),
        };
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start {program:?}: {error}"));
        Self { child }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as `kill -9` does.
    pub fn kill9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends it a signal by name.
    pub fn signal(&self, signal: &str) {
        let script = format!("kill -{signal} {}", self.pid());
        let _ = Command::new("sh").arg("-c").arg(script).stderr(Stdio::null()).status();
    }

    /// How it ended, if it has.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Whether it is frozen by a SIGSTOP (`/proc` says `T`).
    pub fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()));
        let stat = stat.unwrap_or_default();
        // The state follows the program's name, which may itself contain spaces.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    }

    /// Waits until it ends, at most so long.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = clock::now() + limit;
        while clock::now() < deadline {
            if let Some(status) = self.exit_status() {
                return Some(status);
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.kill9();
    }
}
