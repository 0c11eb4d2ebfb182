//! A process that a test does harm to.

use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use mq_core::clock;

use crate::recorder::{Event, FREEZE, Recorder, STOP};

/// A child process, such as a worker. What is done to it is written into the history, without which
/// nobody could tell why its jobs ran again. Killed when dropped.
///
/// Signals need a Unix.
#[derive(Debug)]
pub struct Process {
    child: Child,
    recorder: Recorder,
    /// The fault that freezes it.
    frozen: Option<u64>,
}

impl Process {
    /// Starts a program. Its input is a pipe that ends with this process, so a program that reads
    /// it can end as well when the test is killed.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(command: &mut Command, recorder: &Recorder) -> io::Result<Self> {
        let child = command.stdin(Stdio::piped()).spawn()?;
        recorder.write(Event::Spawned { child: child.id() })?;
        Ok(Self { child, recorder: recorder.clone(), frozen: None })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as `kill -9` does, without waiting until it is gone.
    pub fn kill(&mut self) {
        if self.exit_status().is_none() {
            self.recorder.fault_began("kill", vec![self.pid()]);
            let _ = self.child.kill();
        }
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    pub fn kill9(&mut self) {
        self.kill();
        self.end();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Freezes it (SIGSTOP) until it is thawed.
    pub fn freeze(&mut self) {
        if self.frozen.is_none() {
            self.frozen = Some(self.recorder.fault_began(FREEZE, vec![self.pid()]));
        }
        self.signal("STOP");
    }

    /// Thaws it (SIGCONT).
    pub fn thaw(&mut self) {
        self.signal("CONT");
        if let Some(fault) = self.frozen.take() {
            self.recorder.fault_ended(fault);
        }
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        self.recorder.fault_began(STOP, vec![self.pid()]);
        self.signal("TERM");
    }

    /// Sends it a signal by name, without a word in the history.
    pub fn signal(&self, signal: &str) {
        // The shell's own `kill`: not every image has one as a program.
        let script = format!("kill -{signal} {}", self.pid());
        let _ = Command::new("sh").arg("-c").arg(script).stderr(Stdio::null()).status();
    }

    /// How it ended, if it has.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Whether it is frozen by a SIGSTOP (`/proc` says `T`; Linux only).
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

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
