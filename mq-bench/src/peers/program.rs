//! A program of `benches/peers/` while it runs. What it answers to is said in
//! `benches/peers/rust/src/lib.rs`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mq_core::clock;
use serde::de::DeserializeOwned;

use super::tree;
use crate::fail::Fail;

/// The most that is kept of what it says on the standard error.
const WORDS_MAX: usize = 4000;
/// How often is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(2);

/// Killed with everything that it has started, when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    words: Arc<Mutex<String>>,
    deadline: Instant,
}

impl Running {
    /// Starts a program that may take so long.
    pub(crate) fn start(mut command: Command, max: Duration) -> Result<Self, Fail> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child =
            command.spawn().map_err(|error| Fail::new(format!("{program}: {error}")))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let words = Arc::new(Mutex::new(String::new()));
        let (sender, lines) = channel();
        // Threads, because a pipe has no time limit.
        std::thread::spawn(move || {
            for line in stdout.into_iter().flat_map(|out| BufReader::new(out).lines()).flatten() {
                // Some greet the world on the standard output.
                if line.starts_with('{') && sender.send(line).is_err() {
                    break;
                }
            }
        });
        let heard = Arc::clone(&words);
        std::thread::spawn(move || stderr.map(|stderr| listen(stderr, &heard)));
        Ok(Self { child, lines, words, deadline: clock::now() + max })
    }

    /// Its next answer.
    pub(crate) fn answer<T: DeserializeOwned>(&mut self) -> Result<T, Fail> {
        let left = self.deadline.saturating_duration_since(clock::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => Ok(serde_json::from_str(&line)?),
            Err(RecvTimeoutError::Timeout) => {
                Err(Fail::new(format!("no answer in time; {}", self.last_words())))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(Fail::new(format!("ended without an answer; {}", self.last_words())))
            }
        }
    }

    /// Waits until it ends by itself, and well.
    pub(crate) fn end(mut self) -> Result<(), Fail> {
        while clock::now() < self.deadline {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    return Err(Fail::new(format!("{status}; {}", self.last_words())));
                }
                None => std::thread::park_timeout(LOOK),
            }
        }
        Err(Fail::new("did not end in time"))
    }

    /// CPU seconds so far, of all its processes.
    pub(crate) fn cpu_s(&self) -> f64 {
        tree::cpu_s(self.child.id())
    }

    /// What it said last, where it says what was wrong.
    fn last_words(&self) -> String {
        let words = self.words.lock().map_or_else(|_| String::new(), |words| words.clone());
        let lines = || words.lines().rev().map(str::trim).filter(|line| !line.is_empty());
        let telling = lines().find(|line| line.to_lowercase().contains("error"));
        telling.or_else(|| lines().next()).unwrap_or("it said nothing").to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = tree::kill9(self.child.id());
        let _ = self.child.wait();
    }
}

fn listen(mut stderr: impl Read, heard: &Mutex<String>) {
    let mut buffer = [0; 1024];
    while let Ok(len @ 1..) = stderr.read(&mut buffer) {
        let Ok(mut words) = heard.lock() else { return };
        words.push_str(&String::from_utf8_lossy(&buffer[..len]));
        let excess = words.len().saturating_sub(WORDS_MAX);
        let cut = (excess..=words.len()).find(|at| words.is_char_boundary(*at)).unwrap_or(0);
        words.drain(..cut);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn shell(script: &str, max: Duration) -> Running {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Running::start(command, max).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn answers_are_lines_of_json_among_others() {
        let mut program = shell("echo hello; echo '[1]'; echo '{\"a\": 7}'", LONG);
        assert_eq!(program.answer::<serde_json::Value>().unwrap()["a"], 7);
        program.end().unwrap();
        let fail = shell("echo 'no such queue' >&2; exit 4", LONG).end().unwrap_err().to_string();
        assert!(fail.contains('4'), "{fail}");
        // sleep: it hangs, which is the point.
        assert!(shell("sleep 600", Duration::ZERO).end().is_err());
    }

    #[test]
    fn a_program_that_fails_is_reported_with_its_last_words() {
        let script = "echo 'Traceback' >&2; echo 'KeyError: x' >&2; echo 'bye' >&2; exec >&-; wait";
        let mut program = shell(script, LONG);
        let fail = program.answer::<serde_json::Value>().unwrap_err().to_string();
        assert!(fail.starts_with("ended without an answer"), "{fail}");
        drop(program);
        assert!(Running::start(Command::new("no-such-program-here"), LONG).is_err());
    }

    #[test]
    fn one_that_hangs_is_killed_with_its_children() {
        // sleep: it hangs, which is the point.
        let mut program = shell("sleep 600 & echo \"{\\\"pid\\\": $!}\"; wait", LONG);
        let pid = program.answer::<serde_json::Value>().unwrap()["pid"].as_u64().unwrap();
        program.deadline = clock::now();
        assert!(program.answer::<serde_json::Value>().unwrap_err().to_string().contains("time"));
        drop(program);
        let is_gone = || {
            let stat =
                std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
            // A zombie is dead, too, whoever has to wait for it.
            stat.map_or(true, |stat| stat.contains(") Z "))
        };
        let deadline = clock::now() + LONG;
        while !is_gone() {
            assert!(clock::now() < deadline, "{pid} still runs");
            std::thread::yield_now();
        }
    }
}
