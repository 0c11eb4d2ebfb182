//! What is going on, on the standard error: one line that is rewritten on a terminal, one line per
//! measurement elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use mq_core::clock;

/// Shows the way through so many measurements.
#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
    total: usize,
    done: usize,
    is_watched: bool,
}

impl Progress {
    pub(crate) fn new(total: usize) -> Self {
        let is_watched = io::stderr().is_terminal();
        Self { started: clock::now(), total, done: 0, is_watched }
    }

    /// The next measurement begins.
    pub(crate) fn begin(&mut self, what: &str) {
        self.done += 1;
        let elapsed = hms(self.started.elapsed());
        let line = format!("[{}/{} {elapsed}] {what}", self.done, self.total);
        let mut stderr = io::stderr().lock();
        let _ = match self.is_watched {
            // The sequence ends the line that was there.
            true => write!(stderr, "\r{line}\x1b[K").and_then(|()| stderr.flush()),
            false => writeln!(stderr, "{line}"),
        };
    }

    /// Makes room for other output.
    pub(crate) fn clear(&self) {
        if self.is_watched {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}

fn hms(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_hours_minutes_and_seconds() {
        assert_eq!(hms(Duration::from_millis(61_900)), "0:01:01");
        assert_eq!(hms(Duration::from_secs(36_000)), "10:00:00");
    }
}
