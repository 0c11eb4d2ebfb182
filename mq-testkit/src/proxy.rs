//! A TCP proxy between a client and a server, which misbehaves on command.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// One of the two ways through a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the server: requests.
    ToServer,
    /// From the server to the client: replies.
    ToClient,
}

/// What happens to the bytes of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Flow {
    /// They are passed on.
    #[default]
    Pass,
    /// They wait, as in a network that drops packets: once the flow passes again, they arrive.
    Hold,
    /// They are read and thrown away.
    Swallow,
}

/// A TCP proxy on a free loopback port. Connections end when it is dropped.
///
/// ```no_run
/// # async fn example(server: mq_testkit::RedisServer) {
/// use mq_testkit::{Direction, Flow, Proxy};
/// let proxy = Proxy::start(server.port()).await;
/// // … connect to proxy.url(), then: requests arrive, replies never do.
/// proxy.set_flow(Direction::ToClient, Flow::Swallow);
/// # }
/// ```
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    rules: watch::Sender<Rules>,
    accepted: AtomicUsize,
    open: AtomicUsize,
    /// Bytes until the next cut, per direction; [`NO_BUDGET`] is no limit.
    budgets: [AtomicI64; 2],
}

#[derive(Debug, Clone, Copy, Default)]
struct Rules {
    flows: [Flow; 2],
    delay: Duration,
    refuse: bool,
    /// Goes up by one with each cut: connections of an older number end.
    cuts: u64,
}

const NO_BUDGET: i64 = i64::MAX;
const CHUNK: usize = 64 * 1024;

impl Proxy {
    /// Starts a proxy to a port on 127.0.0.1, passing everything on.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(target_port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.unwrap_or_else(|error| panic!("no free port: {error}"));
        let port = listener.local_addr().map_or(0, |address| address.port());
        let shared = Arc::new(Shared {
            rules: watch::Sender::new(Rules::default()),
            accepted: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            budgets: [AtomicI64::new(NO_BUDGET), AtomicI64::new(NO_BUDGET)],
        });
        let accepting = tokio::spawn(accept(listener, target_port, Arc::clone(&shared)));
        Self { port, shared, accepting }
    }

    /// The port to connect to on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address as a Redis URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends all connections there are; new ones are welcome.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Ends all connections as soon as so many more bytes have passed in this direction, in all
    /// connections together; the last chunk is torn at exactly that place.
    pub fn cut_after(&self, direction: Direction, bytes: u32) {
        self.shared.budgets[direction as usize].store(i64::from(bytes), Ordering::SeqCst);
    }

    /// From now on new connections are closed at once (`true`) or welcome (`false`).
    pub fn refuse(&self, refuse: bool) {
        self.shared.rules.send_modify(|rules| rules.refuse = refuse);
    }

    /// Delays each chunk of bytes in each direction.
    pub fn set_delay(&self, delay: Duration) {
        self.shared.rules.send_modify(|rules| rules.delay = delay);
    }

    /// Decides what happens to bytes of a direction, in present connections too.
    pub fn set_flow(&self, direction: Direction, flow: Flow) {
        self.shared.rules.send_modify(|rules| rules.flows[direction as usize] = flow);
    }

    /// Holds everything in both directions, with the connections open.
    pub fn black_hole(&self) {
        self.set_flow(Direction::ToServer, Flow::Hold);
        self.set_flow(Direction::ToClient, Flow::Hold);
    }

    /// Behaves again: passes everything, at once, for everybody.
    pub fn heal(&self) {
        for budget in &self.shared.budgets {
            budget.store(NO_BUDGET, Ordering::SeqCst);
        }
        self.shared
            .rules
            .send_modify(|rules| *rules = Rules { cuts: rules.cuts, ..Rules::default() });
    }

    /// How many connections were accepted since the start, refused ones too.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open now.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.shared.cut();
    }
}

impl Shared {
    fn cut(&self) {
        self.rules.send_modify(|rules| rules.cuts += 1);
    }

    /// How many of `len` bytes may pass before the connections are cut.
    fn spend(&self, direction: Direction, len: usize) -> (usize, bool) {
        let budget = &self.budgets[direction as usize];
        let left = budget.load(Ordering::SeqCst);
        if left == NO_BUDGET {
            return (len, false);
        }
        let pass = usize::try_from(left).unwrap_or(0).min(len);
        let left = left - pass as i64;
        budget.store(if left == 0 { NO_BUDGET } else { left }, Ordering::SeqCst);
        (pass, left == 0)
    }
}

