//! Random sequences. The table below is what they are made of.

use mq_core::State;
use mq_core::rng::Rng;

use super::op::{Ask, Draft, End, JobRef, Number, Op, Pick, Pulse, Step, To, When};
use super::world::{JOBS, KEYS, QUEUES, WORKERS};

const SECOND: u64 = 1_000;
const HOUR: u64 = 60 * 60 * SECOND;
const DAY: u64 = 24 * HOUR;
/// The lease that most workers take.
const LEASE: u64 = 10 * SECOND;

/// Makes one sort of operation.
type Make = fn(&mut Maker) -> Op;

/// Every sort of operation: its name, how often it comes, and how it is made.
const KINDS: [(&str, u64, Make); 52] = [
    ("enqueue one", 10, |g| g.enqueue(1, |_, _| {})),
    ("enqueue a batch", 4, |g| g.enqueue(5, |_, _| {})),
    ("enqueue with a delay", 4, |g| g.enqueue(2, |g, job| job.when = g.later())),
    ("enqueue for a time", 2, |g| g.enqueue(2, |g, job| job.when = g.at())),
    ("enqueue with a key", 6, |g| g.enqueue(2, |g, job| job.key = Some(g.under(KEYS)))),
    ("enqueue with a priority", 4, |g| g.enqueue(3, |g, job| job.level = g.under(3))),
    ("enqueue to be kept", 4, |g| g.enqueue(2, |g, job| job.keep_ms = Some(g.keep()))),
    ("enqueue to many queues", 2, |g| g.enqueue(4, |g, job| job.queue = g.under(QUEUES))),
    ("enqueue with everything", 4, |g| g.enqueue(3, Maker::dress)),
    ("enqueue an id again", 2, |g| g.enqueue(2, |g, job| job.job = g.known())),
    ("join", 4, |g| g.join(LEASE)),
    ("join for long", 3, |g| g.join(30 * DAY)),
    ("join for a moment", 1, |g| g.join(1)),
    ("claim from one queue", 16, |g| g.claim(1, false)),
    ("claim from many queues", 4, |g| g.claim(3, false)),
    ("claim with finishes on board", 6, |g| g.claim(2, true)),
    ("claim with an odd number", 2, Maker::odd_claim),
    ("finish as done", 5, |g| g.finish(To::Done)),
    ("finish and retain", 5, |g| g.finish_for(To::Retain)),
    ("finish and retry", 6, |g| g.finish_at(To::Retry)),
    ("finish and schedule", 3, |g| g.finish_at(To::Schedule)),
    ("finish and release", 3, |g| g.finish(To::Release)),
    ("finish and bury", 7, |g| g.finish(To::Bury)),
    ("finish as cancelled", 1, |g| g.finish(To::Cancel(None))),
    ("finish as cancelled and keep", 3, |g| g.finish_for(|ms| To::Cancel(Some(ms)))),
    ("finish many", 4, Maker::finish_many),
    ("finish what was finished", 2, Maker::finish_again),
    ("finish under a wrong claim", 2, Maker::finish_wrongly),
    ("extend", 3, Maker::extend),
    ("leave", 2, Maker::leave),
    ("promote", 3, |g| Op::Promote { queue: g.queue(), limit: g.few() }),
    ("reap", 6, |g| g.reap(Number::Fresh(1))),
    ("reap again", 2, |g| {
        let number = Number::Used(g.under(3));
        g.reap(number)
    }),
    ("sweep for a while", 9, Maker::sweep),
    ("prune a little", 3, Maker::prune),
    ("prune all", 2, Maker::prune_all),
    ("retry", 5, |g| g.retry(None, 0)),
    ("retry at a pace", 2, |g| {
        let step_ms = g.pick(&[0, 1, SECOND, HOUR]);
        let ahead = g.pick(&[0, 0, 7]);
        g.retry(Some(step_ms), ahead)
    }),
    ("run now", 3, |g| Op::RunNow { queue: g.queue(), jobs: g.in_some(&[State::Scheduled]) }),
    ("delete", 2, |g| Op::Delete { queue: g.queue(), jobs: g.in_some(&State::ALL) }),
    ("cancel what waits", 2, |g| g.cancel(&[State::Ready, State::Scheduled])),
    ("cancel what runs", 4, |g| g.cancel(&[State::Running])),
    ("transfer", 5, Maker::transfer),
    ("pause", 1, |g| Op::Pause { queue: g.queue() }),
    ("resume", 2, |g| Op::Resume { queue: g.queue() }),
    ("list in pages", 2, Maker::list),
    ("get", 1, |g| Op::Get { queue: g.queue(), jobs: g.in_some(&State::ALL) }),
    ("audit", 1, |g| Op::Audit { queue: g.queue(), repair: g.one_in(2) }),
    ("look", 1, |_| Op::Look {}),
    ("advance a little", 4, |g| Op::Advance { ms: g.pick(&[1, 2, 999, SECOND, 3_333]) }),
    ("advance much", 4, |g| Op::Advance { ms: g.pick(&[LEASE, 60 * SECOND, HOUR, DAY, 3 * DAY]) }),
    ("a late copy", 4, |g| Op::Again { back: g.under(10) }),
];

