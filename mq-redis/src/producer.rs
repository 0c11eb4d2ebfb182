//! Enqueueing: callers share requests, and no job is stored twice or lost in silence.
//!
//! Everything that has been asked for while a request was under way goes as the next one. That is
//! the batching: a lone caller waits for one round trip and nothing else, a thousand callers share
//! one.
//!
//! Requests are numbered and strictly one at a time, and the store remembers the last number that
//! it has applied. When an answer is lost, the old connection is ended on the server, so that the
//! request cannot be applied later, and `enqueue.lua` is asked with the same number, which either
//! finds it applied or applies it. Only then comes the next request.

mod aggregator;
mod batch;
mod fresh;
mod line;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use mq_core::engine::{BATCH_MAX, EngineError, EngineErrorKind, EnqueueReply, NewJob};
use mq_core::{clock, mutant};
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::timeout_at;

use self::aggregator::Aggregator;
use self::line::{Lead, Line};
use crate::keys::Keys;
use crate::link::Link;
use crate::time::Time;

/// The entrance for new jobs.
#[derive(Debug)]
pub(crate) struct Producer {
    link: Link,
    keys: Keys,
    time: Time,
    line: Arc<Line>,
}

type Answer = Result<Vec<EnqueueReply>, EngineError>;

/// The jobs of one caller.
#[derive(Debug)]
struct Call {
    stage: AtomicU8,
    jobs: Mutex<Vec<NewJob>>,
}

/// A call in the hands of the aggregator. The sender is not part of the call, so that the caller
/// learns of it when the aggregator is dropped together with its runtime.
#[derive(Debug)]
struct Ticket {
    call: Arc<Call>,
    reply: oneshot::Sender<Answer>,
}

/// Nothing of the call has been sent.
const WAITING: u8 = 0;
/// It is in a request.
const SENT: u8 = 1;
/// The caller is gone, and nothing had been sent.
const WITHDRAWN: u8 = 2;
/// The caller is gone, and its jobs may or may not be stored.
const ABANDONED: u8 = 3;

impl Producer {
    /// A producer; it starts to work when it is first used.
    pub(crate) fn new(link: Link, keys: Keys, time: Time) -> Self {
        Self { link, keys, time, line: Arc::default() }
    }

    /// Stores jobs; see [`Engine::enqueue`](mq_core::engine::Engine::enqueue).
    ///
    /// Dropping the future takes the jobs back if they have not been sent yet.
    pub(crate) async fn enqueue(
        &self,
        jobs: Vec<NewJob>,
        patience: Duration,
    ) -> Result<Vec<EnqueueReply>, EngineError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        if jobs.len() > BATCH_MAX {
            let message = format!(
                "{} jobs in one request: at most {BATCH_MAX} are allowed, split them",
                jobs.len()
            );
            return Err(EngineError::new(EngineErrorKind::Invalid, message));
        }
        // Ten years, so that this process's idea of the server's time is exact enough.
        NewJob::check_schedules(&jobs, self.time.now().guess_ms)?;
        let deadline = clock::now().checked_add(patience);
        let call = Arc::new(Call::new(jobs));
        let mut guard = Guard(&call, false);
        let mut turn = self.hand_over(&call);
        loop {
            let outcome = match deadline {
                Some(at) => timeout_at(at.into(), turn.answer()).await,
                None => Ok(turn.answer().await),
            };
            match outcome {
                Ok(Ok(result)) => {
                    guard.1 = true;
                    return result;
                }
                // The runtime that the aggregator lived on has ended.
                Ok(Err(_)) if call.stage.load(Ordering::Acquire) == WAITING => {
                    turn = self.hand_over(&call);
                }
                Ok(Err(_)) => return Err(unknown(&self.link, patience)),
                Err(_) => {
                    guard.1 = true;
                    return Err(match call.give_up() {
                        WAITING => unavailable(&self.link, patience),
                        _ => unknown(&self.link, patience),
                    });
                }
            }
        }
    }

    /// Gives a call to the aggregator, which is made if there is none or its runtime has ended.
    fn hand_over(&self, call: &Arc<Call>) -> Turn {
        let (reply, answer) = oneshot::channel();
        let ticket = Ticket { call: call.clone(), reply };
        let lead = self.line.join(ticket, || {
            let line = Arc::downgrade(&self.line);
            let (link, keys, time) = (self.link.clone(), self.keys.clone(), self.time.clone());
            Box::pin(Aggregator::new(link, keys, time, line).run())
        });
        Turn { lead, answer }
    }
}