async fn accept(listener: TcpListener, target_port: u16, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        shared.accepted.fetch_add(1, Ordering::SeqCst);
        if shared.rules.borrow().refuse {
            continue;
        }
        let rules = shared.rules.subscribe();
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            if let Ok(server) = TcpStream::connect(("127.0.0.1", target_port)).await {
                shared.open.fetch_add(1, Ordering::SeqCst);
                connection(client, server, &shared, rules).await;
                shared.open.fetch_sub(1, Ordering::SeqCst);
            }
        });
    }
}

async fn connection(
    client: TcpStream,
    server: TcpStream,
    shared: &Arc<Shared>,
    mut rules: watch::Receiver<Rules>,
) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let cuts = rules.borrow().cuts;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let there = pump(from_client, to_server, Direction::ToServer, shared, rules.clone());
    let back = pump(from_server, to_client, Direction::ToClient, shared, rules.clone());
    tokio::select! {
        _ = rules.wait_for(|rules| rules.cuts != cuts) => {}
        // A half that has ended ends its direction only; the other may still have a reply.
        _ = async { tokio::join!(there, back) } => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    shared: &Shared,
    mut rules: watch::Receiver<Rules>,
) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        let Rules { delay, .. } = *rules.borrow_and_update();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let flow = |rules: &Rules| rules.flows[direction as usize];
        let passing = rules.wait_for(|rules| flow(rules) != Flow::Hold).await;
        let Ok(swallow) = passing.map(|rules| flow(&rules) == Flow::Swallow) else { break };
        let (pass, cut) = shared.spend(direction, len);
        if !swallow && to.write_all(&buffer[..pass]).await.is_err() {
            break;
        }
        if cut {
            shared.cut();
        }
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    /// A server that answers each byte with the same byte.
    async fn echo() -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        port
    }

    async fn client(proxy: &Proxy) -> TcpStream {
        TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap()
    }

    async fn ask(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
        stream.write_all(text).await?;
        hear(stream, text.len()).await
    }

    async fn hear(stream: &mut TcpStream, len: usize) -> std::io::Result<Vec<u8>> {
        let mut reply = vec![0; len];
        let read = tokio::time::timeout(Duration::from_millis(200), stream.read_exact(&mut reply));
        read.await.map_err(|_| Error::from(ErrorKind::TimedOut))??;
        Ok(reply)
    }

    #[tokio::test]
    async fn it_passes_everything_until_told_otherwise_and_counts() {
        let proxy = Proxy::start(echo().await).await;
        let mut stream = client(&proxy).await;
        assert_eq!(ask(&mut stream, b"hello").await.unwrap(), b"hello");
        assert_eq!((proxy.accepted(), proxy.open()), (1, 1));
        proxy.cut();
        assert_ne!(ask(&mut stream, b"x").await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(ask(&mut client(&proxy).await, b"again").await.unwrap(), b"again");
    }

    #[tokio::test]
    async fn held_bytes_arrive_when_it_heals_and_swallowed_ones_never() {
        let proxy = Proxy::start(echo().await).await;
        let mut stream = client(&proxy).await;
        proxy.black_hole();
        assert_eq!(ask(&mut stream, b"a").await.unwrap_err().kind(), ErrorKind::TimedOut);
        proxy.heal();
        assert_eq!(hear(&mut stream, 1).await.unwrap(), b"a");
        proxy.set_flow(Direction::ToClient, Flow::Swallow);
        assert_eq!(ask(&mut stream, b"b").await.unwrap_err().kind(), ErrorKind::TimedOut);
        proxy.heal();
        assert_eq!(ask(&mut stream, b"c").await.unwrap(), b"c");
    }

    #[tokio::test]
    async fn a_cut_can_be_placed_at_a_byte() {
        let proxy = Proxy::start(echo().await).await;
        let mut stream = client(&proxy).await;
        proxy.cut_after(Direction::ToClient, 3);
        stream.write_all(b"hello").await.unwrap();
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard).await;
        assert_eq!(heard, b"hel");
    }

    #[tokio::test]
    async fn refused_connections_end_at_once() {
        let proxy = Proxy::start(echo().await).await;
        proxy.refuse(true);
        let mut stream = client(&proxy).await;
        assert_ne!(ask(&mut stream, b"x").await.unwrap_err().kind(), ErrorKind::TimedOut);
    }
}
