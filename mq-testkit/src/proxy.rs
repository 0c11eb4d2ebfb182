//! A TCP proxy between a client and a server, which misbehaves on command.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use mq_core::rng::Rng;
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
    /// Bytes that were passed on, per direction.
    passed: [AtomicU64; 2],
    /// Bytes until the next cut, per direction; [`NO_BUDGET`] is no limit.
    budgets: [AtomicI64; 2],
}

#[derive(Debug, Clone, Copy, Default)]
struct Rules {
    target_port: u16,
    flows: [Flow; 2],
    delay: Duration,
    jitter: Duration,
    /// In each direction of each connection, in bytes per second.
    bandwidth: Option<u32>,
    /// Most bytes of one write.
    piece: Option<usize>,
    refuse: bool,
    mute: bool,
    /// Goes up by one with each cut: connections of an older number end.
    cuts: u64,
}

const NO_BUDGET: i64 = i64::MAX;
const CHUNK: usize = 64 * 1024;
/// A slow line passes so many pieces per second, so that nothing waits long for its turn.
const PIECES_PER_SECOND: u32 = 50;

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
            rules: watch::Sender::new(Rules { target_port, ..Rules::default() }),
            accepted: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            passed: Default::default(),
            budgets: [AtomicI64::new(NO_BUDGET), AtomicI64::new(NO_BUDGET)],
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
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

    /// From now on new connections are taken and never answered (`true`), as by a server that
    /// hangs or behind a firewall that forgot it. Those stay silent until they are cut, also when
    /// the proxy behaves again.
    pub fn mute(&self, mute: bool) {
        self.shared.rules.send_modify(|rules| rules.mute = mute);
    }

    /// New connections lead to another port of 127.0.0.1, as when an address passes to another
    /// machine. Present ones stay where they are.
    pub fn set_target(&self, target_port: u16) {
        self.shared.rules.send_modify(|rules| rules.target_port = target_port);
    }

    /// Delays each chunk of bytes in each direction, so a round trip takes twice as long.
    pub fn set_delay(&self, delay: Duration) {
        self.shared.rules.send_modify(|rules| rules.delay = delay);
    }

    /// Lengthens each delay by a time up to this, at random. Bytes stay in order.
    pub fn set_jitter(&self, jitter: Duration) {
        self.shared.rules.send_modify(|rules| rules.jitter = jitter);
    }

    /// Lets no more than so many bytes per second pass in each direction of each connection.
    ///
    /// # Panics
    /// When it is 0; [`Flow::Hold`] lets nothing pass.
    pub fn set_bandwidth(&self, bytes_per_second: u32) {
        assert!(bytes_per_second > 0, "0 bytes per second: use `Flow::Hold`");
        self.shared.rules.send_modify(|rules| rules.bandwidth = Some(bytes_per_second));
    }

    /// Writes at most so many bytes at a time, so that a message arrives in many parts.
    ///
    /// # Panics
    /// When it is 0.
    pub fn set_piece(&self, bytes: usize) {
        assert!(bytes > 0, "a piece has a byte at least");
        self.shared.rules.send_modify(|rules| rules.piece = Some(bytes));
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

    /// Behaves again: passes everything, at once, for everybody. Where it leads to stays.
    pub fn heal(&self) {
        for budget in &self.shared.budgets {
            budget.store(NO_BUDGET, Ordering::SeqCst);
        }
        self.shared.rules.send_modify(|rules| {
            let Rules { cuts, target_port, .. } = *rules;
            *rules = Rules { cuts, target_port, ..Rules::default() };
        });
    }

    /// How many connections were accepted since the start, refused ones too.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many bytes were passed on in this direction since the start, in all connections.
    pub fn passed(&self, direction: Direction) -> u64 {
        self.shared.passed[direction as usize].load(Ordering::SeqCst)
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

impl Rules {
    /// How long the next chunk takes.
    fn latency(&self, rng: &mut Rng) -> Duration {
        let jitter = self.jitter.as_micros() as u64;
        self.delay + Duration::from_micros(if jitter == 0 { 0 } else { rng.between(0, jitter) })
    }

    /// Most bytes of the next write, and how long the line is busy per byte.
    fn pace(&self) -> (usize, Duration) {
        let piece = self.piece.unwrap_or(CHUNK);
        match self.bandwidth {
            None => (piece, Duration::ZERO),
            Some(rate) => {
                let slice = (rate / PIECES_PER_SECOND).max(1) as usize;
                (piece.min(slice), Duration::from_secs(1) / rate)
            }
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        shared.accepted.fetch_add(1, Ordering::SeqCst);
        let Rules { refuse, mute, target_port, cuts, .. } = *shared.rules.borrow();
        if refuse {
            continue;
        }
        let mut rules = shared.rules.subscribe();
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            if mute {
                let _ = rules.wait_for(|rules| rules.cuts != cuts).await;
                drop(client);
            } else if let Ok(server) = TcpStream::connect(("127.0.0.1", target_port)).await {
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
    let mut rng = Rng::random();
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        let latency = rules.borrow_and_update().latency(&mut rng);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let flow = |rules: &Rules| rules.flows[direction as usize];
        let passing = rules.wait_for(|rules| flow(rules) != Flow::Hold).await;
        let Ok(swallow) = passing.map(|rules| flow(&rules) == Flow::Swallow) else { break };
        let (pass, cut) = shared.spend(direction, len);
        if !swallow {
            if deliver(&mut to, &buffer[..pass], &rules).await.is_err() {
                break;
            }
            shared.passed[direction as usize].fetch_add(pass as u64, Ordering::SeqCst);
        }
        if cut {
            shared.cut();
        }
    }
    let _ = to.shutdown().await;
}

/// Writes all bytes, as slowly and in pieces as small as the rules say meanwhile.
async fn deliver(
    to: &mut OwnedWriteHalf,
    mut bytes: &[u8],
    rules: &watch::Receiver<Rules>,
) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let (piece, per_byte) = rules.borrow().pace();
        let (now, later) = bytes.split_at(piece.min(bytes.len()));
        if !per_byte.is_zero() {
            tokio::time::sleep(per_byte * now.len() as u32).await;
        }
        to.write_all(now).await?;
        if !later.is_empty() {
            // The reader's turn, or it would see one piece after all.
            tokio::task::yield_now().await;
        }
        bytes = later;
    }
    Ok(())
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

    const SHORT: Duration = Duration::from_millis(200);

    async fn hear(stream: &mut TcpStream, len: usize) -> std::io::Result<Vec<u8>> {
        within(stream, len, Duration::from_secs(30)).await
    }

    async fn within(it: &mut TcpStream, len: usize, time: Duration) -> std::io::Result<Vec<u8>> {
        let mut reply = vec![0; len];
        let read = tokio::time::timeout(time, it.read_exact(&mut reply));
        read.await.map_err(|_| Error::from(ErrorKind::TimedOut))??;
        Ok(reply)
    }

    /// Hears nothing for a while, and no end either.
    async fn hears_nothing(stream: &mut TcpStream) -> bool {
        within(stream, 1, SHORT).await.is_err_and(|error| error.kind() == ErrorKind::TimedOut)
    }

    #[tokio::test]
    async fn it_passes_everything_until_told_otherwise_and_counts() {
        let proxy = Proxy::start(echo().await).await;
        let mut stream = client(&proxy).await;
        assert_eq!(ask(&mut stream, b"hello").await.unwrap(), b"hello");
        assert_eq!((proxy.accepted(), proxy.open()), (1, 1));
        assert_eq!(proxy.passed(Direction::ToServer), 5);
        proxy.cut();
        assert_ne!(ask(&mut stream, b"x").await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(ask(&mut client(&proxy).await, b"again").await.unwrap(), b"again");
    }

    #[tokio::test]
    async fn held_bytes_arrive_when_it_heals_and_swallowed_ones_never() {
        let proxy = Proxy::start(echo().await).await;
        let mut stream = client(&proxy).await;
        proxy.black_hole();
        stream.write_all(b"a").await.unwrap();
        assert!(hears_nothing(&mut stream).await);
        proxy.heal();
        assert_eq!(hear(&mut stream, 1).await.unwrap(), b"a");
        proxy.set_flow(Direction::ToClient, Flow::Swallow);
        stream.write_all(b"b").await.unwrap();
        assert!(hears_nothing(&mut stream).await);
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

    #[tokio::test]
    async fn a_mute_proxy_takes_connections_and_says_nothing_until_it_cuts_them() {
        let proxy = Proxy::start(echo().await).await;
        proxy.mute(true);
        let mut stream = client(&proxy).await;
        stream.write_all(b"a").await.unwrap();
        assert!(hears_nothing(&mut stream).await);
        proxy.heal();
        assert!(hears_nothing(&mut stream).await);
        assert_eq!(ask(&mut client(&proxy).await, b"b").await.unwrap(), b"b");
        proxy.cut();
        assert_ne!(hear(&mut stream, 1).await.unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn new_connections_lead_to_another_target() {
        let proxy = Proxy::start(1).await;
        assert!(ask(&mut client(&proxy).await, b"nobody is there").await.is_err());
        proxy.set_target(echo().await);
        proxy.heal();
        assert_eq!(ask(&mut client(&proxy).await, b"hello").await.unwrap(), b"hello");
    }

    #[tokio::test]
    async fn a_slow_line_lets_bytes_through_one_after_the_other() {
        let proxy = Proxy::start(echo().await).await;
        let mut stream = client(&proxy).await;
        proxy.set_bandwidth(25);
        stream.write_all(b"abc").await.unwrap();
        let mut first = [0];
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut first));
        read.await.unwrap().unwrap();
        assert_eq!(&first, b"a");
        // 40 ms for each byte: many do not come as soon as one.
        stream.write_all(b"defghijklmn").await.unwrap();
        assert!(within(&mut stream, 13, SHORT).await.is_err());
    }

    #[tokio::test]
    async fn pieces_arrive_in_order_and_complete() {
        let proxy = Proxy::start(echo().await).await;
        proxy.set_piece(1);
        let text: Vec<u8> = (0..=255).cycle().take(3000).collect();
        let mut client = client(&proxy).await;
        client.write_all(&text).await.unwrap();
        assert_eq!(hear(&mut client, text.len()).await.unwrap(), text);
    }

    #[test]
    fn delays_and_pieces_follow_the_rules() {
        let mut rng = Rng::seeded(1);
        let (delay, jitter) = (Duration::from_millis(5), Duration::from_millis(3));
        let rules = Rules { delay, jitter, ..Rules::default() };
        let all: Vec<_> = (0..100).map(|_| rules.latency(&mut rng)).collect();
        assert!(all.iter().all(|latency| (delay..=delay + jitter).contains(latency)));
        assert!(all.iter().any(|latency| *latency != all[0]));
        assert_eq!(rules.pace(), (CHUNK, Duration::ZERO));
        let slow = Rules { bandwidth: Some(1000), ..Rules::default() };
        assert_eq!(slow.pace(), (20, Duration::from_millis(1)));
        let tiny = Rules { piece: Some(1), ..slow };
        assert_eq!(tiny.pace(), (1, Duration::from_millis(1)));
    }
}
