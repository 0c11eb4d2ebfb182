//! A history put in order by job and by time, without a copy of its entries.

use std::collections::HashMap;

use mq_core::JobId;

use crate::recorder::Entry;

const NO_JOB: u32 = u32::MAX;

/// Where each job's events are.
pub(super) struct Index<'a> {
    entries: &'a [Entry],
    ids: Vec<JobId>,
    numbers: HashMap<JobId, u32>,
    /// Numbers of entries, job by job, each by time.
    grouped: Vec<u32>,
    /// Where each job begins in `grouped`, and where the last one ends.
    bounds: Vec<u32>,
    /// Numbers of all entries by time.
    by_time: Vec<u32>,
}

impl<'a> Index<'a> {
    pub(super) fn new(entries: &'a [Entry]) -> Self {
        let mut by_time: Vec<u32> = (0..entries.len() as u32).collect();
        // Stable: what was written together keeps its order.
        by_time.sort_by_key(|entry| entries[*entry as usize].at_ns);
        let (mut ids, mut numbers) = (Vec::new(), HashMap::new());
        let (mut counts, mut job_of) = (Vec::<u32>::new(), vec![NO_JOB; entries.len()]);
        for &entry in &by_time {
            let Some(id) = entries[entry as usize].event.job() else { continue };
            let number = *numbers.entry(id).or_insert_with(|| {
                ids.push(id);
                counts.push(0);
                ids.len() as u32 - 1
            });
            counts[number as usize] += 1;
            job_of[entry as usize] = number;
        }
        let mut bounds = Vec::with_capacity(counts.len() + 1);
        let mut end = 0;
        for count in counts {
            bounds.push(end);
            end += count;
        }
        bounds.push(end);
        let (mut next, mut grouped) = (bounds.clone(), vec![0; end as usize]);
        for &entry in &by_time {
            let number = job_of[entry as usize];
            if number != NO_JOB {
                let place = &mut next[number as usize];
                grouped[*place as usize] = entry;
                *place += 1;
            }
        }
        Self { entries, ids, numbers, grouped, bounds, by_time }
    }

    /// How many jobs there are.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn id(&self, job: usize) -> JobId {
        self.ids[job]
    }

    pub(super) fn number(&self, id: JobId) -> Option<usize> {
        self.numbers.get(&id).map(|number| *number as usize)
    }

    /// One job's events by time, each with its number in the history.
    pub(super) fn events(&self, job: usize) -> impl Iterator<Item = (u32, &'a Entry)> + '_ {
        let range = self.bounds[job] as usize..self.bounds[job + 1] as usize;
        self.grouped[range].iter().map(|entry| (*entry, &self.entries[*entry as usize]))
    }

    /// All events by time.
    pub(super) fn all(&self) -> impl Iterator<Item = &'a Entry> + '_ {
        self.by_time.iter().map(|entry| &self.entries[*entry as usize])
    }

    /// When the history begins.
    pub(super) fn start_ns(&self) -> u64 {
        self.all().next().map_or(0, |entry| entry.at_ns)
    }
}
