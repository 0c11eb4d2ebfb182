//! Counts what goes over the wire between a client and a server that speak RESP.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::{Builder, Runtime};

/// What went over all connections since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Traffic {
    /// Times that something was sent while nothing was unanswered on the connection. A request
    /// that is split exactly between two of its commands counts as two if the first half is
    /// answered before the second is there, which is why the least of several rounds holds.
    pub(crate) trips: u64,
    /// Commands sent.
    pub(crate) commands: u64,
    /// Bytes of them.
    pub(crate) sent: u64,
    /// Bytes of the replies.
    pub(crate) received: u64,
    /// Commands that are not answered yet.
    open: u64,
}

/// A TCP proxy that counts, with threads of its own, so that what it does is no cost of the client.
pub(crate) struct Meter {
    port: u16,
    traffic: Arc<Mutex<Traffic>>,
    runtime: Option<Runtime>,
}

impl Traffic {
    /// What has come since then.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            trips: self.trips - before.trips,
            commands: self.commands - before.commands,
            sent: self.sent - before.sent,
            received: self.received - before.received,
            open: 0,
        }
    }
}

impl Meter {
    /// Starts it before a server on 127.0.0.1.
    pub(crate) fn start(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_io().build().unwrap();
        let traffic = Arc::new(Mutex::new(Traffic::default()));
        let counts = Arc::clone(&traffic);
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&counts)));
            }
        });
        Self { port, traffic, runtime: Some(runtime) }
    }

    /// Where to connect to.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What went over the wire, once everything is answered: a wait whose time is up ends here a
    /// little before it ends on the server.
    pub(crate) async fn traffic(&self) -> Traffic {
        loop {
            let traffic = *self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
            if traffic.open == 0 {
                return traffic;
            }
            // sleep: polls; a server that never answers is ended by the limit of the whole run.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Not awaited: it is dropped inside of other runtimes.
            runtime.shutdown_background();
        }
    }
}

/// One connection.
struct Wire {
    /// What has come of a command and of a reply that are not complete yet.
    command: Vec<u8>,
    reply: Vec<u8>,
    /// Commands without a reply.
    open: u64,
    traffic: Arc<Mutex<Traffic>>,
}

impl Wire {
    fn sent(&mut self, bytes: &[u8]) {
        let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        if self.open == 0 && self.command.is_empty() {
            traffic.trips += 1;
        }
        let count = take_values(&mut self.command, bytes);
        self.open += count;
        traffic.open += count;
        traffic.commands += count;
        traffic.sent += bytes.len() as u64;
    }

    fn received(&mut self, bytes: &[u8]) {
        let count = take_values(&mut self.reply, bytes);
        let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        self.open -= count;
        traffic.open -= count;
        traffic.received += bytes.len() as u64;
    }
}

async fn pass(client: TcpStream, server: TcpStream, traffic: Arc<Mutex<Traffic>>) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let wire = Wire { command: Vec::new(), reply: Vec::new(), open: 0, traffic };
    let wire = Mutex::new(wire);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        pump(from_client, to_server, |bytes| wire.lock().unwrap().sent(bytes)),
        pump(from_server, to_client, |bytes| wire.lock().unwrap().received(bytes)),
    );
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, count: impl Fn(&[u8])) {
    let mut buffer = vec![0; 256 * 1024];
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        // First: what comes of these bytes must find them counted.
        count(&buffer[..len]);
        if to.write_all(&buffer[..len]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

/// Adds bytes to what is there and takes all complete values off its front; returns how many.
fn take_values(rest: &mut Vec<u8>, bytes: &[u8]) -> u64 {
    rest.extend_from_slice(bytes);
    let (mut at, mut count) = (0, 0);
    while let Some(len) = value_len(&rest[at..]) {
        at += len;
        count += 1;
    }
    rest.drain(..at);
    count
}

/// Bytes of the value that begins here; none if it is not all there.
fn value_len(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let number = || std::str::from_utf8(&bytes[1..line]).unwrap().parse::<i64>().unwrap();
    let mut end = line + 2;
    match bytes[0] {
        b'$' => {
            let len = number();
            end += if len < 0 { 0 } else { len as usize + 2 };
        }
        b'*' => {
            for _ in 0..number() {
                end += value_len(bytes.get(end..)?)?;
            }
        }
        b'+' | b'-' | b':' => {}
        other => panic!("{:?} is nothing that RESP2 knows", other as char),
    }
    (end <= bytes.len()).then_some(end)
}

#[test]
fn values_are_counted_however_they_are_cut() {
    let text = b"*2\r\n$4\r\nECHO\r\n$4\r\na\r\nb\r\n:12\r\n*-1\r\n$-1\r\n*2\r\n*1\r\n+x\r\n-y\r\n";
    for cut in 0..text.len() {
        let mut rest = Vec::new();
        let first = take_values(&mut rest, &text[..cut]);
        let second = take_values(&mut rest, &text[cut..]);
        assert_eq!((first + second, rest.len()), (5, 0), "cut at {cut}");
    }
}
