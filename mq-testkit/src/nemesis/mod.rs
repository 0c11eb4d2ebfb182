//! One who does harm by the seed.
//!
//! The same seed gives the same list of faults; how the processes under it are scheduled is not
//! repeated, so a failure may take several tries to come back.

mod network;
mod pack;
mod server;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use mq_core::clock;
use mq_core::rng::Rng;

pub use self::network::Network;
pub use self::pack::Pack;
pub use self::server::Server;
use crate::recorder::Recorder;

/// Something that faults can happen to.
#[async_trait]
pub trait Victim: Send {
    /// What can happen to it, each with its weight.
    fn faults(&self) -> Vec<(u32, &'static str)>;

    /// Lets one of them happen. Returns at once if the fault lasts.
    async fn suffer(&mut self, fault: &'static str, chance: &mut Chance<'_>);

    /// Ends what has lasted long enough, or all of it, and puts new processes in the place of those
    /// that are gone. Called often.
    async fn recover(&mut self, all: bool);
}

/// What a victim may draw while it suffers, and where it writes that down.
#[derive(Debug)]
pub struct Chance<'a> {
    rng: &'a mut Rng,
    recorder: &'a Recorder,
}

impl Chance<'_> {
    /// A number from `from` to `to`, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        self.rng.between(from, to)
    }

    /// A time between two, in ms.
    pub fn ms(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.between(from, to))
    }

    /// Writes down that the store, or the way to it, is hit: a fault that all processes feel.
    pub fn begin(&mut self, kind: &str) -> Lasting {
        let number = self.recorder.fault_began(kind, Vec::new());
        Lasting { number, recorder: self.recorder.clone(), over: None }
    }

    /// The same for a fault that is over at once.
    pub fn blow(&mut self, kind: &str) {
        self.begin(kind).finish();
    }
}

/// A fault that lasts, in the history.
#[derive(Debug)]
pub struct Lasting {
    number: u64,
    recorder: Recorder,
    over: Option<std::time::Instant>,
}

impl Lasting {
    /// Says how long it is to last.
    #[must_use]
    pub fn for_time(mut self, time: Duration) -> Self {
        self.over = Some(clock::now() + time);
        self
    }

    /// Whether its time is up.
    pub fn is_over(&self) -> bool {
        self.over.is_none_or(|over| clock::now() >= over)
    }

    /// Writes down that it is over.
    pub fn finish(self) {
        self.recorder.fault_ended(self.number);
    }
}

/// Lets faults happen to victims, drawn by a seed.
pub struct Nemesis {
    rng: Rng,
    recorder: Recorder,
    victims: Vec<Box<dyn Victim>>,
}

impl Nemesis {
    /// A nemesis that writes into this history.
    pub fn new(seed: u64, recorder: &Recorder) -> Self {
        Self { rng: Rng::seeded(seed), recorder: recorder.clone(), victims: Vec::new() }
    }

    /// Adds a victim.
    #[must_use]
    pub fn victim(mut self, victim: impl Victim + 'static) -> Self {
        self.victims.push(Box::new(victim));
        self
    }

    /// Lets one fault happen, drawn from all by their weights; its name.
    pub async fn strike(&mut self) -> Option<&'static str> {
        let mut all = Vec::new();
        for (at, victim) in self.victims.iter().enumerate() {
            all.extend(victim.faults().into_iter().map(|(weight, fault)| (weight, at, fault)));
        }
        let (at, fault) = draw(&all, &mut self.rng)?;
        let mut chance = Chance { rng: &mut self.rng, recorder: &self.recorder };
        self.victims.get_mut(at)?.suffer(fault, &mut chance).await;
        Some(fault)
    }

    /// Ends what has lasted long enough; to be called every few ms between strikes.
    pub async fn recover(&mut self) {
        for victim in &mut self.victims {
            victim.recover(false).await;
        }
    }

    /// Ends all faults: everything is up again, and thawed.
    pub async fn heal(&mut self) {
        for victim in &mut self.victims {
            victim.recover(true).await;
        }
    }

    /// Lets so many faults happen, with a pause between two drawn up to `pace`, and heals.
    pub async fn torment(&mut self, faults: usize, pace: Duration) {
        for _ in 0..faults {
            self.strike().await;
            let until = clock::now() + self.rest(pace);
            while clock::now() < until {
                // sleep: the pause between two faults is part of the fault.
                tokio::time::sleep(Duration::from_millis(10)).await;
                self.recover().await;
            }
        }
        self.heal().await;
    }

    fn rest(&mut self, pace: Duration) -> Duration {
        let most = u64::try_from(pace.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.rng.between(0, most))
    }
}

impl fmt::Debug for Nemesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nemesis").field("victims", &self.victims.len()).finish_non_exhaustive()
    }
}

fn draw<T: Copy, U: Copy>(all: &[(u32, T, U)], rng: &mut Rng) -> Option<(T, U)> {
    let total: u64 = all.iter().map(|(weight, ..)| u64::from(*weight)).sum();
    let mut left = rng.between(1, total);
    for (weight, at, fault) in all {
        match left.checked_sub(u64::from(*weight)) {
            Some(0) | None if *weight > 0 => return Some((*at, *fault)),
            Some(rest) => left = rest,
            None => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_drawn_as_often_as_it_weighs_and_the_same_for_the_same_seed() {
        let all = [(1, 'a', ()), (0, 'b', ()), (3, 'c', ())];
        let draws = |seed| -> String {
            let mut rng = Rng::seeded(seed);
            (0..4000).filter_map(|_| draw(&all, &mut rng)).map(|(which, ())| which).collect()
        };
        let drawn = draws(7);
        assert_eq!(drawn.len(), 4000);
        let count = drawn.matches('a').count();
        assert!((900..1100).contains(&count), "{count} of 4,000 with a quarter of the weight");
        assert!(!drawn.contains('b'));
        assert_eq!(drawn, draws(7));
        assert_ne!(drawn, draws(8));
        assert_eq!(draw::<(), ()>(&[], &mut Rng::seeded(1)), None);
    }
}
