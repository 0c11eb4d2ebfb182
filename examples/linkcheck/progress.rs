//! The line that shows how far it is.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::Duration;

use tokio::time::Instant;

use crate::crawl::Stats;
use crate::report::grouped;

pub(crate) struct Progress {
    before: Stats,
    start: Instant,
    last: (Instant, u64),
    jobs_per_second: u64,
    terminal: bool,
}

impl Progress {
    pub(crate) fn new(before: Stats, start: Instant) -> Self {
        let terminal = stderr().is_terminal();
        let last = (start, before.sum(|queue| queue.done_total));
        Self { before, start, last, jobs_per_second: 0, terminal }
    }

    /// Rewrites the line on a terminal; elsewhere, such as in CI, a line every two seconds.
    pub(crate) fn show(&mut self, stats: &Stats, kills: u32) {
        let now = Instant::now();
        let done = stats.sum(|queue| queue.done_total);
        let (at, done_then) = self.last;
        let passed = now - at;
        let pause = if self.terminal { 500 } else { 2000 };
        let due = passed >= Duration::from_millis(pause);
        if due {
            let rate = done.saturating_sub(done_then) as f64 / passed.as_secs_f64();
            self.jobs_per_second = rate as u64;
            self.last = (now, done);
        }
        if !due && !self.terminal {
            return;
        }
        let pages = stats.pages.done_total - self.before.pages.done_total;
        let links = stats.links.done_total - self.before.links.done_total;
        let line = format!(
            "{:5.1} s  {} pages  {} links  {} jobs/s  ready {}  running {}  retrying {}  dead {}",
            (now - self.start).as_secs_f64(),
            grouped(pages),
            grouped(links),
            grouped(self.jobs_per_second),
            grouped(stats.sum(|queue| queue.ready)),
            stats.sum(|queue| queue.running),
            stats.sum(|queue| queue.retrying),
            stats.sum(|queue| queue.dead),
        );
        let killed = if kills > 0 { format!("  killed {kills}") } else { String::new() };
        // To the start of the line, and away with what is left of the last one.
        let (before, after) = if self.terminal { ("\r\x1b[K", "") } else { ("", "\n") };
        let _ = write!(stderr(), "{before}{line}{killed}{after}");
    }

    pub(crate) fn end(&self) {
        if self.terminal {
            let _ = writeln!(stderr());
        }
    }
}
