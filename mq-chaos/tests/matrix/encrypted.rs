//! What is peculiar to TLS, and the faults of the network again under it: F35, F42 and F44.

use std::collections::BTreeSet;
use std::time::Duration;

use mq_chaos::{Chaos, LEASE, Scene, Tier, apart, lasts};
use mq_core::clock;
use mq_testkit::{Authority, Direction, Flow, Proxy, RedisServer, ask};

use crate::{WORKER, rows, until_at_work};

rows! {
    Commit:
        f35_a_certificate_that_went_bad_is_told_and_waited_for,
        f42_f44_encrypted_lines_that_fall_silent_or_break_lose_and_double_nothing;
}

const HOST: &str = "127.0.0.1";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Whatever was wrong, workers are back within the time of P7.
const BACK_MAX: Duration = Duration::from_secs(5);

/// Who vouches for a server, and the way there. Workers take it; producers and whoever looks reach
/// the server without encryption, because nobody can change whom the process of the test trusts.
struct Line {
    authority: Authority,
    server: RedisServer,
    proxy: Proxy,
}

impl Line {
    async fn start() -> Self {
        let authority = Authority::new();
        let (server, port) = authority.server(&authority.issue(HOST, DAY));
        Self { authority, server, proxy: Proxy::start(port).await }
    }

    /// Workers take jobs over this line while `fault` does its work. In the end, all is done once.
    async fn under_load(&self, fault: impl AsyncFnOnce(&Scene)) {
        let scene = Scene::new(&self.server.url()).await;
        let mut settings = scene.settings(LEASE);
        settings.url = format!("rediss://{HOST}:{}", self.proxy.port());
        settings.more.push(("SSL_CERT_FILE", self.authority.path().display().to_string()));
        let (scene, unexplained) = apart(WORKER, scene, settings, 100, fault).await;
        assert_eq!(unexplained, 0);
        let stats = scene.stats().await;
        assert_eq!(stats.interrupted_total, 0, "{stats:#?}");
    }

    /// Waits until somebody is at work and both workers are connected, not just the first.
    async fn until_all_are_back(&self, scene: &Scene, limit: Duration) {
        let deadline = clock::now() + limit;
        until_at_work(scene, limit).await;
        let own = std::process::id().to_string();
        loop {
            let clients = ask(self.server.port(), &["CLIENT", "LIST"]).await;
            let names = clients.lines().filter_map(|line| line.split_once(" name=mq-work-"));
            let pids: BTreeSet<_> = names.filter_map(|(_, name)| name.split('-').next()).collect();
            if pids.iter().filter(|pid| **pid != own).count() == 2 {
                return;
            }
            assert!(clock::now() < deadline, "not both workers are back: {clients}");
            lasts(Duration::from_millis(20)).await;
        }
    }

    async fn cut(&self) {
        ask(self.server.port(), &["CLIENT", "KILL", "TYPE", "normal"]).await;
    }
}

/// F35: the server shows another certificate from now on: of a stranger, for somebody else, one
/// that has expired, and one that expires while it is used. Who is connected does not mind; whoever
/// is cut off says what is wrong, tries again at leisure, and goes on when the certificate is good.
async fn f35_a_certificate_that_went_bad_is_told_and_waited_for() {
    let line = Line::start().await;
    let (authority, stranger) = (&line.authority, Authority::new());
    let outage = Duration::from_secs(Tier::of_this_run().pick(2, 15, 90));
    let fault = async |scene: &Scene| {
        // Whoever is refused before it has ever worked ends, and is not who this is about.
        scene.until("both workers", |stats| stats.workers == 2).await;
        for (certificate, lasts_for, words) in [
            (stranger.issue(HOST, DAY), Duration::ZERO, "is not trusted here"),
            (authority.issue("redis.example", DAY), Duration::ZERO, "is for another host"),
            (authority.issue(HOST, Duration::ZERO), Duration::ZERO, "has expired"),
            (authority.issue(HOST, outage), outage, "has expired"),
        ] {
            scene.note(words);
            certificate.install(&line.server).await;
            lasts(lasts_for).await;
            line.until_all_are_back(scene, BACK_MAX).await;
            let (logged, before) = (scene.log().matches(words).count(), line.proxy.accepted());
            let began = scene.recorder().fault_began("certificate", Vec::new());
            line.cut().await;
            lasts(outage).await;
            let tries = line.proxy.accepted() - before;
            let told = scene.log().matches(words).count() - logged;
            eprintln!("{words}: {tries} tries and {told} lines in {outage:?}");
            assert!(told > 0, "not told: {}", scene.log());
            // Two workers with three connections each. The first tries come soon; once the pauses
            // have grown, there is one in two seconds.
            let most = 6 * (8 + outage.as_secs() as usize);
            assert!((6..=most).contains(&tries), "{tries} tries of at most {most}");
            // Two workers that claim and keep house: a line per second from each.
            let most = 4 * (2 + outage.as_secs() as usize);
            assert!(told <= most, "{told} lines of at most {most}");

            authority.issue(HOST, DAY).install(&line.server).await;
            scene.recorder().fault_ended(began);
            line.until_all_are_back(scene, BACK_MAX).await;
        }
        // Another authority vouches from now on, and nobody starts anew.
        let next = Authority::at(authority.path());
        next.issue(HOST, DAY).install(&line.server).await;
        line.cut().await;
        line.until_all_are_back(scene, BACK_MAX).await;
    };
    line.under_load(fault).await;
}

/// F42, F44 and cuts, as they are tried without encryption: replies that never arrive, requests
/// that never do, lines that are cut, that the server closes for being idle, and handshakes that
/// nobody answers.
async fn f42_f44_encrypted_lines_that_fall_silent_or_break_lose_and_double_nothing() {
    let line = Line::start().await;
    let proxy = &line.proxy;
    let tier = Tier::of_this_run();
    let fault = async |scene: &Scene| {
        // Whoever is refused before it has ever worked ends, and is not who this is about.
        scene.until("both workers", |stats| stats.workers == 2).await;
        for round in 0..tier.pick(5, 30, 120) {
            proxy.set_flow(Direction::ToClient, Flow::Swallow);
            lasts(Duration::from_millis(100 + 20 * round)).await;
            proxy.heal();
            proxy.cut();
            lasts(Duration::from_millis(200)).await;
        }
        line.until_all_are_back(scene, BACK_MAX).await;
        scene.note("black hole");
        proxy.set_flow(Direction::ToServer, Flow::Swallow);
        proxy.set_flow(Direction::ToClient, Flow::Swallow);
        lasts(Duration::from_secs(tier.pick(5, 60, 900))).await;
        proxy.heal();
        // A handshake whose bytes were swallowed is given up after 7 s at most.
        line.until_all_are_back(scene, BACK_MAX + Duration::from_secs(3)).await;
        scene.note("mute");
        proxy.mute(true);
        proxy.cut();
        lasts(Duration::from_secs(2)).await;
        proxy.heal();
        proxy.cut();
        line.until_all_are_back(scene, BACK_MAX).await;
        scene.note("idle connections are closed");
        ask(line.server.port(), &["CONFIG", "SET", "timeout", "1"]).await;
        let deadline = clock::now() + Duration::from_secs(tier.pick(3, 10, 60));
        while clock::now() < deadline {
            lasts(Duration::from_millis(1500)).await;
            scene.enqueue(&Chaos::many(0..3, 5)).await;
        }
        line.until_all_are_back(scene, BACK_MAX).await;
    };
    line.under_load(fault).await;
}
