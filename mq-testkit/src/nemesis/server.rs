//! Faults of a Redis server.

use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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

/// A command that needs no client, so that no test depends on the one that it tests. A server that
/// cannot be reached is none of its business.
async fn ask(port: u16, words: &[&str]) {
    let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else { return };
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    let answer = async {
        stream.write_all(request.as_bytes()).await?;
        stream.read(&mut [0; 512]).await
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), answer).await;
}

#[async_trait]
impl Victim for Server {
    fn faults(&self) -> Vec<(u32, &'static str)> {
        // One at a time of those that last.
        let weight = if self.lasting.is_some() { 0 } else { 1 };
        vec![(weight, KILL), (weight, FREEZE), (weight, PAUSE), (1, DROP), (1, FLUSH)]
    }

    async fn suffer(&mut self, fault: &'static str, chance: &mut Chance<'_>) {
        let port = self.server.port();
        match fault {
            DROP => {
                chance.blow(fault);
                ask(port, &["CLIENT", "KILL", "TYPE", "normal"]).await;
            }
            FLUSH => {
                chance.blow(fault);
                ask(port, &["SCRIPT", "FLUSH"]).await;
            }
            _ => {
                let time = chance.ms(50, 1_000);
                let lasting = chance.begin(fault).for_time(time);
                self.lasting = Some((fault, lasting));
                let ms = time.as_millis().to_string();
                match fault {
                    KILL => self.server.kill9(),
                    FREEZE => self.server.stop_process(),
                    _ => ask(port, &["CLIENT", "PAUSE", &ms, "ALL"]).await,
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
