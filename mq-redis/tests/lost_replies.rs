//! A request that was cut off at any byte, before or after it was applied, is applied once.

#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

mod kit;

use std::future::Future;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use kit::*;
use mq_core::engine::{About, Act, Engine, EngineErrorKind, NewJob, Stored};
use mq_core::{JobId, State, WorkerId};
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
    /// What befalls the connection on which this is said next.
    bait: Mutex<Option<(Vec<u8>, Trap)>>,
    is_closed: AtomicBool,
    released: Condvar,
    late_chunks: AtomicUsize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trap {
    /// It is held up from then on.
    Hold,
    /// What was said arrives and is not answered, and nobody can connect again.
    Cut,
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
                if shared.is_closed.load(Ordering::SeqCst) {
                    continue;
                }
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
            match self.trap(&buffer[..len]) {
                Some(Trap::Hold) => *held = Some(number),
                // Before the server can answer.
                Some(Trap::Cut) => from.shutdown(Shutdown::Both).unwrap(),
                None => {}
            }
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

    /// What befalls who has said this; once.
    fn trap(&self, said: &[u8]) -> Option<Trap> {
        let mut bait = self.bait.lock().unwrap();
        let (text, _) = bait.as_ref()?;
        if !said.windows(text.len()).any(|part| part == text) {
            return None;
        }
        let trap = bait.take().map(|(_, trap)| trap);
        self.is_closed.store(trap == Some(Trap::Cut), Ordering::SeqCst);
        trap
    }

    /// Holds the newest connection up.
    fn hold(&self) {
        *self.held.lock().unwrap() = Some(self.accepted.load(Ordering::SeqCst) - 1);
    }

    fn set_trap(&self, text: &str, trap: Trap) {
        *self.bait.lock().unwrap() = Some((text.as_bytes().to_vec(), trap));
    }

    fn release(&self) {
        self.is_closed.store(false, Ordering::SeqCst);
        *self.held.lock().unwrap() = None;
        self.released.notify_all();
    }

    /// Lets what was held up through, and waits until the server has seen it.
    async fn arrive(&self, engine: &Arc<dyn Engine>) {
        assert!(self.held.lock().unwrap().is_some(), "nothing was held up");
        self.release();
        let is_late = async || self.late_chunks.load(Ordering::SeqCst) > 0;
        eventually("the late request has arrived", is_late).await;
        self.late_chunks.store(0, Ordering::SeqCst);
        // The server takes its connections in turn.
        for _ in 0..2 {
            engine.ping().await.unwrap();
        }
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

        detour.arrive(&connect(&server).await).await;
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

/// An operator whose line has a detour, and another one who is near.
async fn operators() -> (RedisServer, Arc<Detour>, [Arc<dyn Engine>; 2]) {
    let server = RedisServer::start();
    let (detour, port) = Detour::start(server.port());
    let far = try_connect(&format!("redis://127.0.0.1:{port}?response_timeout=200ms")).await;
    let near = connect(&server).await;
    // From here on the server knows the scripts, so that each request is sent once.
    near.pause(&queue("q")).await.unwrap();
    near.resume(&queue("q")).await.unwrap();
    assert_eq!(near.import(vec![foreign("other")]).await.unwrap(), [Act::Applied]);
    (server, detour, [far.unwrap(), near])
}

fn foreign(name: &str) -> Stored {
    let NewJob { queue, id, record, .. } = job(name);
    let (state, history, at_ms, worker) = (State::Ready, None, None, None);
    Stored { id, queue, state, record, history, at_ms, worker, cancel_requested: false }
}

/// Asks, and has gone before the request is repeated: it was never applied, and is on its way.
async fn ask_and_leave<T: Send + 'static>(
    detour: &Detour,
    bait: &str,
    request: impl Future<Output = T> + Send + 'static,
) {
    detour.set_trap(bait, Trap::Hold);
    let caller = tokio::spawn(request);
    eventually("the request is held up", async || detour.held.lock().unwrap().is_some()).await;
    caller.abort();
    assert!(caller.await.is_err_and(|error| error.is_cancelled()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_operator_has_left_does_not_undo_what_came_after_it() {
    let (server, detour, [far, near]) = operators().await;
    let (q, job) = (queue("q"), foreign("q"));
    let (there, moved) = (far.clone(), job.clone());
    let bait = job.id.to_string();
    ask_and_leave(&detour, &bait, async move { there.import(vec![moved]).await }).await;
    assert_eq!(near.import(vec![job.clone()]).await.unwrap(), [Act::Applied]);
    near.delete(&q, &[job.id]).await.unwrap();
    detour.arrive(&near).await;
    assert_each_once(&mut Admin::of(&server), "q", &[]);

    ask_and_leave(&detour, "{q}:paused", async move { far.pause(&queue("q")).await }).await;
    near.pause(&q).await.unwrap();
    near.resume(&q).await.unwrap();
    detour.arrive(&near).await;
    assert_eq!(near.stats(&q).await.unwrap().paused_since_ms, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_import_does_not_bring_a_job_again_that_has_ended() {
    for is_last in [true, false] {
        let (server, detour, [far, near]) = operators().await;
        let (moved, mut there) = (foreign("q"), Vec::new());
        detour.set_trap(&moved.id.to_string(), Trap::Hold);
        assert_eq!(far.import(vec![moved.clone()]).await.unwrap(), [Act::Applied]);
        near.delete(&queue("q"), &[moved.id]).await.unwrap();
        if !is_last {
            let other = foreign("q");
            far.import(vec![other.clone()]).await.unwrap();
            there.push(other.id);
        }
        detour.arrive(&near).await;
        assert_each_once(&mut Admin::of(&server), "q", &there);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_ends_before_its_import_is_answered_does_not_come_again() {
    let (server, detour, [far, near]) = operators().await;
    let (q, job) = (queue("q"), foreign("q"));
    detour.set_trap(&job.id.to_string(), Trap::Cut);
    let moved = job.clone();
    let caller = tokio::spawn(async move { far.import(vec![moved]).await });
    let mut admin = Admin::of(&server);
    eventually("the job is stored", async || admin.stored("q").1 == 1).await;
    near.delete(&q, &[job.id]).await.unwrap();
    // Another request of another kind in between.
    near.resume(&q).await.unwrap();
    detour.release();
    assert_eq!(caller.await.unwrap().unwrap(), [Act::Already]);
    assert_each_once(&mut admin, "q", &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_pause_or_resume_does_not_undo_what_came_after_it() {
    let (_server, detour, [far, near]) = operators().await;
    let q = queue("q");
    let is_paused = async || near.stats(&q).await.unwrap().paused_since_ms.is_some();
    detour.set_trap("{q}:paused", Trap::Hold);
    far.pause(&q).await.unwrap();
    assert!(is_paused().await);
    near.resume(&q).await.unwrap();
    detour.arrive(&near).await;
    assert!(!is_paused().await, "a late pause was obeyed");

    near.pause(&q).await.unwrap();
    detour.set_trap("{q}:paused", Trap::Hold);
    far.resume(&q).await.unwrap();
    near.pause(&q).await.unwrap();
    detour.arrive(&near).await;
    assert!(is_paused().await, "a late resume was obeyed");
}
