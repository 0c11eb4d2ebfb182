//! How many more jobs may run, in all and per queue, and which queue is asked first.

use mq_core::rng::Rng;

use crate::config::Config;

/// Free places of a worker. Queues are known by their place in its configuration.
#[derive(Debug)]
pub(crate) struct Slots {
    free: usize,
    total: usize,
    strict: bool,
    queues: Vec<QueueSlots>,
}

#[derive(Debug)]
struct QueueSlots {
    weight: u64,
    limit: usize,
    used: usize,
}

impl Slots {
    pub(crate) fn new(config: &Config) -> Self {
        let queues = config.queues.iter().map(|queue| QueueSlots {
            weight: u64::from(queue.weight),
            limit: queue.limit.unwrap_or(usize::MAX),
            used: 0,
        });
        Self {
            free: config.concurrency,
            total: config.concurrency,
            strict: config.strict,
            queues: queues.collect(),
        }
    }

    pub(crate) fn free(&self) -> usize {
        self.free
    }

    /// How many jobs hold a slot.
    pub(crate) fn used(&self) -> usize {
        self.total - self.free
    }

    /// How many jobs of one queue may start now.
    pub(crate) fn room(&self, queue: usize) -> usize {
        let slots = &self.queues[queue];
        self.free.min(slots.limit.saturating_sub(slots.used))
    }

    pub(crate) fn take(&mut self, queue: usize) {
        debug_assert!(self.room(queue) > 0, "the store gave more jobs than were asked for");
        self.free = self.free.saturating_sub(1);
        self.queues[queue].used += 1;
    }

    pub(crate) fn give(&mut self, queue: usize) {
        debug_assert!(self.queues[queue].used > 0, "a slot was given back twice");
        self.free = (self.free + 1).min(self.total);
        self.queues[queue].used = self.queues[queue].used.saturating_sub(1);
    }

    /// A slot that nobody has given back: a planted mistake.
    pub(crate) fn forge(&mut self, queue: usize) {
        (self.free, self.total) = (self.free + 1, self.total + 1);
        self.queues[queue].limit = self.queues[queue].limit.saturating_add(1);
    }

    /// The order in which to ask the queues this time: as named, or drawn by weight without
    /// replacement. One request may fill all slots from the first queue, so weights hold on
    /// average over many requests; a share of slots per queue would leave slots empty instead.
    pub(crate) fn order(&self, rng: &mut Rng, order: &mut Vec<usize>) {
        order.clear();
        order.extend(0..self.queues.len());
        if self.strict {
            return;
        }
        for at in 0..order.len() {
            let rest: u64 = order[at..].iter().map(|&queue| self.queues[queue].weight).sum();
            let mut drawn = rng.between(1, rest);
            let mut chosen = at;
            for (place, &queue) in order.iter().enumerate().skip(at) {
                chosen = place;
                match drawn.checked_sub(self.queues[queue].weight) {
                    Some(left) if left > 0 => drawn = left,
                    _ => break,
                }
            }
            order.swap(at, chosen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(strict: bool, queues: &[(u64, usize)]) -> Slots {
        let queue = |&(weight, limit)| QueueSlots { weight, limit, used: 0 };
        Slots { free: 5, total: 5, strict, queues: queues.iter().map(queue).collect() }
    }

    #[test]
    fn the_first_place_falls_by_weight() {
        let slots = slots(false, &[(1, 9), (6, 9), (3, 9)]);
        let (mut rng, mut order, mut first) = (Rng::seeded(3), Vec::new(), [0; 3]);
        for _ in 0..10_000 {
            slots.order(&mut rng, &mut order);
            first[order[0]] += 1;
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2]);
        }
        for (count, expected) in first.iter().zip([1000, 6000, 3000]) {
            assert!(i32::abs(count - expected) < 200, "{first:?}");
        }
    }

    #[test]
    fn strict_means_as_named() {
        let slots = slots(true, &[(1, 9), (6, 9)]);
        let mut order = Vec::new();
        slots.order(&mut Rng::seeded(1), &mut order);
        assert_eq!(order, [0, 1]);
    }

    #[test]
    fn a_queue_has_room_up_to_its_limit_and_the_total() {
        let mut slots = slots(false, &[(1, 2), (1, 9)]);
        assert_eq!((slots.room(0), slots.room(1)), (2, 5));
        slots.take(0);
        slots.take(0);
        assert_eq!((slots.room(0), slots.room(1), slots.used()), (0, 3, 2));
        slots.give(0);
        assert_eq!((slots.room(0), slots.room(1), slots.free()), (1, 4, 4));
    }
}
