//! The worker processes: start, kill, start again, stop.

use std::hash::{BuildHasher as _, RandomState};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::args::WorkerArgs;

/// Workers that end by themselves are started again, but not for ever.
const DEATHS_MAX: u32 = 5;

pub(crate) struct Fleet {
    args: WorkerArgs,
    workers: Vec<Child>,
    next_kill: Option<Instant>,
    pub(crate) kills: u32,
    deaths: u32,
}

impl Fleet {
    pub(crate) fn start(args: WorkerArgs, count: usize, kill: bool) -> anyhow::Result<Self> {
        let workers = (0..count).map(|_| spawn(&args)).collect::<anyhow::Result<_>>()?;
        let next_kill = kill.then(|| Instant::now() + pause());
        Ok(Self { args, workers, next_kill, kills: 0, deaths: 0 })
    }

    /// Kills when it is time to, and replaces workers that are gone.
    pub(crate) async fn tend(&mut self) -> anyhow::Result<()> {
        if self.next_kill.is_some_and(|at| at <= Instant::now()) {
            let victim = chance(self.workers.len() as u64) as usize;
            let worker = &mut self.workers[victim];
            // SIGKILL: the worker cannot say goodbye to anybody.
            worker.kill().await.context("cannot kill a worker")?;
            *worker = spawn(&self.args)?;
            self.kills += 1;
            self.next_kill = Some(Instant::now() + pause());
        }
        for worker in &mut self.workers {
            if let Some(status) = worker.try_wait()? {
                self.deaths += 1;
                if self.deaths > DEATHS_MAX {
                    bail!("workers keep ending by themselves, the last one with {status}");
                }
                *worker = spawn(&self.args)?;
            }
        }
        Ok(())
    }

    /// Stops them gracefully.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        for worker in &mut self.workers {
            drop(worker.stdin.take());
        }
        for worker in &mut self.workers {
            let stopped = tokio::time::timeout(Duration::from_secs(40), worker.wait()).await;
            stopped.context("a worker did not stop within 40 s")??;
        }
        Ok(())
    }
}

fn spawn(args: &WorkerArgs) -> anyhow::Result<Child> {
    Command::new(std::env::current_exe()?)
        .arg("worker")
        .args(args.words())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start a worker process")
}

/// One to two seconds.
fn pause() -> Duration {
    Duration::from_millis(1000 + chance(1000))
}

/// A random number below `end`. The hasher's keys are random, and that is enough here.
fn chance(end: u64) -> u64 {
    RandomState::new().hash_one(()) % end.max(1)
}
