//! The one thread that uses the connection. It takes whatever operations are queued, runs each in
//! a savepoint of one transaction, commits, and only then answers: callers that come together pay
//! for one commit.
//!
//! Questions run here as well, so they wait for writers; connections of their own for readers are
//! an optimisation that changes no answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use mq_core::QueueName;
use mq_core::engine::{EngineError, EngineErrorKind};
use mq_core::failpoint::point;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{self, Result};
use crate::hub::Hub;
use crate::syncer::Syncer;
use crate::time::Time;
use crate::tx::{Tx, Wake};

/// Operations in one transaction: enough to share the cost of a commit, few enough to be fair to
/// other processes.
const GROUP_MAX: usize = 256;
/// How often the file is looked at for the commits of other processes, while somebody waits.
const LOOK: Duration = Duration::from_millis(20);

const QUEUED: u8 = 0;
const TAKEN: u8 = 1;
const GIVEN_UP: u8 = 2;

/// Whether an operation changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    Write,
}

/// The way to the writer's thread. The thread ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    queue: Sender<Message>,
}

enum Message {
    Work(Box<dyn Work>),
    /// Somebody waits: look at the file for what others did.
    Look,
}

/// One operation on its way through a transaction.
trait Work: Send {
    fn mode(&self) -> Mode;
    /// Whether it is still wanted; from here on it cannot be called off.
    fn take(&self) -> bool;
    /// Runs it; false if what it did must be undone.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Tells the caller what it brought, or why the transaction as a whole failed.
    fn answer(self: Box<Self>, whole: Option<EngineError>);
}