/// The sequence of a seed.
pub fn generate(seed: u64, steps: usize) -> Vec<Step> {
    let mut g = Maker { rng: Rng::seeded(seed), jobs: 0, home: 0, seats: Vec::new() };
    // Half of the sequences live in one queue, where things meet more often.
    g.home = g.under(2) * g.pick(&[QUEUES, QUEUES, 2]);
    // Without workers little happens.
    let joins = g.pick(&[0, 2, 3, 4]).min(steps);
    let mut all: Vec<_> = (0..joins).map(|_| Step::of(g.join(LEASE))).collect();
    all.extend((joins..steps).map(|_| g.step()));
    all
}

struct Maker {
    rng: Rng,
    /// Jobs that were enqueued so far.
    jobs: u8,
    /// Queues in use; 0 and 1 both mean one.
    home: u8,
    /// Queues and the workers that were to join them, most of which are still there.
    seats: Vec<(u8, u8)>,
}

impl Maker {
    fn step(&mut self) -> Step {
        let total = KINDS.iter().map(|(_, weight, _)| weight).sum::<u64>();
        let mut left = self.rng.between(0, total - 1);
        let kind = KINDS.iter().find(|(_, weight, _)| {
            let is_it = left < *weight;
            left = left.saturating_sub(*weight);
            is_it
        });
        let op = kind.map_or(Op::Look {}, |(_, _, make)| make(self));
        Step { op, second: self.one_in(8), lost: self.one_in(6) }
    }

    fn under(&mut self, end: u8) -> u8 {
        self.rng.between(0, u64::from(end.max(1)) - 1) as u8
    }

