//! What many processes saw, in one file that survives `kill -9` of any of them.
//!
//! One event is one line and one `write` to a file opened for appending, so lines of different
//! processes never mix. A process that is killed in the middle of a `write` leaves the beginning of
//! a line, which is read as if it were not there: nothing came of that event. What was written is
//! in the operating system's hands; only a power loss of the machine could take it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use mq_core::{JobId, clock};
use serde::{Deserialize, Serialize};

/// A file of events, shared by all processes of a test.
#[derive(Debug)]
pub struct Ledger(File);

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was written, by this machine's wall clock, ms since 1970.
    pub at_ms: u64,
    /// The process that wrote it.
    pub process: u32,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A producer is about to enqueue this job.
    Sent {
        /// The job.
        id: JobId,
    },
    /// The store has acknowledged it.
    Acked {
        /// The job.
        id: JobId,
    },
    /// The store surely does not have it.
    Refused {
        /// The job.
        id: JobId,
    },
    /// A handler starts.
    Started {
        /// The job.
        id: JobId,
        /// Which claim it runs under.
        claim: String,
    },
    /// A handler has ended.
    Ended {
        /// The job.
        id: JobId,
        /// Which claim it ran under.
        claim: String,
        /// Whether it succeeded.
        ok: bool,
    },
    /// Something else worth knowing, such as a fault that was injected.
    Note {
        /// What.
        text: String,
    },
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

impl Ledger {
    /// Opens a ledger, new or not.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().create(true).append(true).open(path).map(Self)
    }

    /// Adds an event. When this returns, it is there whatever happens to this process.
    ///
    /// # Errors
    /// What the file system says; also when it took only a part of the line.
    pub fn write(&self, event: Event) -> io::Result<()> {
        let entry = Entry { at_ms: clock::wall_ms(), process: std::process::id(), event };
        // Begins a line even if somebody has died in the middle of the one before.
        let mut line = b"\n".to_vec();
        serde_json::to_writer(&mut line, &entry)?;
        line.push(b'\n');
        // Not `write_all`: a second write for the rest could end up behind another process's line.
        let written = (&self.0).write(&line)?;
        if written == line.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Reads all events, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read or a line is not an entry.
    pub fn read(path: &Path) -> io::Result<Vec<Entry>> {
        let text = std::fs::read_to_string(path)?;
        text.lines().filter_map(|line| Entry::parse(line.as_bytes()).transpose()).collect()
    }
}

/// What a ledger says about one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Life {
    /// A producer tried to enqueue it.
    pub sent: bool,
    /// The store acknowledged it.
    pub acked: bool,
    /// The store refused it.
    pub refused: bool,
    /// How often a handler started.
    pub starts: usize,
    /// How often a handler succeeded.
    pub ends_ok: usize,
    /// How often a handler failed.
    pub ends_failed: usize,
}

/// What a ledger says about all jobs, and the questions that decide a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// Per job.
    pub lives: BTreeMap<JobId, Life>,
}

impl Account {
    /// Sums a ledger up.
    pub fn of(entries: &[Entry]) -> Self {
        let mut account = Self::default();
        for entry in entries {
            account.add(&entry.event);
        }
        account
    }

    fn add(&mut self, event: &Event) {
        let (Event::Sent { id }
        | Event::Acked { id }
        | Event::Refused { id }
        | Event::Started { id, .. }
        | Event::Ended { id, .. }) = event
        else {
            return;
        };
        let life = self.lives.entry(*id).or_default();
        match event {
            Event::Sent { .. } => life.sent = true,
            Event::Acked { .. } => life.acked = true,
            Event::Refused { .. } => life.refused = true,
            Event::Started { .. } => life.starts += 1,
            Event::Ended { ok: true, .. } => life.ends_ok += 1,
            Event::Ended { ok: false, .. } => life.ends_failed += 1,
            Event::Note { .. } => {}
        }
    }

    /// Jobs for which this holds, in order of their ids.
    pub fn which(&self, holds: impl Fn(&Life) -> bool) -> Vec<JobId> {
        self.lives.iter().filter(|(_, life)| holds(life)).map(|(id, _)| *id).collect()
    }

    /// Acknowledged, but never succeeded.
    pub fn lost(&self) -> Vec<JobId> {
        self.which(|life| life.acked && life.ends_ok == 0)
    }

    /// Started, though nobody ever sent them.
    pub fn invented(&self) -> Vec<JobId> {
        self.which(|life| life.starts > 0 && !life.sent)
    }

    /// Started, though the producer was told that the store surely does not have them.
    pub fn risen(&self) -> Vec<JobId> {
        self.which(|life| life.starts > 0 && life.refused)
    }

    /// Started more than once.
    pub fn repeated(&self) -> Vec<JobId> {
        self.which(|life| life.starts > 1)
    }

    /// Succeeded more than once.
    pub fn ended_twice(&self) -> Vec<JobId> {
        self.which(|life| life.ends_ok > 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_many_writers_never_mix_and_the_account_finds_what_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let ids: Vec<_> = (0..1000).map(|_| JobId::new()).collect();
        std::thread::scope(|scope| {
            for part in ids.chunks(250) {
                let ledger = Ledger::open(&path).unwrap();
                scope.spawn(move || {
                    for id in part {
                        ledger.write(Event::Sent { id: *id }).unwrap();
                        ledger.write(Event::Acked { id: *id }).unwrap();
                    }
                });
            }
        });
        // Somebody was killed here.
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"at").unwrap();
        let ledger = Ledger::open(&path).unwrap();
        let ended = |id| Event::Ended { id, claim: "w.1".into(), ok: true };
        for id in &ids[1..] {
            ledger.write(Event::Started { id: *id, claim: "w.1".into() }).unwrap();
            ledger.write(ended(*id)).unwrap();
        }
        ledger.write(ended(ids[2])).unwrap();
        let stranger = JobId::new();
        ledger.write(Event::Started { id: stranger, claim: "w.2".into() }).unwrap();

        let account = Account::of(&Ledger::read(&path).unwrap());
        assert_eq!(account.lives.len(), 1001);
        assert_eq!(account.lost(), [ids[0]]);
        assert_eq!(account.invented(), [stranger]);
        assert_eq!(account.ended_twice(), [ids[2]]);
        assert!(account.repeated().is_empty() && account.risen().is_empty());
    }
}
