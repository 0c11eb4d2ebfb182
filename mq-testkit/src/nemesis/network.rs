//! Faults of the network.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Chance, Lasting, Victim};
use crate::proxy::{Direction, Flow, Proxy};

/// A network between processes and their store that is cut, swallows replies, holds what it was
/// given, and is slow.
#[derive(Debug)]
pub struct Network {
    proxy: Arc<Proxy>,
    lasting: Option<Lasting>,
}

const CUT: &str = "cut connections";
const TEAR: &str = "cut in the middle of a message";
const SWALLOW: &str = "swallow replies";
const HOLD: &str = "black hole";
const DELAY: &str = "slow network";

impl Network {
    /// What passes through this proxy.
    pub fn new(proxy: &Arc<Proxy>) -> Self {
        Self { proxy: Arc::clone(proxy), lasting: None }
    }
}

#[async_trait]
impl Victim for Network {
    fn faults(&self) -> Vec<(u32, &'static str)> {
        // One at a time of those that last.
        let weight = if self.lasting.is_some() { 0 } else { 1 };
        vec![(1, CUT), (weight, TEAR), (weight, SWALLOW), (weight, HOLD), (weight, DELAY)]
    }

    async fn suffer(&mut self, fault: &'static str, chance: &mut Chance<'_>) {
        let both = [Direction::ToServer, Direction::ToClient];
        if fault == CUT {
            chance.blow(fault);
            self.proxy.cut();
            return;
        }
        self.lasting = Some(chance.begin(fault).for_time(chance.ms(50, 1_000)));
        match fault {
            TEAR => {
                let bytes = chance.between(1, 5_000) as u32;
                self.proxy.cut_after(both[chance.between(0, 1) as usize], bytes);
            }
            SWALLOW => self.proxy.set_flow(Direction::ToClient, Flow::Swallow),
            HOLD => self.proxy.black_hole(),
            _ => self.proxy.set_delay(chance.ms(1, 100)),
        }
    }

    async fn recover(&mut self, all: bool) {
        let Some(lasting) = self.lasting.take_if(|it| all || it.is_over()) else { return };
        self.proxy.heal();
        // What was swallowed or torn cannot be given back: these connections are of no use.
        self.proxy.cut();
        lasting.finish();
    }
}
