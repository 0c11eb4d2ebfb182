//! One operation on its way through a transaction, as its caller and the thread that runs it see
//! it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use mq_core::engine::{EngineError, EngineErrorKind};
use tokio::sync::oneshot;

use crate::error::Result;
use crate::tx::Tx;

const QUEUED: u8 = 0;
const TAKEN: u8 = 1;
const GIVEN_UP: u8 = 2;

/// What an operation does to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It only looks.
    Read,
    /// It changes what is there, so that it needs next to no room.
    Write,
    /// It brings new jobs, and is the first to be refused when room is short.
    Grow,
}

/// One operation, whatever it brings.
pub(crate) trait Work: Send {
    fn mode(&self) -> Mode;
    /// Whether it is still wanted; from here on it cannot be called off.
    fn take(&self) -> bool;
    /// Runs it; the error if what it did must be undone. After that it may be run again.
    fn run(&mut self, tx: &mut Tx<'_>) -> std::result::Result<(), EngineErrorKind>;
    /// Tells the caller what it brought, or why the transaction as a whole failed.
    fn answer(self: Box<Self>, whole: Option<EngineError>);
}

struct Task<T, F> {
    mode: Mode,
    phase: Arc<AtomicU8>,
    operation: F,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

/// The caller's end of an operation.
pub(crate) struct Answer<T> {
    phase: Arc<AtomicU8>,
    reply: oneshot::Receiver<Result<T>>,
}

/// Makes an operation ready to be sent to a thread.
pub(crate) fn task<T, F>(mode: Mode, operation: F) -> (Box<dyn Work>, Answer<T>)
where
    T: Send + 'static,
    F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
{
    let (sender, reply) = oneshot::channel();
    let phase = Arc::new(AtomicU8::new(QUEUED));
    let answer = Answer { phase: Arc::clone(&phase), reply };
    (Box::new(Task { mode, phase, operation, result: None, reply: sender }), answer)
}

impl<T, F> Work for Task<T, F>
where
    T: Send,
    F: FnMut(&mut Tx<'_>) -> Result<T> + Send,
{
    fn mode(&self) -> Mode {
        self.mode
    }

    fn take(&self) -> bool {
        let order = Ordering::SeqCst;
        let taken = self.phase.compare_exchange(QUEUED, TAKEN, order, order);
        matches!(taken, Ok(_) | Err(TAKEN))
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> std::result::Result<(), EngineErrorKind> {
        let operation = &mut self.operation;
        // A panic must cost its caller an error and not everybody the thread. The savepoint is
        // rolled back, and `Tx::forget` drops what the operation may have left half done.
        let ran = catch_unwind(AssertUnwindSafe(|| {
            operation(tx).and_then(|value| tx.flush().map(|()| value))
        }));
        let result = ran.unwrap_or_else(|_| Err(panicked()));
        let kind = result.as_ref().err().map(EngineError::kind);
        self.result = Some(result);
        kind.map_or(Ok(()), Err)
    }

    fn answer(self: Box<Self>, whole: Option<EngineError>) {
        let result = match (whole, self.result) {
            // What it would have been refused for holds all the same.
            (_, Some(Err(error))) => Err(error),
            (Some(error), _) => Err(error),
            (None, Some(result)) => result,
            (None, None) => Err(gone()),
        };
        // The caller may have been dropped.
        let _ = self.reply.send(result);
    }
}

impl<T> Answer<T> {
    /// What the operation brought, once that is committed.
    pub(crate) async fn wait(self) -> Result<T> {
        self.reply.await.unwrap_or_else(|_| Err(gone()))
    }

    /// The same, but gives up after a time: as `Unavailable` if the operation was not begun and
    /// never will be, else as `Unknown`.
    pub(crate) async fn wait_within(self, deadline: Duration) -> Result<T> {
        match tokio::time::timeout(deadline, self.reply).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(gone())),
            Err(_) => {
                let order = Ordering::SeqCst;
                let never = self.phase.compare_exchange(QUEUED, GIVEN_UP, order, order).is_ok();
                Err(late(deadline, never))
            }
        }
    }
}

fn late(deadline: Duration, never: bool) -> EngineError {
    let (kind, text) = if never {
        let text = "nothing was stored; if it stays so, look for another process with a \
                    transaction that was left open";
        (EngineErrorKind::Unavailable, text)
    } else {
        let text = "it may still be stored; sending the same job ids again is safe, and \
                    enqueueing anew if the jobs have idempotency keys";
        (EngineErrorKind::Unknown, text)
    };
    EngineError::new(kind, format!("the database was busy for more than {deadline:?}: {text}"))
}

/// The error of those whose thread is not there any more.
pub(crate) fn gone() -> EngineError {
    let text = "the thread of the database has ended: connect again";
    EngineError::new(EngineErrorKind::Unknown, text)
}

fn panicked() -> EngineError {
    let text = "the operation panicked and changed nothing: please report this with its backtrace";
    EngineError::new(EngineErrorKind::Damaged, text)
}

/// One error for several callers. The cause stays with the first.
pub(crate) fn again(error: &EngineError) -> EngineError {
    EngineError::new(error.kind(), error.to_string())
}
