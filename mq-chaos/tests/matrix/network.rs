//! A network that is slow, small, or leads elsewhere: F41, F43, F45 and F46.

use std::net::TcpListener;
use std::time::Duration;

use mq_chaos::{Chaos, Fleet, LEASE, Scene, Tier, Usage, apart, chance, compile_shim, lasts};
use mq_core::clock;
use mq_testkit::{Proxy, RedisServer, ask};

use crate::{WORKER, rows, until_at_work};

rows! {
    Commit: f45_messages_that_arrive_byte_by_byte_are_understood;
    Nightly:
        f41_a_slow_line_keeps_leases_and_is_used_well,
        f41_a_narrow_line_keeps_leases,
        f43_refused_and_reset_connections_are_made_again_at_leisure,
        f43_an_address_that_leads_elsewhere_is_followed,
        f43_a_name_that_leads_elsewhere_is_resolved_anew,
        f45_a_reply_that_takes_longer_than_the_patience_comes_through;
    Release:
        f46_fifty_workers_come_back_one_after_the_other;
}

const BACK_MAX: Duration = Duration::from_secs(5);

/// Workers behind a proxy while `fault` does its work; producers reach the store all along. The
/// verdict includes that nothing ran twice and nobody was taken for dead.
async fn behind_a_proxy(server: &RedisServer, fault: impl AsyncFnOnce(&Proxy, &Scene)) -> Scene {
    leased_behind_a_proxy(server, LEASE, fault).await
}

/// The same with workers that have another lease.
async fn leased_behind_a_proxy(
    server: &RedisServer,
    lease: Duration,
    fault: impl AsyncFnOnce(&Proxy, &Scene),
) -> Scene {
    let proxy = Proxy::start(server.port()).await;
    let scene = Scene::new(&server.url()).await;
    let mut settings = scene.settings(lease);
    settings.url = proxy.url();
    let fault = async |scene: &Scene| fault(&proxy, scene).await;
    let (scene, unexplained) = apart(WORKER, scene, settings, 100, fault).await;
    assert_eq!(unexplained, 0);
    let stats = scene.stats().await;
    assert_eq!(stats.interrupted_total, 0, "{stats:#?}");
    scene
}

/// F41: up to a round trip of a fifth of the lease, nobody is taken for dead; and one request
/// brings as many jobs as there are free slots, so that the line is not waited for job by job.
async fn f41_a_slow_line_keeps_leases_and_is_used_well() {
    let seconds = Tier::of_this_run().pick(5, 20, 120);
    for (one_way_ms, jitter_ms) in [(5, 5), (200, 50), (1_400, 100)] {
        let server = RedisServer::start();
        let fault = async |proxy: &Proxy, scene: &Scene| {
            proxy.set_delay(Duration::from_millis(one_way_ms));
            proxy.set_jitter(Duration::from_millis(jitter_ms));
            let before = scene.starts();
            lasts(Duration::from_secs(seconds)).await;
            let ran = (scene.starts() - before) as u64;
            let trip_ms = 2 * (one_way_ms + jitter_ms);
            // Sixteen slots, filled and told of once per round trip; a third of that is asked for,
            // and a tenth where round trips are shorter than the machine is quick.
            let full = 16 * seconds * 1000 / (trip_ms + 5);
            let least = if trip_ms < 100 { full / 10 } else { full / 3 };
            eprintln!("{trip_ms} ms there and back: {ran} jobs in {seconds} s, of {full}");
            assert!(ran >= least.min(200 * seconds), "{ran} jobs of {full}");
            proxy.heal();
        };
        behind_a_proxy(&server, fault).await;
    }
}

/// F41: 64 KB per second.
async fn f41_a_narrow_line_keeps_leases() {
    let server = RedisServer::start();
    let fault = async |proxy: &Proxy, scene: &Scene| {
        proxy.set_bandwidth(64 * 1024);
        let before = scene.starts();
        lasts(Duration::from_secs(Tier::of_this_run().pick(5, 20, 120))).await;
        let ran = scene.starts() - before;
        eprintln!("64 KB/s: {ran} jobs");
        assert!(ran > 100, "only {ran} jobs");
        proxy.heal();
    };
    behind_a_proxy(&server, fault).await;
}