    fn one_in(&mut self, count: u8) -> bool {
        self.under(count) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.between(0, of.len() as u64 - 1) as usize]
    }

    fn queue(&mut self) -> u8 {
        self.under(self.home)
    }

    fn worker(&mut self) -> u8 {
        self.under(WORKERS)
    }

    /// A queue and a worker that is there, mostly.
    fn seat(&mut self) -> (u8, u8) {
        if self.seats.is_empty() || self.one_in(10) {
            return (self.queue(), self.worker());
        }
        let seats = self.seats.clone();
        self.pick(&seats)
    }

    fn few(&mut self) -> u16 {
        self.pick(&[0, 1, 1, 2, 2, 3, 4, 10])
    }

    fn known(&mut self) -> u8 {
        self.under(self.jobs.max(1))
    }

    fn later(&mut self) -> When {
        When::After(self.pick(&[0, 1, SECOND, LEASE, HOUR]))
    }

    fn at(&mut self) -> When {
        When::At(self.pick(&[-1_000, 0, 1, SECOND as i64, HOUR as i64]))
    }

    fn keep(&mut self) -> u64 {
        self.pick(&[1, SECOND, HOUR, DAY, 2 * DAY])
    }

    fn enqueue(&mut self, most: u8, dress: impl Fn(&mut Self, &mut Draft)) -> Op {
        let queue = self.queue();
        let mut jobs = Vec::new();
        for _ in 0..=self.under(most) {
            let when = When::Now;
            let mut job = Draft { job: self.jobs, queue, when, level: 1, key: None, keep_ms: None };
            dress(self, &mut job);
            self.jobs = self.jobs.max(job.job + 1).min(JOBS - 1);
            jobs.push(job);
        }
        Op::Enqueue { jobs }
    }

    fn dress(&mut self, job: &mut Draft) {
        job.when = match self.under(3) {
            0 => self.later(),
            1 => self.at(),
            _ => When::Now,
        };
        job.level = self.under(3);
        job.key = if self.one_in(2) { Some(self.under(KEYS)) } else { None };
        job.keep_ms = if self.one_in(2) { Some(self.keep()) } else { None };
    }

    fn join(&mut self, lease_ms: u64) -> Op {
        let (queue, worker) =
            if self.one_in(4) { self.seat() } else { (self.queue(), self.worker()) };
        self.seats.push((queue, worker));
        Op::Join { queue, worker, lease_ms, housekeeper: self.one_in(6) }
    }

    fn asks(&mut self, most: u8, first: u8) -> Vec<Ask> {
        let count = self.under(most) + 1;
        let mut asks = Vec::new();
        for at in 0..count.min(self.home.max(1)) {
            let queue = (first + at) % self.home.max(1);
            asks.push(Ask { queue, number: Number::Fresh(1), limit: self.few() });
        }
        asks
    }

    fn claim(&mut self, queues: u8, has_ends: bool) -> Op {
        let (queue, worker) = self.seat();
        let asks = self.asks(queues, queue);
        let mut ends = Vec::new();
        if has_ends {
            let count = self.under(4) + 1;
            ends.extend((0..count).map(|at| self.any_end(Pick::Held(at))));
        }
        Op::Claim { worker, limit: self.few() + 1, asks, ends }
    }

    /// A repeat, a number below one that was used, or one far above.
    fn odd_claim(&mut self) -> Op {
        let (queue, worker) = self.seat();
        let mut asks = self.asks(2, queue);
        for ask in &mut asks {
            ask.number = match self.under(4) {
                0 => Number::Fresh(1 + self.under(4)),
                _ => Number::Used(self.under(4)),
            };
        }
        Op::Claim { worker, limit: 5, asks, ends: Vec::new() }
    }

    fn end(&mut self, of: Pick, to: To) -> End {
        let has_past = matches!(to, To::Retry(_) | To::Bury) || self.one_in(3);
        let past = if has_past { Some(self.under(4)) } else { None };
        let failed = matches!(to, To::Retry(_) | To::Bury) && !self.one_in(4);
        End { of, to, past, failed, by: None, off: 0 }
    }

    fn any_end(&mut self, of: Pick) -> End {
        let at = self.pick(&[-1, 0, 1, SECOND as i64, HOUR as i64]);
        let keep = self.keep();
        let to = self.pick(&[
            To::Done,
            To::Done,
            To::Retain(keep),
            To::Retry(at),
            To::Schedule(at),
            To::Release,
            To::Release,
            To::Bury,
            To::Cancel(None),
            To::Cancel(Some(keep)),
        ]);
        self.end(of, to)
    }

    fn finish(&mut self, to: To) -> Op {
        let of = Pick::Held(self.under(4));
        Op::Finish { ends: vec![self.end(of, to)] }
    }

    fn finish_for(&mut self, to: fn(u64) -> To) -> Op {
        let keep_ms = self.keep();
        self.finish(to(keep_ms))
    }

    fn finish_at(&mut self, to: fn(i64) -> To) -> Op {
        let at = self.pick(&[-1, 0, 1, SECOND as i64, LEASE as i64, HOUR as i64]);
        self.finish(to(at))
    }

    fn finish_many(&mut self) -> Op {
        let count = self.under(5) + 2;
        let is_handing_back = self.one_in(3);
        let end = |at| match is_handing_back {
            true => self.end(Pick::Held(at), To::Release),
            false => self.any_end(Pick::Held(at)),
        };
        Op::Finish { ends: (0..count).map(end).collect() }
    }

    fn finish_again(&mut self) -> Op {
        let back = self.under(8);
        Op::Finish { ends: vec![self.any_end(Pick::Ever(back))] }
    }

    fn finish_wrongly(&mut self) -> Op {
        let at = self.under(4);
        let mut end = self.any_end(Pick::Held(at));
        if self.one_in(2) {
            end.by = Some(self.worker());
        } else {
            end.off = 1 + self.under(2);
        }
        Op::Finish { ends: vec![end] }
    }

    fn extend(&mut self) -> Op {
        let count = self.under(3) + 1;
        let beat = |_| {
            let (queue, worker) = self.seat();
            let lease_ms = self.pick(&[1, LEASE, LEASE, HOUR]);
            Pulse { queue, worker, lease_ms, news: self.one_in(2) }
        };
        Op::Extend { beats: (0..count).map(beat).collect() }
    }

    fn leave(&mut self) -> Op {
        let (queue, worker) = self.seat();
        Op::Leave { queue, worker }
    }

    fn reap(&mut self, number: Number) -> Op {
        let ((queue, worker), limit) = (self.seat(), self.few());
        Op::Reap { queue, worker, number, limit, lease_ms: self.pick(&[LEASE, LEASE, 7_001]) }
    }

    fn sweep(&mut self) -> Op {
        let (queue, worker) = self.seat();
        Op::Sweep { queue, worker, sweeps: 2 + self.under(5), lease_ms: LEASE }
    }

    fn dead_limits(&mut self) -> (u16, u64) {
        (self.pick(&[0, 1, 2, 100]), self.pick(&[0, SECOND, HOUR, 90 * DAY, 90 * DAY]))
    }

    fn prune(&mut self) -> Op {
        let ((dead_count, dead_age_ms), queue) = (self.dead_limits(), self.queue());
        Op::Prune { queue, dead_count, dead_age_ms, batch: self.pick(&[1, 2, 3, 100]) }
    }

    fn prune_all(&mut self) -> Op {
        let ((dead_count, dead_age_ms), queue) = (self.dead_limits(), self.queue());
        Op::PruneAll { queue, dead_count, dead_age_ms }
    }

    /// Mostly jobs in one of these states, sometimes any.
    fn in_some(&mut self, states: &[State]) -> Vec<JobRef> {
        let count = self.pick(&[1, 1, 1, 2, 3]);
        let job = |_| match self.one_in(5) {
            true => JobRef::Job(self.under(self.jobs + 1)),
            false => JobRef::In(self.pick(states), self.under(4)),
        };
        (0..count).map(job).collect()
    }

    fn retry(&mut self, step_ms: Option<u64>, ahead: u8) -> Op {
        let jobs = self.in_some(&[State::Dead, State::Dead, State::Cancelled, State::Scheduled]);
        Op::Retry { queue: self.queue(), jobs, step_ms, ahead }
    }

    fn cancel(&mut self, states: &[State]) -> Op {
        Op::Cancel { queue: self.queue(), jobs: self.in_some(states) }
    }

    fn transfer(&mut self) -> Op {
        let jobs = self.in_some(&[State::Ready, State::Scheduled, State::Dead, State::Running]);
        let queue = self.queue();
        let to = (queue + self.pick(&[0, 1, 1, 1, 2, 2, 2])) % QUEUES;
        Op::Transfer { queue, to, jobs }
    }

    fn list(&mut self) -> Op {
        let (queue, state) = (self.queue(), self.pick(&State::ALL));
        Op::List { queue, state, limit: self.pick(&[1, 2, 3]) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_is_one_sequence_and_every_line_can_be_read_back() {
        for seed in 0..50 {
            let steps = generate(seed, 40);
            assert_eq!(steps, generate(seed, 40));
            let text: Vec<_> = steps.iter().map(Step::line).collect();
            assert_eq!(super::super::parse(&text.join("\n")).expect("a sequence"), steps);
        }
    }

    #[test]
    fn there_are_many_sorts_of_operations_and_all_come_up() {
        let names: BTreeSet<_> = KINDS.iter().map(|(name, ..)| name).collect();
        assert!(names.len() == KINDS.len() && names.len() >= 30, "{names:?}");
        let steps = (0..100).flat_map(|seed| generate(seed, 40));
        let ops: BTreeSet<_> = steps.map(|step| step.op.name()).collect();
        assert!(ops.len() >= 23, "{ops:?}");
    }
}
