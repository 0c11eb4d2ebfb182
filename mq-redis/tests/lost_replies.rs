//! A request that was cut off at any byte, before or after it was applied, is applied once.

#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

mod kit;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use kit::*;
use mq_core::engine::{About, Engine, EngineErrorKind, NewJob};
use mq_core::{JobId, WorkerId};
use mq_testkit::{Direction, Flow, Proxy, RedisServer};

struct Line {
    server: RedisServer,
    proxy: Proxy,
    engine: Arc<dyn Engine>,
}

/// An engine behind a proxy, with little patience for silence. The user may or may not end
/// connections, which makes two different ways of being safe.
async fn line(may_kill: bool) -> Line {
    let server = RedisServer::start();
    let rule = if may_kill { "+client|kill" } else { "-client|kill" };
    Admin::of(&server).tell(&format!("ACL SETUSER app on >secret ~* &* +@all {rule}"));
    let proxy = Proxy::start(server.port()).await;
    let url = proxy.url().replace("//", "//app:secret@");
    let query = "response_timeout=150ms&connect_timeout=150ms";
    let engine = try_connect(&format!("{url}?{query}")).await.unwrap();
    Line { server, proxy, engine }
}

/// Three callers whose jobs go the plain way, the careful way, and to two queues.
fn callers(round: usize) -> Vec<Vec<NewJob>> {
    vec![vec![job("q"), job("q")], vec![keyed("q", &format!("key-{round}"))], vec![job("q")]]
}

async fn enqueue_all(line: &Line, round: usize, meanwhile: impl AsyncFnOnce()) -> Vec<JobId> {
    let pending: Vec<_> = callers(round)
        .into_iter()
        .map(|jobs| {
            let engine = line.engine.clone();
            let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
            (ids, tokio::spawn(async move { engine.enqueue(jobs, PLENTY).await }))
        })
        .collect();
    meanwhile().await;
    let mut all = Vec::new();
    for (ids, caller) in pending {
        let replies = caller.await.unwrap().unwrap();
        assert!(replies.iter().zip(&ids).all(|(reply, id)| reply.id == *id));
        all.extend(ids);
    }
    all
}