struct Task<T, F> {
    mode: Mode,
    phase: Arc<AtomicU8>,
    operation: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Work for Task<T, F>
where
    T: Send,
    F: FnOnce(&mut Tx<'_>) -> Result<T> + Send,
{
    fn mode(&self) -> Mode {
        self.mode
    }

    fn take(&self) -> bool {
        let order = Ordering::SeqCst;
        self.phase.compare_exchange(QUEUED, TAKEN, order, order).is_ok()
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let Some(operation) = self.operation.take() else { return false };
        let result = operation(tx).and_then(|value| tx.flush().map(|()| value));
        let is_good = result.is_ok();
        self.result = Some(result);
        is_good
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

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(
        conn: Connection,
        time: Time,
        hub: Arc<Hub>,
        syncer: Option<Syncer>,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = channel();
        let state = Thread { conn, time, hub, syncer, queues: HashMap::new(), version: 0 };
        std::thread::Builder::new()
            .name("mq-sqlite".to_owned())
            .spawn(move || state.run(&receiver))?;
        Ok(Self { queue: sender })
    }

    fn send(&self, message: Message) -> Result<()> {
        self.queue.send(message).map_err(|_| gone())
    }

    /// Has the file looked at for what other processes did.
    pub(crate) fn look(&self) -> Result<()> {
        self.send(Message::Look)
    }

    /// Runs an operation inside the next transaction and returns what it brought, once that is
    /// committed.
    pub(crate) async fn run<T, F>(&self, mode: Mode, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let (phase, operation) = (Arc::default(), Some(operation));
        let task = Task { mode, phase, operation, result: None, reply };
        self.send(Message::Work(Box::new(task)))?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// As [`run`](Self::run), but gives up after a time: as `Unavailable` if the operation was not
    /// begun and never will be, else as `Unknown`.
    pub(crate) async fn run_within<T, F>(&self, deadline: Duration, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let phase = Arc::new(AtomicU8::new(QUEUED));
        let (mode, mine, operation) = (Mode::Write, Arc::clone(&phase), Some(operation));
        let task = Task { mode, phase, operation, result: None, reply };
        self.send(Message::Work(Box::new(task)))?;
        match tokio::time::timeout(deadline, answer).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(gone())),
            Err(_) => {
                let order = Ordering::SeqCst;
                let never = mine.compare_exchange(QUEUED, GIVEN_UP, order, order).is_ok();
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
        (EngineErrorKind::Unknown, "it may still be stored; repeating it is safe")
    };
    EngineError::new(kind, format!("the database was busy for more than {deadline:?}: {text}"))
}

fn gone() -> EngineError {
    let text = "the thread of the database has ended: connect again";
    EngineError::new(EngineErrorKind::Unknown, text)
}

/// What the thread owns.
struct Thread {
    conn: Connection,
    time: Time,
    hub: Arc<Hub>,
    /// None where each commit waits for the disk, or there is no disk.
    syncer: Option<Syncer>,
    /// Numbers of queues. Queues are never removed.
    queues: HashMap<QueueName, i64>,
    /// SQLite's count of the commits of others.
    version: i64,
}

impl Thread {
    fn run(mut self, receiver: &Receiver<Message>) {
        loop {
            let first = if self.hub.is_waited_for() {
                receiver.recv_timeout(LOOK)
            } else {
                receiver.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            let mut group: Vec<Box<dyn Work>> = Vec::new();
            let mut is_asked = false;
            match first {
                Ok(Message::Work(work)) => group.push(work),
                Ok(Message::Look) => is_asked = true,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while group.len() < GROUP_MAX {
                match receiver.try_recv() {
                    Ok(Message::Work(work)) => group.push(work),
                    Ok(Message::Look) => is_asked = true,
                    Err(_) => break,
                }
            }
            if !group.is_empty() {
                self.serve(group);
            }
            if is_asked || self.hub.is_waited_for() {
                self.look(is_asked);
            }
        }
    }

    fn serve(&mut self, mut group: Vec<Box<dyn Work>>) {
        let outcome = self.transact(&mut group);
        match outcome {
            Ok(wakes) => {
                for work in group {
                    work.answer(None);
                }
                self.hub.wake(&wakes);
            }
            Err(error) => {
                if !self.conn.is_autocommit() {
                    // Whatever this says, the next BEGIN finds out.
                    let _ = self.conn.execute_batch("ROLLBACK");
                }
                self.queues.clear();
                let (kind, text) = (error.kind(), error.to_string());
                tracing::warn!("a transaction failed: {text}");
                for work in group {
                    work.answer(Some(EngineError::new(kind, text.clone())));
                }
            }
        }
    }

    fn transact(&mut self, group: &mut Vec<Box<dyn Work>>) -> Result<Vec<Wake>> {
        let is_write = group.iter().any(|work| work.mode() == Mode::Write);
        let begin = if is_write { "BEGIN IMMEDIATE" } else { "BEGIN" };
        self.conn.prepare_cached(begin).and_then(|mut s| s.execute([])).map_err(error::of)?;
        point("sqlite.begun");
        let mut last =
            self.conn.prepare_cached("SELECT last_ms FROM mq_meta").map_err(error::of)?;
        let last_ms: i64 = last.query_row([], |row| row.get(0)).map_err(error::of)?;
        drop(last);
        let now_ms = self.time.now_ms(last_ms);
        // Not before the lock is ours: who gives up while another process has it must be able to
        // know that nothing was stored.
        group.retain(|work| work.take());
        let mut tx = Tx::new(&self.conn, now_ms, &mut self.queues);
        for work in group.iter_mut() {
            tx.execute("SAVEPOINT operation", ())?;
            if !work.run(&mut tx) {
                if tx.is_over() {
                    let text = "the database gave up the transaction: see the error of the others";
                    return Err(EngineError::new(EngineErrorKind::Unavailable, text));
                }
                tx.execute("ROLLBACK TO operation", ())?;
                tx.forget();
            }
            point("sqlite.operated");
            tx.execute("RELEASE operation", ())?;
        }
        if is_write && now_ms != last_ms {
            tx.execute("UPDATE mq_meta SET last_ms = ?1", [now_ms])?;
        }
        let wakes = tx.into_wakes();
        point("sqlite.committing");
        self.conn.prepare_cached("COMMIT").and_then(|mut s| s.execute([])).map_err(error::of)?;
        point("sqlite.committed");
        if is_write && let Some(syncer) = &self.syncer {
            syncer.note();
        }
        Ok(wakes)
    }

    /// Wakes those who wait for queues that another process has changed.
    fn look(&mut self, is_asked: bool) {
        let found = self.conn.prepare_cached("PRAGMA data_version");
        let found = found.and_then(|mut version| version.query_row([], |row| row.get(0)));
        // A file that cannot be read is reported to those who ask for something.
        let Ok(version) = found else { return };
        if version == self.version && !is_asked {
            return;
        }
        self.version = version;
        let mut wakes = Vec::new();
        for name in self.hub.waited_for() {
            let count = self.conn.prepare_cached("SELECT wakes FROM mq_queues WHERE name = ?1");
            let count = count.and_then(|mut count| count.query_row([name.as_str()], |r| r.get(0)));
            if let Ok(count) = count {
                wakes.push(Wake { name, count });
            }
        }
        self.hub.wake(&wakes);
    }
}
