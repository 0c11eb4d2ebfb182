//! What a handler does that no handler should: F04 to F08 of the fault matrix.

use std::future::pending;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::Duration;

use mq_core::clock;
use serde::{Deserialize, Serialize};

/// How much [`Deed::Allocate`] takes at most, so that a test without a limit does not take the
/// machine along.
const ALLOCATED_MAX: usize = 8 << 30;

/// What a job does to its worker on its first attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Nothing.
    #[default]
    None,
    /// Panics with a text.
    Panic,
    /// Drops a value that panics then.
    PanicInDrop,
    /// Never ends, and panics when it is dropped.
    PanicWhenDropped,
    /// Panics in a task that it has spawned and waits for.
    PanicInTask,
    /// Panics with a value that is not a text.
    PanicWithNumber,
    /// Panics with a value that panics when it is dropped.
    PanicWithBomb,
    /// Fails with so many MiB of text.
    Shout(usize),
    /// Keeps its thread for so many ms, asleep.
    Block(u64),
    /// Keeps its thread for so many ms, and the processor with it.
    Spin(u64),
    /// Never ends, whatever it is told.
    Ignore,
    /// Ends the process as a program does that is done.
    Exit,
    /// Aborts the process, as a panic does in a program that is built with `panic = "abort"`.
    Abort,
    /// Calls itself until the stack is full.
    Overflow,
    /// Dies as a program does that reads where it must not.
    Segv,
    /// Takes memory until there is none. To be limited from outside.
    Allocate,
    /// Opens a file. To be limited from outside.
    OpenFile,
}

/// Panics when it is dropped, but never while a panic is under way: that would abort.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a value went off");
    }
}

impl Deed {
    /// Does it. The error is the handler's.
    pub(crate) async fn perform(self) -> Result<(), String> {
        match self {
            Self::None => Ok(()),
            Self::Panic => panic!("lost the plot"),
            Self::PanicInDrop => {
                drop(Bomb);
                Ok(())
            }
            Self::PanicWhenDropped => {
                let _bomb = Bomb;
                pending().await
            }
            Self::PanicInTask => {
                let task = tokio::spawn(async { panic!("lost the plot elsewhere") });
                task.await.map_err(|error| error.to_string())
            }
            Self::PanicWithNumber => std::panic::panic_any(42),
            Self::PanicWithBomb => std::panic::panic_any(Bomb),
            Self::Shout(size) => Err("no ".repeat((size << 20) / 3)),
            Self::Block(ms) => {
                until(ms, std::thread::park_timeout);
                Ok(())
            }
            Self::Spin(ms) => {
                until(ms, |_| std::hint::spin_loop());
                Ok(())
            }
            Self::Ignore => pending().await,
            Self::OpenFile => {
                std::fs::File::open("/dev/null").map(drop).map_err(|error| error.to_string())
            }
            Self::Exit => std::process::exit(0),
            Self::Abort => std::process::abort(),
            Self::Overflow => Err(overflow(1).to_string()),
            Self::Segv => Err(segv()),
            Self::Allocate => Err(allocate()),
        }
    }
}

/// Keeps the thread for so many ms.
fn until(ms: u64, pause: impl Fn(Duration)) {
    let end = clock::now() + Duration::from_millis(ms);
    while clock::now() < end {
        pause(end - clock::now());
    }
}

fn overflow(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    // Never so deep, which the compiler must not know.
    if black_box(depth) == u64::MAX { depth } else { frame[7] + overflow(depth + 1) }
}

/// From outside, because reading where one must not takes `unsafe`. More than once: the first
/// signal only makes Rust's own handler step back, which looks for full stacks.
fn segv() -> String {
    for _ in 0..100 {
        let script = format!("kill -SEGV {}", std::process::id());
        let _ = Command::new("sh").arg("-c").arg(script).stdin(Stdio::null()).status();
    }
    "survived SIGSEGV".to_owned()
}

fn allocate() -> String {
    const PIECE: usize = 16 << 20;
    let all: Vec<Vec<u8>> = (0..ALLOCATED_MAX / PIECE).map(|_| vec![0; PIECE]).collect();
    format!("there were {} pieces", black_box(all).len())
}
