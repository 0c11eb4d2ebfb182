//! What many processes saw, in one file that survives `kill -9` of any of them.
//!
//! One event is one line, and what belongs to one request is one `write` to a file opened for
//! appending, so lines of different processes never mix. A process that is killed in the middle of
//! a `write` leaves the beginning of a line, which is read as if it were not there: nothing came of
//! that event. What was written is in the operating system's hands; only a power loss of the
//! machine could take it.

mod event;
mod layer;
mod watch;

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(not(unix))]
use mq_core::clock;
use mq_core::{Client, mutant};

pub use self::event::{Answer, Destination, Did, Entry, Event};
pub use self::layer::Attempts;

/// The kind of fault that takes from the store what it knew of the pasts of its jobs: somebody has
/// removed them behind mq's back. Jobs that are claimed after it begin at no attempt again.
pub const PASTS_TAKEN: &str = "take the pasts";

/// The kind of fault that takes from the store the leases of the workers in the processes that it
/// hits: they may be taken for gone at once.
pub const LEASES_TAKEN: &str = "take the leases";

/// The kind of fault that asks a process to stop, which is there until it has.
pub(crate) const STOP: &str = "stop";

/// The kind of fault that stops a process in whatever it is at, until it is thawed.
pub(crate) const FREEZE: &str = "freeze";

/// The kind of fault that takes from the store for when its jobs wait. What is put back to where it
/// can run, by a repair, runs at once.
pub const TIMES_TAKEN: &str = "take the due times";

/// Writes a history: what all processes of a test saw, in one file. Cheap to clone.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use mq_testkit::Recorder;
/// let recorder = Recorder::open("/tmp/run/history".as_ref())?;
/// // What passes between this client, its workers and the store is written down from now on.
/// let mq = recorder.watch(&mq_core::Client::connect("redis://127.0.0.1:7000").await?);
/// // … Worker::builder(&mq).layer(recorder.attempts()) …, and after the run:
/// let entries = Recorder::read("/tmp/run/history".as_ref())?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Recorder {
    file: Arc<File>,
    path: Arc<Path>,
}

impl Entry {
    /// Reads a line; none if it is empty or was never finished.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(line: &[u8]) -> io::Result<Option<Self>> {
        match serde_json::from_slice(line) {
            Ok(entry) => Ok(Some(entry)),
            Err(error) if error.is_eof() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Recorder {
    /// Opens a history, new or not.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Arc::new(file), path: path.into() })
    }

    /// Adds an event. When this returns, it is there whatever happens to this process.
    ///
    /// # Errors
    /// What the file system says; also when it took only a part of the line.
    pub fn write(&self, event: Event) -> io::Result<()> {
        self.write_all([event])
    }

    /// Adds events of one instant, by one `write`.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_all(&self, events: impl IntoIterator<Item = Event>) -> io::Result<()> {
        let (at_ns, process) = (now_ns(), std::process::id());
        // Begins a line even if somebody has died in the middle of the one before.
        let mut lines = b"\n".to_vec();
        for event in events {
            if mutant::is(18) && matches!(event, Event::Started { .. }) && at_ns % 16 == 0 {
                continue;
            }
            serde_json::to_writer(&mut lines, &Entry { at_ns, process, event })?;
            lines.push(b'\n');
        }
        if lines.len() == 1 {
            return Ok(());
        }
        // Not `write_all`: a second write for the rest could end up behind another process's line.
        let written = (&*self.file).write(&lines)?;
        if written == lines.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Adds events where nobody could be told of an error.
    ///
    /// # Panics
    /// When they cannot be written: a history with holes proves nothing.
    pub fn note(&self, events: impl IntoIterator<Item = Event>) {
        let written = self.write_all(events);
        written.unwrap_or_else(|error| panic!("cannot write the history: {error}"));
    }

    /// Writes down that a fault begins which hits these processes, or the store and so all if none
    /// is named; to be called before it does. Its number, to end it by. What [`Process`] and the
    /// nemesis do is written down by them.
    ///
    /// # Panics
    /// As [`note`](Self::note).
    ///
    /// [`Process`]: crate::Process
    pub fn fault_began(&self, kind: &str, processes: Vec<u32>) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // Several processes may do harm in one history.
        let fault = u64::from(std::process::id()) << 32 | NEXT.fetch_add(1, Ordering::Relaxed);
        self.note([Event::FaultBegan { fault, kind: kind.to_owned(), processes }]);
        fault
    }

    /// Writes down that a fault is over.
    ///
    /// # Panics
    /// As [`note`](Self::note).
    pub fn fault_ended(&self, fault: u64) {
        self.note([Event::FaultEnded { fault }]);
    }

    /// A client on the same store that writes down what it asks and what it is told.
    ///
    /// Its options are those of a new client.
    #[must_use]
    pub fn watch(&self, client: &Client) -> Client {
        Client::with_engine(watch::watched(self.clone(), Arc::clone(client.engine())))
    }

    /// A layer for workers that writes down when attempts start and end; put it innermost. If
    /// others may change what it has seen, such as a failure into a success, set
    /// [`Rules::layers`](crate::Rules::layers).
    #[must_use]
    pub fn attempts(&self) -> Attempts {
        Attempts::new(self.clone())
    }

    /// Whether a process has written anything.
    pub(crate) fn has_heard_of(&self, process: u32) -> io::Result<bool> {
        let name = format!("\"process\":{process},").into_bytes();
        for line in BufReader::new(File::open(&self.path)?).split(b'\n') {
            if line?.windows(name.len()).any(|text| text == name) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads all events, in the order in which they were written.
    ///
    /// # Errors
    /// When the file cannot be read or a line is not an entry.
    pub fn read(path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for line in BufReader::new(File::open(path)?).split(b'\n') {
            entries.extend(Entry::parse(&line?)?);
        }
        Ok(entries)
    }
}

/// The clock of a history, in ns.
#[cfg(unix)]
pub fn now_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let (seconds, nanos) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    seconds * 1_000_000_000 + nanos
}

/// The clock of a history, in ns.
#[cfg(not(unix))]
pub fn now_ns() -> u64 {
    clock::wall_ms() * 1_000_000
}

#[cfg(test)]
mod tests {
    use mq_core::JobId;

    use super::*;

    #[test]
    fn lines_of_many_writers_never_mix_and_a_torn_one_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history");
        let ids: Vec<_> = (0..1000).map(|_| JobId::new()).collect();
        std::thread::scope(|scope| {
            for part in ids.chunks(250) {
                let recorder = Recorder::open(&path).unwrap();
                scope.spawn(move || {
                    for id in part {
                        let (id, verb, did) = (*id, "retry".to_owned(), Did::Applied);
                        let done = Event::Operated { id, verb, did };
                        recorder.write_all([Event::InDoubt { id }, done]).unwrap();
                    }
                });
            }
        });
        // Somebody was killed here.
        let recorder = Recorder::open(&path).unwrap();
        (&*recorder.file).write_all(b"{\"at").unwrap();
        let text = "the last".to_owned();
        recorder.write(Event::Note { text: text.clone() }).unwrap();

        let entries = Recorder::read(&path).unwrap();
        assert_eq!(entries.len(), 2001);
        assert_eq!(entries.last().unwrap().event, Event::Note { text });
        assert!(entries.iter().all(|entry| entry.process == std::process::id()));
        for pair in entries[..2000].chunks(2) {
            assert_eq!(pair[0].event.job(), pair[1].event.job(), "one write is one piece");
            assert_eq!(pair[0].at_ns, pair[1].at_ns);
        }
    }
}