/// What a caller hears when the store answers so to a request of its jobs alone; nothing if the
/// request would be sent again.
#[cfg(feature = "fuzzing")]
pub(crate) fn heard(jobs: Vec<NewJob>, values: &[redis::Value], is_plain: bool) -> Option<Answer> {
    let call = Arc::new(Call::new(Vec::new()));
    let (reply, mut answer) = oneshot::channel();
    let mode = if is_plain { batch::Mode::Plain } else { batch::Mode::Script };
    let mut batch = batch::Batch::new(1, vec![(Ticket { call, reply }, jobs)]);
    let (mut pipeline, keys) = (redis::Pipeline::new(), Keys::new("mq"));
    batch.write(mode, &mut pipeline, &keys, "p", &Time::default().now());
    let rest = batch.settle(mode, values, true);
    batch.answer();
    (rest == batch::Rest::Nothing).then(|| answer.try_recv().ok()).flatten()
}

/// A caller's place in the line.
struct Turn {
    lead: Option<Lead>,
    answer: oneshot::Receiver<Answer>,
}

impl Turn {
    /// What the caller waits for; it does the work for all meanwhile, if that is its part.
    async fn answer(&mut self) -> Result<Answer, oneshot::error::RecvError> {
        poll_fn(|cx| {
            let leads = self.lead.as_ref().is_some_and(|lead| lead.poll(cx));
            if !leads {
                return Pin::new(&mut self.answer).poll(cx);
            }
            // Without a waker: the task that sends the answer would wake itself, which costs a
            // lone producer a third of its speed.
            match self.answer.try_recv() {
                Ok(answer) => Poll::Ready(Ok(answer)),
                Err(TryRecvError::Empty) => Poll::Pending,
                Err(TryRecvError::Closed) => Pin::new(&mut self.answer).poll(cx),
            }
        })
        .await
    }
}

impl Call {
    fn new(jobs: Vec<NewJob>) -> Self {
        Self { stage: AtomicU8::new(WAITING), jobs: Mutex::new(jobs) }
    }

    /// The caller leaves. Returns the stage it was in.
    fn give_up(&self) -> u8 {
        let left =
            self.stage.compare_exchange(WAITING, WITHDRAWN, Ordering::AcqRel, Ordering::Acquire);
        match left {
            Ok(_) => {
                // Not left to the queue: in an outage that would be all that is ever enqueued.
                drop(self.take_jobs());
                WAITING
            }
            Err(stage) => {
                let _ = self.stage.compare_exchange(
                    SENT,
                    ABANDONED,
                    Ordering::AcqRel,
                    Ordering::Acquire,
                );
                stage
            }
        }
    }

    /// The jobs, for sending; none if the caller has gone.
    fn begin(&self) -> Option<Vec<NewJob>> {
        let begun = self.stage.compare_exchange(WAITING, SENT, Ordering::AcqRel, Ordering::Acquire);
        begun.is_ok().then(|| self.take_jobs())
    }

    fn is_waiting(&self) -> bool {
        self.stage.load(Ordering::Acquire) == WAITING
    }

    fn is_abandoned(&self) -> bool {
        self.stage.load(Ordering::Acquire) == ABANDONED
    }

    fn take_jobs(&self) -> Vec<NewJob> {
        std::mem::take(&mut *self.jobs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the jobs while they wait.
    fn with_jobs<T>(&self, look: impl FnOnce(&[NewJob]) -> T) -> T {
        look(&self.jobs.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Takes a call back when its caller drops the future.
struct Guard<'a>(&'a Call, bool);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.give_up();
        }
    }
}

fn unavailable(link: &Link, patience: Duration) -> EngineError {
    let message = format!(
        "the jobs were not stored: {} was not reached or was busy with other jobs for \
         {patience:.1?}; check that the server runs, or allow more time",
        link.settings()
    );
    with_cause(EngineError::new(EngineErrorKind::Unavailable, message), link)
}

fn unknown(link: &Link, patience: Duration) -> EngineError {
    let message = format!(
        "the jobs were sent, and no answer came within {patience:.1?}: they may or may not be \
         stored; sending the same job ids again is safe, and enqueueing anew if the jobs have \
         idempotency keys"
    );
    let is_wrong = mutant::is(15);
    let kind = if is_wrong { EngineErrorKind::Unavailable } else { EngineErrorKind::Unknown };
    with_cause(EngineError::new(kind, message), link)
}

/// Why there is no connection, if there is none.
fn with_cause(error: EngineError, link: &Link) -> EngineError {
    match link.cause() {
        Some(cause) => error.with_source(cause),
        None => error,
    }
}
