//! The one thread that writes. It takes whatever operations are queued, runs each in a savepoint
//! of one transaction, commits, and only then answers: callers that come together pay for one
//! commit.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use mq_core::engine::{EngineError, EngineErrorKind};

use crate::disk::Disk;
use crate::error::{self, Result};
use crate::hub::Hub;
use crate::session::Session;
use crate::space::Space;
use crate::syncer::Syncer;
use crate::tx::{Tx, Wake};
use crate::work::{Answer, Mode, Work, again, gone, task};

/// Operations in one transaction: enough to share the cost of a commit, few enough to be fair to
/// other processes.
const GROUP_MAX: usize = 256;
/// How often the file is looked at for the commits of other processes, while somebody waits.
const LOOK: Duration = Duration::from_millis(20);

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

impl Writer {
    /// Starts the thread. In memory there is no space to look after.
    pub(crate) fn start(
        session: Session,
        space: Option<Space>,
        syncer: Option<Syncer>,
        disk: Disk,
        hub: Arc<Hub>,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = channel();
        let thread = Thread { session, space, syncer, disk, hub, version: 0 };
        std::thread::Builder::new()
            .name("mq-sqlite".to_owned())
            .spawn(move || thread.run(&receiver))?;
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
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.begin(mode, operation)?.wait().await
    }

    /// As [`run`](Self::run), but gives up after a time: as `Unavailable` if the operation was not
    /// begun and never will be, else as `Unknown`.
    pub(crate) async fn run_within<T, F>(
        &self,
        deadline: Duration,
        mode: Mode,
        operation: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.begin(mode, operation)?.wait_within(deadline).await
    }

    fn begin<T, F>(&self, mode: Mode, operation: F) -> Result<Answer<T>>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let (work, answer) = task(mode, operation);
        self.send(Message::Work(work))?;
        Ok(answer)
    }
}

/// What the thread owns.
struct Thread {
    session: Session,
    space: Option<Space>,
    /// None where each commit waits for the disk, or there is no disk.
    syncer: Option<Syncer>,
    disk: Disk,
    hub: Arc<Hub>,
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
            self.serve(group);
            if is_asked || self.hub.is_waited_for() {
                self.look(is_asked);
            }
        }
    }

    fn serve(&mut self, mut group: Vec<Box<dyn Work>>) {
        if let Some(refusal) = self.disk.refusal() {
            refuse(group, &refusal);
            return;
        }
        let conn = self.session.conn();
        if group.iter().any(|work| work.mode() == Mode::Grow)
            && let Some(refusal) = self.space.as_mut().and_then(|space| space.refusal(conn))
        {
            group = turn_away(group, &refusal);
        }
        if group.is_empty() {
            return;
        }
        match self.session.transact(&mut group) {
            Err(error) if error.kind() == EngineErrorKind::Full => self.serve_in_need(group, error),
            outcome => self.answer(group, outcome),
        }
    }

    /// The disk is full: gives the reserve up for those that bring nothing new.
    fn serve_in_need(&mut self, group: Vec<Box<dyn Work>>, error: EngineError) {
        let mut group = turn_away(group, &error);
        let conn = self.session.conn();
        if !self.space.as_mut().is_some_and(|space| space.give_way(conn)) {
            self.answer(group, Err(error));
        } else if !group.is_empty() {
            let outcome = self.session.transact(&mut group);
            self.answer(group, outcome);
        }
    }

    fn answer(&self, group: Vec<Box<dyn Work>>, outcome: Result<Vec<Wake>>) {
        let noted = outcome.and_then(|wakes| {
            self.syncer.as_ref().map_or(Ok(()), Syncer::note)?;
            Ok(wakes)
        });
        match noted {
            Ok(wakes) => {
                for work in group {
                    work.answer(None);
                }
                self.hub.wake(&wakes);
            }
            Err(error) => {
                tracing::debug!("a transaction failed: {error}");
                if let Some(cause) = error::failed_sync(&error) {
                    // Nothing that was acknowledged: SQLite takes back what it could not sync.
                    self.disk.failed(cause, None);
                }
                refuse(group, &error);
            }
        }
    }

    /// Wakes those who wait for queues that another process has changed.
    fn look(&mut self, is_asked: bool) {
        let conn = self.session.conn();
        let found = conn.prepare_cached("PRAGMA data_version");
        let found = found.and_then(|mut version| version.query_row([], |row| row.get(0)));
        // A file that cannot be read is reported to those who ask for something.
        let Ok(version) = found else { return };
        if version == self.version && !is_asked {
            return;
        }
        self.version = version;
        let mut wakes = Vec::new();
        for name in self.hub.waited_for() {
            let count = conn.prepare_cached("SELECT wakes FROM mq_queues WHERE name = ?1");
            let count = count.and_then(|mut count| count.query_row([name.as_str()], |r| r.get(0)));
            if let Ok(count) = count {
                wakes.push(Wake { name, count });
            }
        }
        self.hub.wake(&wakes);
    }
}