async fn cut_everywhere(may_kill: bool, direction: Direction) {
    let line = line(may_kill).await;
    let mut ids = Vec::new();
    for round in 0..60 {
        line.proxy.cut_after(direction, 13 * round as u32);
        ids.extend(enqueue_all(&line, round, async || {}).await);
        line.proxy.heal();
    }
    assert_each_once(&mut Admin::of(&line.server), "q", &ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_in_the_request() {
    cut_everywhere(true, Direction::ToServer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_in_the_reply() {
    cut_everywhere(true, Direction::ToClient).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_in_the_request_without_the_right_to_end_connections() {
    cut_everywhere(false, Direction::ToServer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_in_the_reply_without_the_right_to_end_connections() {
    cut_everywhere(false, Direction::ToClient).await;
}

/// The network keeps packets back in one direction until they are no longer expected.
async fn delay(may_kill: bool, direction: Direction, flow: Flow) {
    let line = line(may_kill).await;
    let mut ids = Vec::new();
    for round in 0..8 {
        let wait = Duration::from_millis(100 + 60 * round as u64);
        ids.extend(
            enqueue_all(&line, round, async || {
                line.proxy.set_flow(direction, flow);
                // sleep: the length of a fault is part of the fault.
                tokio::time::sleep(wait).await;
                line.proxy.heal();
            })
            .await,
        );
    }
    assert_each_once(&mut Admin::of(&line.server), "q", &ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_arrive_late() {
    delay(true, Direction::ToServer, Flow::Hold).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_arrive_late() {
    delay(true, Direction::ToClient, Flow::Hold).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_never_arrive() {
    delay(true, Direction::ToClient, Flow::Swallow).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_arrive_late_without_the_right_to_end_connections() {
    delay(false, Direction::ToServer, Flow::Hold).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_that_never_arrive_without_the_right_to_end_connections() {
    delay(false, Direction::ToClient, Flow::Swallow).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_done_before_its_producer_hears_of_it_does_not_come_back() {
    for (may_kill, new) in [(true, job("q")), (true, keyed("q", "key")), (false, job("q"))] {
        let line = line(may_kill).await;
        line.engine.enqueue(vec![job("other")], PLENTY).await.unwrap();
        line.proxy.set_flow(Direction::ToClient, Flow::Swallow);
        let caller = enqueue_each(&line.engine, [new.clone()], PLENTY).pop().unwrap();
        let mut admin = Admin::of(&line.server);
        eventually("the job is stored", async || admin.stored("q").1 == 1).await;
        let worker = connect(&line.server).await;
        worker.delete(&queue("q"), &[new.id]).await.unwrap();
        line.proxy.heal();
        let reply = caller.reply.await.unwrap().unwrap();
        assert_eq!((reply[0].id, reply[0].duplicate), (new.id, false));
        assert_eq!(admin.stored("q"), (vec![], 0));
    }
}

/// A way to the server on which one connection can be held up while later ones go through; what it
/// carried arrives at last, also when its client has long gone.
#[derive(Debug, Default)]
struct Detour {
    accepted: AtomicUsize,
    held: Mutex<Option<usize>>,
    released: Condvar,
    late_chunks: AtomicUsize,
}

impl Detour {
    fn start(server_port: u16) -> (Arc<Self>, u16) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let detour = Arc::new(Self::default());
        let shared = detour.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
                let client = client.unwrap();
                let server = TcpStream::connect(("127.0.0.1", server_port)).unwrap();
                let (from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let there = shared.clone();
                thread::spawn(move || there.carry(number, from, &mut to));
                thread::spawn(move || std::io::copy(&mut &server, &mut &client));
            }
        });
        (detour, port)
    }

    fn carry(&self, number: usize, mut from: TcpStream, to: &mut TcpStream) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(len @ 1..) = from.read(&mut buffer) {
            let mut held = self.held.lock().unwrap();
            let is_late = *held == Some(number);
            while *held == Some(number) {
                held = self.released.wait(held).unwrap();
            }
            drop(held);
            // The server may have ended the connection, which is what this is about.
            let _ = to.write_all(&buffer[..len]);
            self.late_chunks.fetch_add(usize::from(is_late), Ordering::SeqCst);
        }
    }

    /// Holds the newest connection up.
    fn hold(&self) {
        *self.held.lock().unwrap() = Some(self.accepted.load(Ordering::SeqCst) - 1);
    }

    fn release(&self) {
        *self.held.lock().unwrap() = None;
        self.released.notify_all();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_arrives_after_its_repeat_does_nothing() {
    for (may_kill, new) in [(true, job("q")), (true, keyed("q", "key")), (false, job("q"))] {
        let server = RedisServer::start();
        let mut admin = Admin::of(&server);
        let rule = if may_kill { "+client|kill" } else { "-client|kill" };
        admin.tell(&format!("ACL SETUSER app on >secret ~* &* +@all {rule}"));
        let (detour, port) = Detour::start(server.port());
        let url = format!("redis://app:secret@127.0.0.1:{port}?response_timeout=200ms");
        let engine = try_connect(&url).await.unwrap();
        engine.enqueue(vec![job("other")], PLENTY).await.unwrap();

        detour.hold();
        let reply = engine.enqueue(vec![new.clone()], PLENTY).await.unwrap();
        assert_eq!((reply[0].id, reply[0].duplicate), (new.id, false));
        let other = job("q");
        engine.enqueue(vec![other.clone()], PLENTY).await.unwrap();
        // Done meanwhile, so that not even its record tells that it was there.
        connect(&server).await.delete(&queue("q"), &[new.id]).await.unwrap();

        detour.release();
        eventually("the late request has arrived", async || {
            detour.late_chunks.load(Ordering::SeqCst) > 0
        })
        .await;
        // The server takes its connections in turn, so by now it has seen the late one too.
        engine.ping().await.unwrap();
        connect(&server).await.ping().await.unwrap();
        assert_each_once(&mut admin, "q", &[other.id]);
    }
}

/// A copy that arrives when the worker was fenced and forgotten would let it in again.
#[tokio::test(flavor = "multi_thread")]
async fn a_join_without_an_answer_is_not_sent_again() {
    let line = line(true).await;
    let mut admin = Admin::of(&line.server);
    let mut sent = move || -> usize {
        let stats: String = admin.ask("INFO commandstats");
        let (_, calls) = stats.split_once("cmdstat_sadd:calls=").unwrap_or_default();
        calls.split(',').next().and_then(|count| count.parse().ok()).unwrap_or(0)
    };
    let (q, lease, about) = (queue("q"), Duration::from_secs(60), About::default());
    let join = async || line.engine.join(&q, WorkerId::random(), lease, &about).await;
    join().await.unwrap();
    assert_eq!(sent(), 1);
    line.proxy.cut_after(Direction::ToClient, 1);
    assert_eq!(join().await.unwrap_err().kind(), EngineErrorKind::Unknown);
    assert_eq!(sent(), 2);
    line.proxy.heal();
    join().await.unwrap();
    assert_eq!(sent(), 3);
}
