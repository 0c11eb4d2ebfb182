//! What a test may ask of the store. Never waits: the store is in this process.

use mq_core::admin::JobInfo;
use mq_core::{Job, Record, State};

use super::Bench;
use crate::checks::decode;
use crate::memory::{Queue, Store};

impl Bench {
    /// The jobs of a type that wait to be run, in the order in which they will be: those that are
    /// ready by queue and priority, then those that are scheduled by their time.
    ///
    /// # Panics
    /// When a job that is stored under the name of `J` does not decode as one.
    #[track_caller]
    pub fn enqueued<J: Job>(&self) -> Vec<J> {
        let ready = self.infos(State::Ready);
        let mut scheduled = self.infos(State::Scheduled);
        scheduled.sort_by_key(|info| info.at_ms);
        let mut jobs = Vec::new();
        for info in ready.iter().chain(&scheduled) {
            if info.kind == J::KIND || J::WAS.contains(&info.kind.as_str()) {
                jobs.push(decode(&info.payload));
            }
        }
        jobs
    }

    /// The dead letters of all types with their errors, oldest first.
    pub fn dead_letters(&self) -> Vec<JobInfo> {
        let mut dead = self.infos(State::Dead);
        dead.sort_by_key(|info| info.at_ms);
        dead
    }

    /// All jobs in a state, queue by queue, those that come first in it first.
    fn infos(&self, state: State) -> Vec<JobInfo> {
        let store = self.engine.store();
        let mut infos = Vec::new();
        for (name, queue) in &store.queues {
            let ids = queue.in_order(state);
            let stored = ids.into_iter().filter_map(|id| store.stored(name, id));
            infos.extend(stored.map(|job| JobInfo::opened(job, self.client.sealer())));
        }
        infos
    }

    /// The names of the queues that exist.
    pub(super) fn queues(&self) -> Vec<String> {
        self.engine.store().queues.keys().map(ToString::to_string).collect()
    }

    /// The kind of a job that could run now, if there is one.
    pub(super) fn due(&self) -> Option<String> {
        let store = self.engine.store();
        open(&store).find_map(|queue| kind_due(queue, store.now_ms))
    }

    pub(super) fn next_due_ms(&self) -> Option<u64> {
        open(&self.engine.store()).filter_map(Queue::next_due_ms).min()
    }
}

fn open(store: &Store) -> impl Iterator<Item = &Queue> {
    store.queues.values().filter(|queue| queue.paused_ms.is_none())
}

fn kind_due(queue: &Queue, now_ms: u64) -> Option<String> {
    let ready = queue.ready.iter().flatten().copied().next();
    let id = ready.or_else(|| {
        let due = [false, true].map(|retries| queue.due(now_ms, retries));
        due.into_iter().flatten().next()
    })?;
    let record = &queue.jobs.get(&id)?.record;
    Some(Record::decode(record).map_or_else(|_| String::new(), |record| record.kind.into_owned()))
}
