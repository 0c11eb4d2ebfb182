//! What operations cost on Redis: a server of one's own behind a meter, and what it says that it
//! has carried out.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use mq::Client;
use mq::engine::Engine;
use mq_testkit::RedisServer;

use crate::meter::{Meter, Traffic};
use crate::operations::{CASES, Case, Stage};
use crate::scene::ROUNDS;
use crate::table::Table;

const ABOUT: &str = "\
    What operations cost on Redis, each with jobs of 100 bytes. Under each: its commands, those in
    scripts included. Written by `MQ_BLESS=1 cargo test --test costs`.
    trips: times that something is sent while nothing is unanswered. commands: sent by the client.
    in scripts: commands that scripts call. sent, received: bytes, as the client sees it";

#[tokio::test]
async fn operations_cost_on_redis_what_is_written() {
    let mut table = Table::new("redis.txt", ABOUT, &Cost::COLUMNS);
    for (name, case) in CASES {
        let cost = cost(case).await;
        table.row(name, &cost.cells(), &cost.parts());
    }
    table.check();
}

/// The least of some rounds, each on a new server.
async fn cost(case: Case) -> Cost {
    let mut costs = Vec::new();
    for _ in 0..ROUNDS {
        let redis = Redis::start().await;
        case.run(&redis).await;
        costs.push(redis.cost().await);
    }
    costs.into_iter().min().unwrap()
}

/// A fresh server, and an engine that reaches it through a meter.
pub(crate) struct Redis {
    engine: Arc<dyn Engine>,
    meter: Meter,
    server: RedisServer,
    start: Mutex<(Traffic, Calls)>,
}

/// How often each command was carried out, inside of scripts and outside.
type Calls = BTreeMap<String, u64>;

/// What something cost. The order is that of the fields: round trips first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cost {
    traffic: Traffic,
    calls: Calls,
}

impl Stage for Redis {
    fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    async fn begin(&self) {
        let traffic = self.meter.traffic().await;
        *self.start.lock().unwrap() = (traffic, calls(self.server.port()));
    }
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let server = RedisServer::start();
        let meter = Meter::start(server.port());
        let engine = Arc::clone(Client::connect(meter.url()).await.unwrap().engine());
        Self { engine, meter, server, start: Mutex::default() }
    }

    /// What it cost since [`begin`](Stage::begin).
    pub(crate) async fn cost(&self) -> Cost {
        let traffic = self.meter.traffic().await;
        let calls = calls(self.server.port());
        let (traffic_before, calls_before) = &*self.start.lock().unwrap();
        let before = |name: &String| calls_before.get(name).copied().unwrap_or(0);
        let calls = calls.into_iter().map(|(name, count)| (count - before(&name), name));
        let calls = calls.filter(|(count, name)| *count > 0 && name != "info");
        Cost {
            traffic: traffic.since(*traffic_before),
            calls: calls.map(|(count, name)| (name, count)).collect(),
        }
    }
}

impl Cost {
    pub(crate) const COLUMNS: [&str; 5] = ["trips", "commands", "in scripts", "sent", "received"];

    pub(crate) fn cells(&self) -> [u64; 5] {
        let Traffic { trips, commands, sent, received, .. } = self.traffic;
        let in_scripts = self.calls.values().sum::<u64>() - commands;
        [trips, commands, in_scripts, sent, received]
    }

    /// Which commands they were.
    pub(crate) fn parts(&self) -> String {
        let parts = self.calls.iter().map(|(name, count)| format!("{name} {count}"));
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// By a connection of its own, past the meter.
fn calls(port: u16) -> Calls {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"INFO commandstats\r\n").unwrap();
    let (mut stream, mut line) = (BufReader::new(stream), String::new());
    stream.read_line(&mut line).unwrap();
    let mut text = vec![0; line.trim().trim_start_matches('$').parse().unwrap()];
    stream.read_exact(&mut text).unwrap();
    let mut calls = Calls::new();
    for line in String::from_utf8(text).unwrap().lines() {
        let Some((name, counts)) = line.split_once(":calls=") else { continue };
        let count = counts.split(',').next().unwrap().parse().unwrap();
        calls.insert(name.trim_start_matches("cmdstat_").to_owned(), count);
    }
    assert!(!calls.is_empty(), "the server has no figures about commands");
    calls
}
