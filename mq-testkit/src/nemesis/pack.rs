//! Faults of processes.

use std::fmt;
use std::process::Command;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mq_core::clock;

use super::{Chance, Victim};
use crate::process::Process;
use crate::recorder::{Recorder, STOP};

/// Processes of one sort, such as workers: killed, frozen and asked to stop, with others started in
/// their place.
pub struct Pack {
    program: Box<dyn FnMut() -> Command + Send>,
    recorder: Recorder,
    lease: Duration,
    weights: [u32; 4],
    processes: Vec<(Process, Option<Instant>)>,
}

const KILL: &str = "kill";
const FREEZE: &str = "freeze";
const FREEZE_PAST_LEASE: &str = "freeze past the lease";

impl Pack {
    /// Starts so many. `lease` is that of the workers: freezes are shorter or longer than that.
    ///
    /// # Panics
    /// When the program cannot be started, also later.
    pub fn start(
        count: usize,
        lease: Duration,
        recorder: &Recorder,
        program: impl FnMut() -> Command + Send + 'static,
    ) -> Self {
        let (program, processes) = (Box::new(program), Vec::new());
        let weights = [4, 2, 2, 2];
        let mut pack = Self { program, recorder: recorder.clone(), lease, weights, processes };
        for _ in 0..count {
            let process = pack.spawn();
            pack.processes.push((process, None));
        }
        pack
    }

    /// How often a kill, a short freeze, one past the lease, and a stop happen, as weights.
    #[must_use]
    pub fn weights(self, weights: [u32; 4]) -> Self {
        Self { weights, ..self }
    }

    fn spawn(&mut self) -> Process {
        let process = Process::spawn(&mut (self.program)(), &self.recorder);
        process.unwrap_or_else(|error| panic!("cannot start a process: {error}"))
    }
}

#[async_trait]
impl Victim for Pack {
    fn faults(&self) -> Vec<(u32, &'static str)> {
        let names = [KILL, FREEZE, FREEZE_PAST_LEASE, STOP];
        self.weights.into_iter().zip(names).collect()
    }

    async fn suffer(&mut self, fault: &'static str, chance: &mut Chance<'_>) {
        if self.processes.is_empty() {
            return;
        }
        let at = chance.between(0, self.processes.len() as u64 - 1) as usize;
        let lease = self.lease.as_millis() as u64;
        let (process, until) = &mut self.processes[at];
        match fault {
            STOP => process.terminate(),
            FREEZE | FREEZE_PAST_LEASE => {
                process.freeze();
                let time = match fault {
                    FREEZE => chance.ms(1, lease / 2),
                    _ => chance.ms(lease * 5 / 4, lease * 2),
                };
                *until = Some(clock::now() + time);
            }
            _ => process.kill9(),
        }
    }

    async fn recover(&mut self, all: bool) {
        for at in 0..self.processes.len() {
            let (process, until) = &mut self.processes[at];
            if until.is_some_and(|until| all || clock::now() >= until) {
                *until = None;
                process.thaw();
            }
            if process.exit_status().is_some() {
                self.processes[at] = (self.spawn(), None);
            }
        }
    }
}

impl fmt::Debug for Pack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pack").field("processes", &self.processes).finish_non_exhaustive()
    }
}
