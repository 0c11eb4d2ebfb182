//! Producers and workers in processes of their own: this program started anew in a [`Role`], so
//! that CPU time and memory are those of the role alone.
//!
//! Parent and child talk by lines of JSON on the child's standard input and output. A child ends
//! when its input does, so that none outlives its parent, however that one ends.

use std::io::{BufRead, BufReader, Write};
use std::process::{self, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use mq_core::clock;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::fail::Fail;
use crate::stop;

/// How long a child may take for one answer. Far more than any needs: it ends a hung measurement.
const ANSWER_MAX: Duration = Duration::from_secs(1200);

/// How often a parent that waits looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(100);

/// What a child can be: a name and a function that runs in the child's process.
///
/// The function makes its own runtime, see [`crate::runtime`], and is told what to do by
/// [`Wire::order`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Role {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Wire) -> Result<(), Fail>,
}

/// An answer of a child, or why there is none.
#[derive(Debug, Serialize, Deserialize)]
enum Answer<T> {
    Said(T),
    Failed(String),
}

/// A process in a role, as its parent sees it; killed when dropped.
#[derive(Debug)]
pub(crate) struct Child {
    name: &'static str,
    process: process::Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Child {
    /// Starts a process in a role and gives it its order.
    pub(crate) fn start(role: &Role, order: &impl Serialize) -> Result<Self, Fail> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["child", role.name]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take());
        let (sender, lines) = channel();
        // A thread, because a pipe has no time limit.
        std::thread::spawn(move || {
            for line in stdout.into_iter().flat_map(|out| BufReader::new(out).lines()).flatten() {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut child = Self { name: role.name, process, stdin, lines };
        child.say(order)?;
        Ok(child)
    }

    /// Starts a process in a role and waits until it is [`ready`](Wire::ready).
    pub(crate) fn ready(role: &Role, order: &impl Serialize) -> Result<Self, Fail> {
        let mut child = Self::start(role, order)?;
        child.hear::<()>()?;
        Ok(child)
    }

    /// Lets a child go on that is ready.
    pub(crate) fn go(&mut self) -> Result<(), Fail> {
        self.say(&())
    }

    /// Lets a child go on that is ready, and waits for its answer.
    pub(crate) fn finish<T: DeserializeOwned>(mut self) -> Result<T, Fail> {
        self.go()?;
        self.hear()
    }

    /// Sends it something.
    pub(crate) fn say(&mut self, word: &impl Serialize) -> Result<(), Fail> {
        let line = serde_json::to_string(word)? + "\n";
        let stdin = self.stdin.as_mut().ok_or_else(|| Fail::new("it has no input"));
        let said = stdin.and_then(|stdin| Ok(stdin.write_all(line.as_bytes())?));
        // If it is gone, what it said last tells why, and `hear` will find it.
        said.or(Ok(()))
    }

    /// Waits for its next answer.
    pub(crate) fn hear<T: DeserializeOwned>(&mut self) -> Result<T, Fail> {
        let answer = self.line().and_then(|line| Ok(serde_json::from_str(&line)?));
        let said = answer.and_then(|answer| match answer {
            Answer::Said(said) => Ok(said),
            Answer::Failed(text) => Err(Fail::new(text)),
        });
        said.map_err(|fail| fail.at(&format!("process `{}`", self.name)))
    }

    fn line(&self) -> Result<String, Fail> {
        let deadline = clock::now() + ANSWER_MAX;
        while clock::now() < deadline {
            match self.lines.recv_timeout(LOOK) {
                Ok(line) => return Ok(line),
                Err(RecvTimeoutError::Timeout) => stop::check()?,
                Err(RecvTimeoutError::Disconnected) => {
                    // Ctrl-C reaches children as well.
                    stop::check()?;
                    return Err(Fail::new("it ended without an answer"));
                }
            }
        }
        Err(Fail::new(format!("it gave no answer within {} s", ANSWER_MAX.as_secs())))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A child's line to its parent.
#[derive(Debug)]
pub(crate) struct Wire {
    lines: UnboundedReceiver<String>,
}

impl Wire {
    /// What the child is to do: what its parent gave to [`Child::start`]. Not inside a runtime.
    pub(crate) fn order<T: DeserializeOwned>(&mut self) -> Result<T, Fail> {
        let line = self.lines.blocking_recv().ok_or_else(gone)?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Answers the parent.
    pub(crate) fn say(&self, word: &impl Serialize) -> Result<(), Fail> {
        send(&Answer::Said(word))
    }

    /// Waits for a word of the parent.
    pub(crate) async fn hear<T: DeserializeOwned>(&mut self) -> Result<T, Fail> {
        let line = self.lines.recv().await.ok_or_else(gone)?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Says that all is prepared and waits for the word to go on.
    pub(crate) async fn ready(&mut self) -> Result<(), Fail> {
        self.say(&())?;
        self.hear().await
    }
}

fn gone() -> Fail {
    Fail::new("the parent is gone")
}

fn send<T: Serialize>(answer: &Answer<T>) -> Result<(), Fail> {
    crate::out::write(&(serde_json::to_string(answer)? + "\n"))
}

/// Plays a role until its function returns or the parent is gone.
pub(crate) fn play(role: &Role) -> Result<(), Fail> {
    let (sender, lines) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
        process::exit(0);
    });
    let played = (role.run)(Wire { lines });
    if let Err(fail) = &played {
        send(&Answer::<()>::Failed(fail.to_string()))?;
    }
    // The parent closes our input when it has read the answer, or kills us.
    loop {
        std::thread::park();
    }
}