/// Refuses those of a group that bring new jobs, and returns the others.
fn turn_away(group: Vec<Box<dyn Work>>, refusal: &EngineError) -> Vec<Box<dyn Work>> {
    let (new, others): (Vec<_>, Vec<_>) =
        group.into_iter().partition(|work| work.mode() == Mode::Grow);
    refuse(new, refusal);
    others
}

fn refuse(group: Vec<Box<dyn Work>>, refusal: &EngineError) {
    for work in group {
        work.answer(Some(again(refusal)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    fn writer() -> Writer {
        let disk = Disk::new("jobs.db".into());
        start(None, disk)
    }

    fn start(syncer: Option<Syncer>, disk: Disk) -> Writer {
        let mut conn = rusqlite::Connection::open_in_memory().unwrap();
        crate::tables::set_up(&mut conn, false, "").unwrap();
        let session = Session::new(conn, Time::new(), None);
        Writer::start(session, None, syncer, disk, Arc::default()).unwrap()
    }

    #[tokio::test]
    async fn a_panic_costs_its_caller_an_error_and_nobody_else_anything() {
        const MAKE: &str = "INSERT INTO mq_queues (name) VALUES (?1)";
        let writer = writer();
        let make = |name: &'static str| move |tx: &mut Tx<'_>| tx.execute(MAKE, [name]);
        let panics = writer.run(Mode::Write, move |tx| {
            make("half done")(tx)?;
            panic!("as a test wants it")
        });
        let (before, panicked, after) = tokio::join!(
            writer.run(Mode::Write, make("before")),
            panics,
            writer.run(Mode::Write, make("after")),
        );
        assert_eq!((before.unwrap(), after.unwrap()), (1, 1));
        let error: Result<()> = panicked;
        assert_eq!(error.unwrap_err().kind(), EngineErrorKind::Damaged);
        let names = "SELECT group_concat(name, ', ' ORDER BY name) FROM mq_queues";
        let names = writer.run(Mode::Read, |tx| tx.row(names, (), |row| row.get(0))).await;
        assert_eq!(names.unwrap(), Some("after, before".to_owned()));
    }

    /// A log that cannot be synced, which Linux says of this device with EINVAL.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn after_a_sync_that_failed_nothing_is_stored() {
        let disk = Disk::new("jobs.db".into());
        let syncer = Syncer::start(std::path::Path::new("/dev/null"), disk.clone()).unwrap();
        let writer = start(Some(syncer), disk.clone());
        let write = || writer.run(Mode::Write, |tx| tx.execute("DELETE FROM mq_queues", ()));
        // This may be acknowledged: the level allows it to be lost.
        let first = write().await;
        let told = |error: EngineError| error.kind() == EngineErrorKind::Unknown;
        assert!(first.err().is_none_or(told));
        let failed = async {
            while !disk.has_failed() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), failed).await.expect("a failed sync");
        for _ in 0..2 {
            let error = write().await.unwrap_err();
            assert_eq!(error.kind(), EngineErrorKind::Damaged);
            assert!(error.to_string().contains("jobs.db"), "{error}");
        }
    }
}
