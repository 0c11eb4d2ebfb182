//! The connection breaks at each byte of each request and each reply: F40. Enqueueing has tests of
//! its own in `mq-redis/tests/lost_replies.rs`.

use mq_chaos::{Tier, chance};
use mq_core::Client;
use mq_core::rng::Rng;
use mq_testkit::{Direction, Proxy, RedisServer, ask};

use crate::operations::{OPERATIONS, Site};
use crate::rows;

rows! {
    Commit: f40_a_cut_at_any_byte_changes_no_answer_and_no_job;
}

/// Lines that are tried side by side: most of the time is spent in waiting to connect again.
const LINES: usize = 8;
/// Sites after which a server is emptied, so that an audit does not get slower and slower.
const SITES_MAX: u32 = 100;

/// A server of its own, with an engine that reaches it through a proxy.
struct Line {
    server: RedisServer,
    proxy: Proxy,
    near: Client,
    far: Client,
    sites: u32,
}

/// What an operation answered and left.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outcome {
    answer: String,
    state: String,
}

/// What is right, and how many bytes it takes in each direction.
struct Expected {
    /// Once, and as the answer to a repeat.
    outcomes: [Outcome; 2],
    bytes: [u64; 2],
}

impl Line {
    async fn start() -> Self {
        let server = RedisServer::start();
        let proxy = Proxy::start(server.port()).await;
        let near = Client::connect(server.url()).await.expect("a connection");
        let far = Client::connect(proxy.url()).await.expect("a connection by the proxy");
        Self { server, proxy, near, far, sites: 0 }
    }

    async fn site(&mut self) -> Site {
        self.sites += 1;
        if self.sites.is_multiple_of(SITES_MAX) {
            assert_eq!(ask(self.server.port(), &["FLUSHALL"]).await, "+OK\r\n");
        }
        Site::prepare(self.near.engine(), self.sites).await
    }

    /// Asks by the proxy, together with somebody who asks for something else by the same
    /// connection and must get just that.
    async fn outcome(&self, site: &Site, operation: &str) -> Outcome {
        let engine = self.far.engine();
        let (answer, ()) = tokio::join!(site.run(engine, operation), site.look(engine));
        Outcome { answer, state: site.state(self.near.engine()).await }
    }

    /// Connects if there is no connection: what is counted and cut is the operation, and not the
    /// scripts that a new connection loads.
    async fn is_there(&self) {
        let pong = self.far.engine().ping().await;
        pong.unwrap_or_else(|error| panic!("no connection by the proxy: {error}"));
    }

    async fn expected(&mut self, operation: &str) -> Expected {
        let site = self.site().await;
        self.is_there().await;
        let passed =
            |proxy: &Proxy| [Direction::ToServer, Direction::ToClient].map(|d| proxy.passed(d));
        let before = passed(&self.proxy);
        let once = self.outcome(&site, operation).await;
        let after = passed(&self.proxy);
        let twice = self.outcome(&site, operation).await;
        assert_eq!(once.state, twice.state, "{operation}: a repeat changed something");
        Expected { outcomes: [once, twice], bytes: [0, 1].map(|at| after[at] - before[at]) }
    }

    async fn cut(&mut self, operation: &str, expected: &Expected, direction: Direction, at: u32) {
        let site = self.site().await;
        self.is_there().await;
        self.proxy.cut_after(direction, at);
        let outcome = self.outcome(&site, operation).await;
        self.proxy.heal();
        let what = format!("{operation}, cut {direction:?} after {at} bytes");
        // Sent once and not repeated: the worker takes another name.
        let is_in_doubt = operation == "join" && outcome.answer.starts_with("refused");
        assert!(
            is_in_doubt || expected.outcomes.contains(&outcome),
            "{what}: {outcome:#?} is none of {:#?}",
            expected.outcomes
        );
        site.assert_whole(self.near.engine(), &what).await;
    }
}

/// The places to cut at: all, or with each commit some that are drawn.
fn places(bytes: u64, tier: Tier, rng: &mut Rng) -> Vec<u32> {
    match tier {
        Tier::Commit => (0..2).map(|_| rng.between(0, bytes) as u32).collect(),
        Tier::Nightly | Tier::Release => (0..=bytes as u32).collect(),
    }
}

async fn each_of(operations: Vec<&'static str>, tier: Tier, mut rng: Rng) -> usize {
    let mut line = Line::start().await;
    let mut cuts = 0;
    for operation in operations {
        let expected = line.expected(operation).await;
        for direction in [Direction::ToServer, Direction::ToClient] {
            for at in places(expected.bytes[direction as usize], tier, &mut rng) {
                line.cut(operation, &expected, direction, at).await;
                cuts += 1;
            }
        }
        if tier > Tier::Commit {
            eprintln!("{operation}: {:?} bytes there and back", expected.bytes);
        }
    }
    cuts
}

async fn f40_a_cut_at_any_byte_changes_no_answer_and_no_job() {
    let (tier, mut rng) = (Tier::of_this_run(), chance());
    let mut lines = Vec::new();
    for number in 0..LINES {
        let mine = OPERATIONS.iter().copied().skip(number).step_by(LINES).collect();
        lines.push(tokio::spawn(each_of(mine, tier, Rng::seeded(rng.next_u64()))));
    }
    let mut cuts = 0;
    for line in lines {
        cuts += line.await.unwrap_or_else(|error| panic!("{error}"));
    }
    eprintln!("{} operations, {cuts} cuts", OPERATIONS.len());
}
