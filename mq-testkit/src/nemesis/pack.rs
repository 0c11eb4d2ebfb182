//! Faults of processes.

use std::fmt;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mq_core::clock;

use super::{Chance, Victim};
use crate::process::Process;
use crate::recorder::{FREEZE, Recorder, STOP};

/// Processes of one sort, such as workers: killed, frozen and asked to stop, with others started in
/// their place.
pub struct Pack {
    program: Box<dyn FnMut() -> Command + Send>,
    recorder: Recorder,
    lease: Duration,
    weights: [u32; 4],
    members: Vec<Member>,
    /// How many in a row have ended by themselves with nothing done.
    idle: u32,
}

#[derive(Debug)]
struct Member {
    process: Process,
    /// How it was started.
    command: String,
    /// Until when it is frozen.
    until: Option<Instant>,
    was_asked_to_stop: bool,
}

/// One may have met a store that was down. Two show that the program is none for this.
const IDLE_MAX: u32 = 2;

const KILL: &str = "kill";
const FREEZE_PAST_LEASE: &str = "freeze past the lease";

impl Pack {
    /// Starts so many. `lease` is that of the workers: freezes are shorter or longer than that.
    ///
    /// # Panics
    /// When the program cannot be started, also later; or when it ends by itself without an error
    /// and has written nothing into the history, which no worker does.
    pub fn start(
        count: usize,
        lease: Duration,
        recorder: &Recorder,
        program: impl FnMut() -> Command + Send + 'static,
    ) -> Self {
        let (program, recorder) = (Box::new(program), recorder.clone());
        let (weights, members) = ([4, 2, 2, 2], Vec::new());
        let mut pack = Self { program, recorder, lease, weights, members, idle: 0 };
        for _ in 0..count {
            let member = pack.spawn();
            pack.members.push(member);
        }
        pack
    }

    /// How often a kill, a short freeze, one past the lease, and a stop happen, as weights.
    #[must_use]
    pub fn weights(self, weights: [u32; 4]) -> Self {
        Self { weights, ..self }
    }

    fn spawn(&mut self) -> Member {
        let mut command = (self.program)();
        let process = Process::spawn(&mut command, &self.recorder);
        let process = process.unwrap_or_else(|error| panic!("cannot start a process: {error}"));
        let command = format!("{command:?}");
        Member { process, command, until: None, was_asked_to_stop: false }
    }

    /// To be started again for ever, a program that does nothing would only make the test wait.
    fn look_at_the_end(&mut self, at: usize, status: ExitStatus) {
        let member = &self.members[at];
        if member.was_asked_to_stop || !status.success() {
            return;
        }
        // A history that cannot be read is told of by whoever reads all of it.
        if self.recorder.has_heard_of(member.process.pid()).unwrap_or(true) {
            self.idle = 0;
            return;
        }
        self.idle += 1;
        assert!(
            self.idle < IDLE_MAX,
            "the child ran no worker: it ended by itself, without an error and without a word in \
             the history. If it is a test program, give it the name of the test that runs the \
             worker (`--exact NAME`, with its modules) and the variables that this test waits for; \
             and let the worker have a client from `Recorder::watch`. It was {}",
            member.command
        );
    }
}

#[async_trait]
impl Victim for Pack {
    fn faults(&self) -> Vec<(u32, &'static str)> {
        let names = [KILL, FREEZE, FREEZE_PAST_LEASE, STOP];
        self.weights.into_iter().zip(names).collect()
    }

    async fn suffer(&mut self, fault: &'static str, chance: &mut Chance<'_>) {
        if self.members.is_empty() {
            return;
        }
        let at = chance.between(0, self.members.len() as u64 - 1) as usize;
        let lease = self.lease.as_millis() as u64;
        let Member { process, until, was_asked_to_stop, .. } = &mut self.members[at];
        match fault {
            STOP => {
                *was_asked_to_stop = true;
                process.terminate();
            }
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
        for at in 0..self.members.len() {
            let Member { process, until, .. } = &mut self.members[at];
            if until.is_some_and(|until| all || clock::now() >= until) {
                *until = None;
                process.thaw();
            }
            if let Some(status) = process.exit_status() {
                self.look_at_the_end(at, status);
                self.members[at] = self.spawn();
            }
        }
    }
}

impl fmt::Debug for Pack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pack").field("members", &self.members).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pack of one that runs this script, with the history as its first argument.
    fn pack(folder: &tempfile::TempDir, script: &'static str) -> Pack {
        let history = folder.path().join("history");
        let recorder = Recorder::open(&history).unwrap();
        Pack::start(1, Duration::from_secs(1), &recorder, move || {
            let mut command = Command::new("sh");
            command.args(["-c", script, "sh"]).arg(&history);
            command
        })
    }

    async fn ends(pack: &mut Pack, times: usize) {
        for _ in 0..times {
            pack.members[0].process.wait(Duration::from_secs(10)).expect("it ends");
            pack.recover(true).await;
        }
    }

    #[tokio::test]
    #[should_panic(expected = "the child ran no worker")]
    async fn a_program_that_does_nothing_is_told_of_at_once() {
        let folder = tempfile::tempdir().unwrap();
        ends(&mut pack(&folder, "exit 0"), 2).await;
    }

    #[tokio::test]
    async fn one_that_has_done_something_or_failed_or_was_stopped_is_followed_by_another() {
        let folder = tempfile::tempdir().unwrap();
        let writes = r#"echo '{"at_ns":1,"process":'$$',"event":"note","text":""}' >>"$1""#;
        ends(&mut pack(&folder, writes), 3).await;
        ends(&mut pack(&folder, "exit 1"), 3).await;
        // One whose stop was asked for ends with 0 as well.
        let mut stopped = pack(&folder, "exit 0");
        for _ in 0..3 {
            stopped.members[0].was_asked_to_stop = true;
            ends(&mut stopped, 1).await;
        }
    }
}