/// F43: connections are refused, reset when they have come about, or never answered. Workers try
/// again with growing pauses, and are back soon after.
async fn f43_refused_and_reset_connections_are_made_again_at_leisure() {
    let mut rng = chance();
    let rounds = Tier::of_this_run().pick(2, 6, 60);
    let server = RedisServer::start();
    let fault = async |proxy: &Proxy, scene: &Scene| {
        for round in 0..rounds {
            scene.note("refused");
            proxy.refuse(true);
            proxy.cut();
            let before = proxy.accepted();
            lasts(Duration::from_secs(5)).await;
            let tries = proxy.accepted() - before;
            // Two workers with three connections each; the pauses have a mean of about a second.
            assert!(tries <= 2 * 3 * 10, "{tries} tries in 5 s");
            proxy.heal();
            until_at_work(scene, BACK_MAX).await;

            scene.note("reset");
            for _ in 0..20 {
                proxy.cut();
                lasts(Duration::from_millis(rng.between(1, 300))).await;
            }
            until_at_work(scene, BACK_MAX).await;

            scene.note("mute");
            proxy.mute(true);
            proxy.cut();
            lasts(Duration::from_secs(rng.between(1, 9))).await;
            proxy.heal();
            proxy.cut();
            until_at_work(scene, BACK_MAX).await;
            eprintln!("round {round}: {tries} tries while refused");
        }
    };
    // One worker that is back is enough to go on: the other may be away through all of a round.
    leased_behind_a_proxy(&server, LEASE * 4, fault).await;
}

/// F43: the server moves; the same address leads to where it is now.
async fn f43_an_address_that_leads_elsewhere_is_followed() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port()).await;
    // Producers move along: everybody goes through the proxy.
    let fault = async |scene: &Scene| {
        let mut port = server.port();
        for _ in 0..Tier::of_this_run().pick(1, 5, 50) {
            let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr());
            let next = free.expect("a free port").port();
            let moved = ask(port, &["CONFIG", "SET", "port", &next.to_string()]).await;
            assert_eq!(moved, "+OK\r\n");
            port = next;
            // What was connected is gone, and for a while nobody knows where to.
            ask(port, &["CLIENT", "KILL", "TYPE", "normal"]).await;
            lasts(Duration::from_secs(1)).await;
            proxy.set_target(port);
            until_at_work(scene, BACK_MAX).await;
        }
    };
    let (_, unexplained) = mq_chaos::under_load(WORKER, &proxy.url(), 100, fault).await;
    assert_eq!(unexplained, 0);
}

/// F43: a name that has another address now, as when a server moves to another machine. Workers ask
/// for it by each try to connect: nobody is at the address that they had.
async fn f43_a_name_that_leads_elsewhere_is_resolved_anew() {
    const NAME: &str = "store.mq.test";
    // All of these lead to this machine; producers and whoever looks take the first.
    let address = |number: u32| format!("127.0.0.{}", 2 + number % 200);
    let server = RedisServer::with(&["--bind", "127.0.0.1", &address(0)]);
    let scene = Scene::new(&server.url()).await;
    let file = |name: &str| scene.dir().join(name);
    let (answer, asked) = (file("address"), file("asked"));
    let tell = |address: &str| std::fs::write(&answer, address).expect("the file of the resolver");
    let count = || std::fs::read_to_string(&asked).map_or(0, |text| text.lines().count());
    tell(&address(0));
    let mut settings = scene.settings(LEASE);
    settings.url = format!("redis://{NAME}:{}", server.port());
    settings.more.extend([
        ("LD_PRELOAD", compile_shim(scene.dir(), "names").display().to_string()),
        ("MQ_NAME", NAME.to_owned()),
        ("MQ_ADDRESS", answer.display().to_string()),
        ("MQ_ASKED", asked.display().to_string()),
    ]);
    let fault = async |scene: &Scene| {
        for round in 1..=Tier::of_this_run().pick(2, 6, 60) {
            let before = count();
            // For a while the name has no address at all, or the old one.
            if round % 2 == 0 {
                tell("");
            }
            let bind = format!("127.0.0.1 {}", address(round));
            assert_eq!(server.ask(&["CONFIG", "SET", "bind", &bind]).await, "+OK\r\n");
            server.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await;
            lasts(Duration::from_secs(1)).await;
            tell(&address(round));
            until_at_work(scene, BACK_MAX).await;
            let questions = count() - before;
            eprintln!("round {round}: {questions} questions");
            assert!(questions >= 4, "{questions} questions of two workers that had no connection");
        }
    };
    let (_, unexplained) = apart(WORKER, scene, settings, 100, fault).await;
    assert_eq!(unexplained, 0);
}

