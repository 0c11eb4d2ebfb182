//! Processes that can be killed, frozen, thawed and asked to stop: workers, and producers too.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use mq_testkit::{Process, Recorder};

/// How the workers of a fleet are set up; handed over by environment variables.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The store.
    pub url: String,
    /// The history.
    pub history: PathBuf,
    /// The lease; recovery takes about this long.
    pub lease: Duration,
    /// Jobs at a time per process.
    pub concurrency: usize,
    /// How long a stop may take.
    pub grace: Duration,
    /// More variables, for a program that is no worker and for a disk that loses its power.
    pub more: Vec<(&'static str, String)>,
}

/// Worker processes; killed when dropped.
#[derive(Debug)]
pub struct Fleet {
    settings: Settings,
    program: PathBuf,
    recorder: Recorder,
    workers: Vec<Process>,
}

impl Settings {
    /// A command that starts this program with these settings.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("MQ_URL", &self.url)
            .env("MQ_HISTORY", &self.history)
            .env("MQ_LEASE_MS", self.lease.as_millis().to_string())
            .env("MQ_CONCURRENCY", self.concurrency.to_string())
            .env("MQ_GRACE_MS", self.grace.as_millis().to_string())
            // What is meant to panic need not say where from.
            .env("RUST_BACKTRACE", "0")
            .env_remove("MQ_FAIL")
            .envs(self.more.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null());
        command
    }
}

impl Fleet {
    /// Starts so many workers of this program (`env!("CARGO_BIN_EXE_mq-chaos-worker")`).
    pub fn start(program: &str, settings: Settings, count: usize) -> Self {
        let recorder = Recorder::open(&settings.history);
        let recorder = recorder.unwrap_or_else(|error| panic!("no history: {error}"));
        let program = program.into();
        let mut fleet = Self { settings, program, recorder, workers: Vec::new() };
        for _ in 0..count {
            fleet.add(None);
        }
        fleet
    }

    /// Starts one more worker, perhaps with a fail point, and returns its place.
    pub fn add(&mut self, fail: Option<&str>) -> usize {
        let worker = self.spawn(fail);
        self.workers.push(worker);
        self.workers.len() - 1
    }

    fn spawn(&self, fail: Option<&str>) -> Process {
        let mut command = self.settings.command(&self.program);
        if let Some(fail) = fail {
            command.env("MQ_FAIL", fail);
        }
        let process = Process::spawn(&mut command, &self.recorder);
        process.unwrap_or_else(|error| panic!("cannot start {:?}: {error}", self.program))
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
    pub fn worker(&mut self, at: usize) -> &mut Process {
        &mut self.workers[at]
    }

    /// Kills a worker as `kill -9` does and starts another in its place.
    pub fn replace(&mut self, at: usize) {
        self.workers[at].kill9();
        self.workers[at] = self.spawn(None);
    }

    /// Starts another in the place of each that has died by itself; returns how many had.
    pub fn revive(&mut self) -> usize {
        let mut dead = 0;
        for at in 0..self.workers.len() {
            if self.workers[at].exit_status().is_some() {
                dead += 1;
                self.workers[at] = self.spawn(None);
            }
        }
        dead
    }

    /// Kills all, as fast as one after the other can be.
    pub fn kill9(&mut self) {
        self.workers.iter_mut().for_each(Process::kill);
        self.workers.iter_mut().for_each(Process::kill9);
    }

    /// Asks all to stop and waits until they have; their exit codes in order.
    pub fn stop(mut self) -> Vec<Option<i32>> {
        // The number of one that is gone may be somebody else's by now.
        for worker in &mut self.workers {
            if worker.exit_status().is_none() {
                worker.thaw();
                worker.terminate();
            }
        }
        let limit = self.settings.grace + Duration::from_secs(20);
        let wait = |worker: &mut Process| worker.wait(limit).and_then(|s| s.code());
        self.workers.iter_mut().map(wait).collect()
    }
}
