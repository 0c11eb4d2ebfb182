//! One job's history as a picture.

mod layout;
mod page;
mod svg;
mod words;

use mq_core::JobId;

use crate::recorder::{Entry, Event};

use self::layout::Layout;

pub use self::page::timeline_page;

/// Most events in a picture; a job that has more shows its first ones.
const SHOWN_MAX: usize = 400;

/// Draws everything that a history has on one job, as an SVG that needs nothing beside it.
///
/// Each process is a lane, and the store's own faults have one as well. A claim is a bar up to
/// where it was finished or somebody else had the job, an execution a dark bar inside it, and a
/// fault is shaded. Times are ms since the beginning of the history, as in a
/// [`Verdict`](crate::Verdict). Between two events there is as much room as the logarithm of the
/// time between them, so that a lease of 15 s and a reply after 0.1 ms can both be seen.
///
/// It has no scripts, all text of the history is escaped, and its colours fit a light page as well
/// as a dark one.
pub fn timeline(entries: &[Entry], job: JobId) -> String {
    svg::draw(&Layout::new(&Story::of(entries, job)))
}

/// What is shown of a history.
struct Story<'a> {
    job: JobId,
    start_ns: u64,
    /// What is about the job, its workers and the faults of their time, by time.
    entries: Vec<&'a Entry>,
    /// How many more there are.
    left_out: usize,
}

impl<'a> Story<'a> {
    fn of(entries: &'a [Entry], job: JobId) -> Self {
        let start_ns = entries.iter().map(|entry| entry.at_ns).min().unwrap_or(0);
        let own = entries.iter().filter(|entry| entry.event.job() == Some(job));
        let own: Vec<_> = own.collect();
        let processes: Vec<u32> = own.iter().map(|entry| entry.process).collect();
        let workers: Vec<&str> = own.iter().filter_map(|entry| worker(&entry.event)).collect();
        let from = own.iter().map(|entry| entry.at_ns).min().unwrap_or(0);
        let to = own.iter().map(|entry| entry.at_ns).max().unwrap_or(0);
        let mut ended = std::collections::HashMap::new();
        for entry in entries {
            if let Event::FaultEnded { fault } = entry.event {
                ended.insert(fault, entry.at_ns);
            }
        }
        let hits = |hit: &[u32]| hit.is_empty() || hit.iter().any(|one| processes.contains(one));
        let mut faults = std::collections::HashSet::new();
        for entry in entries {
            if let Event::FaultBegan { fault, processes, .. } = &entry.event {
                let end = ended.get(fault).copied().unwrap_or(u64::MAX);
                if entry.at_ns <= to && end >= from && hits(processes) {
                    faults.insert(*fault);
                }
            }
        }
        let is_named = |worker: &mq_core::WorkerId| {
            let worker = worker.to_string();
            workers.iter().any(|named| **named == worker)
        };
        let is_shown = |entry: &&Entry| match &entry.event {
            Event::FaultBegan { fault, .. } | Event::FaultEnded { fault } => faults.contains(fault),
            Event::RolledBack { .. } => true,
            Event::Joining { worker, .. }
            | Event::Joined { worker, .. }
            | Event::Leaving { worker, .. }
            | Event::Lost { worker, .. } => is_named(worker),
            Event::Reaped { workers, .. } => workers.iter().any(is_named),
            event => event.job() == Some(job),
        };
        let mut shown: Vec<_> = entries.iter().filter(is_shown).collect();
        shown.sort_by_key(|entry| entry.at_ns);
        let left_out = shown.len().saturating_sub(SHOWN_MAX);
        shown.truncate(SHOWN_MAX);
        Self { job, start_ns, entries: shown, left_out }
    }

    /// ms since the beginning of the history.
    fn ms(&self, at_ns: u64) -> f64 {
        at_ns.saturating_sub(self.start_ns) as f64 / 1e6
    }
}

/// The worker in an event's token.
fn worker(event: &Event) -> Option<&str> {
    let claim = claim(event)?;
    Some(claim.rsplit_once('.').map_or(claim, |(worker, _)| worker))
}

/// The token in an event about the job.
fn claim(event: &Event) -> Option<&str> {
    match event {
        Event::Claimed { claim, .. }
        | Event::Started { claim, .. }
        | Event::Effect { claim, .. }
        | Event::Ended { claim, .. }
        | Event::Finishing { claim, .. }
        | Event::Finished { claim, .. } => Some(claim),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mq_core::QueueName;

    use super::*;
    use crate::recorder::{Answer, Destination};

    fn history(hostile: &str) -> (JobId, Vec<Entry>) {
        let (id, queue) = (JobId::new(), QueueName::new("q").unwrap());
        let claim = |number: u32| format!("w{hostile}{number}.1");
        let granted = |number, reaped| Event::Claimed {
            id,
            claim: claim(number),
            queue: queue.clone(),
            attempts: 0,
            interruptions: 0,
            now_ms: 1,
            reaped,
        };
        let kill = format!("kill {hostile}");
        let events = [
            (
                1,
                Event::Sent {
                    id,
                    queue: queue.clone(),
                    priority: Default::default(),
                    due_ms: None,
                    delay_ms: None,
                    key: Some(hostile.to_owned()),
                },
            ),
            (2, granted(1, false)),
            (2, Event::Started { id, claim: claim(1) }),
            (9, Event::FaultBegan { fault: 1, kind: kill, processes: vec![2] }),
            (3, granted(2, true)),
            (
                3,
                Event::Finishing {
                    id,
                    claim: claim(2),
                    to: Destination::Again,
                    failed: false,
                    due_ms: Some(5),
                },
            ),
            (3, Event::Finished { id, claim: claim(2), answer: Answer::Applied }),
            (9, Event::RolledBack { to_ns: 0 }),
            (9, Event::Note { text: "not about the job".into() }),
        ];
        let entry = |(at, (process, event))| Entry {
            at_ns: 1_000_000 * (at * at * at) as u64,
            process,
            event,
        };
        (id, events.into_iter().enumerate().map(entry).collect())
    }

    #[test]
    fn a_picture_shows_all_processes_of_a_job_its_claims_and_its_faults() {
        let (id, entries) = history("");
        let svg = timeline(&entries, id);
        for text in ["process 1", "process 2", "process 3", "kill", "rolled back", "applied"] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        assert_eq!(svg.matches("class=\"claim").count(), 2, "{svg}");
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("not about the job"));
        let page = timeline_page(&entries, id);
        assert!(page.contains(&svg) && page.contains(&id.to_string()));
        assert_eq!(page.matches("<tr>").count(), 1 + 8, "a head and the events");
    }

    #[test]
    fn text_of_a_history_cannot_become_markup() {
        let (id, entries) = history("<script>\"'&\u{1b}");
        let page = timeline_page(&entries, id);
        assert!(!page.contains("<script"), "{page}");
        assert!(!page.contains('\u{1b}'));
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn a_job_that_is_not_there_has_an_empty_picture() {
        let (_, entries) = history("");
        let page = timeline_page(&entries, JobId::new());
        assert!(page.contains("</svg>"));
        assert!(timeline(&[], JobId::new()).contains("</svg>"));
    }
}