/// F45: every reply and every request in pieces of one byte.
async fn f45_messages_that_arrive_byte_by_byte_are_understood() {
    let server = RedisServer::start();
    let fault = async |proxy: &Proxy, scene: &Scene| {
        proxy.set_piece(1);
        // The scripts go through as well, when the connections are made anew.
        proxy.cut();
        let began = clock::now();
        let jobs = Tier::of_this_run().pick(50, 1_000, 10_000);
        scene.until_started(scene.starts() + jobs).await;
        eprintln!("{jobs} jobs byte by byte in {:?}", began.elapsed());
        proxy.heal();
    };
    behind_a_proxy(&server, fault).await;
}

/// The most memory that a process had, in KB.
fn peak_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
    peak.unwrap_or_else(|| panic!("no peak for {pid}"))
}

/// F45: 10 MB in one reply, over a line that needs 10 s for it: longer than silence is borne.
async fn f45_a_reply_that_takes_longer_than_the_patience_comes_through() {
    const MB: u64 = 1024 * 1024;
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port()).await;
    let scene = Scene::new(&server.url()).await;
    let mut large = Chaos::many(0..10, 1);
    // With the rest of the payload they are as large as may be.
    large.iter_mut().for_each(|job| job.padding = "x".repeat(MB as usize - 1024));
    for job in large {
        // One by one: the line of the producer is not what this is about.
        scene.enqueue(&[job]).await;
    }
    let mut settings = scene.settings(Duration::from_secs(60));
    settings.url = proxy.url();
    settings.concurrency = 10;
    let mut fleet = Fleet::start(WORKER, settings, 0);
    proxy.set_bandwidth(MB as u32);
    let at = fleet.add(None);
    let stats = scene.rest().await;
    let peak = peak_kb(fleet.worker(at).pid());
    eprintln!("10 MB in one reply: the worker had {peak} KB at most");
    assert_eq!((stats.done_total, stats.interrupted_total), (10, 0), "{stats:#?}");
    let account = scene.judge().await;
    assert_eq!(account.unexplained(), 0);
    // Some 15 MB without any job; the reply as it comes, the jobs in it, and their payloads.
    assert!(peak < 15 * 1024 + 6 * 10 * 1024, "{peak} KB");
    assert!(fleet.stop().iter().all(|code| *code == Some(0)));
}

/// F46: after a minute without the server, fifty workers come back over more than 3 s, all of them
/// within the 5 s of P7, and keep the server busy for a part of that time only.
async fn f46_fifty_workers_come_back_one_after_the_other() {
    const SLICE: Duration = Duration::from_millis(100);
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port()).await;
    let scene = Scene::new(&server.url()).await;
    let mut settings = scene.settings(LEASE);
    settings.url = proxy.url();
    settings.concurrency = 1;
    let fleet = Fleet::start(WORKER, settings, 50);
    scene.until("50 workers", |stats| stats.workers >= 50).await;
    // Each has a housekeeper that joins, too, and is counted by nobody: a join that is cut off
    // leaves a name for which no fault accounts.
    lasts(LEASE / 5).await;
    proxy.refuse(true);
    proxy.cut();
    lasts(Duration::from_secs(60)).await;
    let pid = server.pid().expect("the server runs");
    let cpu_before_ms = Usage::of(pid).cpu_ms;
    proxy.refuse(false);
    let back = clock::now();
    let mut before = proxy.accepted();
    let mut came = Vec::new();
    while back.elapsed() < Duration::from_secs(10) {
        lasts(SLICE).await;
        let now = proxy.accepted();
        came.push((back.elapsed(), now - before));
        before = now;
    }
    let cpu_ms = Usage::of(pid).cpu_ms - cpu_before_ms;
    came.retain(|(_, count)| *count > 0);
    let all: usize = came.iter().map(|(_, count)| count).sum();
    let most = came.iter().map(|(_, count)| *count).max().unwrap_or_default();
    let (first, last) = (came.first().expect("some").0, came.last().expect("some").0);
    let counts: Vec<_> = came.iter().map(|(_, count)| count).collect();
    eprintln!(
        "{all} connections from {first:?} to {last:?}, {cpu_ms} ms of the server: {counts:?}"
    );
    assert!(last - first >= Duration::from_secs(3), "within {:?}", last - first);
    assert!(last <= BACK_MAX, "the last one after {last:?}");
    assert!(most * 4 <= all, "{most} of {all} connections within 100 ms");
    assert!(cpu_ms < 3_000, "{cpu_ms} ms");
    scene.enqueue_all(&Chaos::many(0..500, 5), 50).await;
    scene.rest().await;
    let account = scene.judge().await;
    assert_eq!(account.unexplained(), 0);
    assert!(fleet.stop().iter().all(|code| *code == Some(0)));
}
