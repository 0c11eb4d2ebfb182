//! Faults of a Redis server.

use async_trait::async_trait;

use super::{Chance, Lasting, Victim};
use crate::redis_server::RedisServer;

/// A server that is killed, frozen, paused and flushed of its scripts. It should keep its data on
/// disk (`--appendonly yes`), or a kill takes all.
#[derive(Debug)]
pub struct Server {
    server: RedisServer,
    lasting: Option<(&'static str, Lasting)>,
}

const KILL: &str = "kill redis-server";
const FREEZE: &str = "freeze redis-server";
const PAUSE: &str = "CLIENT PAUSE";
const DROP: &str = "CLIENT KILL";
const FLUSH: &str = "SCRIPT FLUSH";

impl Server {
    /// Takes a server over.
    pub fn new(server: RedisServer) -> Self {
        Self { server, lasting: None }
    }
}

#[async_trait]
impl Victim for Server {
    fn faults(&self) -> Vec<(u32, &'static str)> {
        // One at a time of those that last.
        let weight = if self.lasting.is_some() { 0 } else { 1 };
        vec![(weight, KILL), (weight, FREEZE), (weight, PAUSE), (1, DROP), (1, FLUSH)]
    }

    async fn suffer(&mut self, fault: &'static str, chance: &mut Chance<'_>) {
        match fault {
            DROP => {
                chance.blow(fault);
                drop(self.server.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await);
            }
            FLUSH => {
                chance.blow(fault);
                drop(self.server.ask(&["SCRIPT", "FLUSH"]).await);
            }
            _ => {
                let time = chance.ms(50, 1_000);
                let lasting = chance.begin(fault).for_time(time);
                self.lasting = Some((fault, lasting));
                let ms = time.as_millis().to_string();
                match fault {
                    KILL => self.server.kill9(),
                    FREEZE => self.server.stop_process(),
                    _ => drop(self.server.ask(&["CLIENT", "PAUSE", &ms, "ALL"]).await),
                }
            }
        }
    }

    async fn recover(&mut self, all: bool) {
        let Some((fault, lasting)) = self.lasting.take_if(|(_, it)| all || it.is_over()) else {
            return;
        };
        match fault {
            KILL => self.server.restart(),
            FREEZE => self.server.continue_process(),
            _ => {}
        }
        lasting.finish();
    }
}
