//! `rediss://`: encrypted, only with a server that can prove who it is, and as steady under faults
//! as what is not encrypted.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

mod kit;

use std::process::Command;
use std::time::Duration;

use kit::*;
use mq_core::WorkerId;
use mq_core::engine::{About, Beat, BeatReply, EngineErrorKind, WaitReply};
use mq_core::{chain_text, clock};
use mq_testkit::{Authority, Direction, Flow, Proxy, RedisServer};

const HOST: &str = "127.0.0.1";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Where the program that a test is run by again finds the name of the test.
const TRUSTING: &str = "MQ_TRUSTING";

/// Runs `body` with an authority that this process trusts. Whom it trusts is said by its
/// environment, so it is a process of its own: this program, which runs just this test.
fn trusting(test: &str, body: impl AsyncFnOnce(Authority)) {
    if std::env::var(TRUSTING).is_ok_and(|name| name == test) {
        let authority = Authority::at(std::env::var("SSL_CERT_FILE").unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        return runtime.block_on(body(authority));
    }
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(TRUSTING, test)
        .env("SSL_CERT_FILE", folder.path().join("authority.pem"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{errors}");
}

/// A server that a trusted authority vouches for, and the URL.
fn server(authority: &Authority) -> (RedisServer, String) {
    let (server, port) = authority.server(&authority.issue(HOST, DAY));
    (server, url(port))
}

fn url(port: u16) -> String {
    format!("rediss://{HOST}:{port}")
}

async fn refusal(url: &str) -> String {
    match try_connect(url).await {
        Ok(_) => panic!("{url} was not refused"),
        Err(error) => chain_text(&error),
    }
}

/// Ends all connections that are encrypted or not, but for that of the admin.
fn cut(admin: &mut Admin) {
    admin.tell("CLIENT KILL TYPE normal SKIPME yes");
}

#[test]
fn a_server_that_a_trusted_authority_vouches_for_is_connected_to() {
    trusting("a_server_that_a_trusted_authority_vouches_for_is_connected_to", async |authority| {
        let (server, url) = server(&authority);
        let engine = try_connect(&url).await.unwrap();
        engine.enqueue(vec![job("q")], PLENTY).await.unwrap();
        assert_eq!(Admin::of(&server).stored("q").1, 1);
    });
}

#[test]
fn a_server_that_cannot_prove_who_it_is_is_refused_with_what_to_do() {
    trusting(
        "a_server_that_cannot_prove_who_it_is_is_refused_with_what_to_do",
        async |authority| {
            let other = Authority::new();
            for (authority, host, good_for, advice) in [
                (&other, HOST, DAY, "not trusted here: add its authority to the system's"),
                (&authority, "redis.example", DAY, "for another host"),
                (&authority, HOST, Duration::ZERO, "has expired: have the server show a new one"),
            ] {
                let (_server, port) = authority.server(&authority.issue(host, good_for));
                let text = refusal(&url(port)).await;
                assert!(text.contains("certificate") && text.contains(advice), "{text}");
            }
        },
    );
}

#[test]
fn a_server_that_speaks_no_tls_is_refused() {
    trusting("a_server_that_speaks_no_tls_is_refused", async |_| {
        let server = RedisServer::start();
        refusal(&url(server.port())).await;
    });
}

/// Who is connected stays connected; whoever connects is told what is wrong, and gets in as soon as
/// the certificate is good again, without a new start.
#[test]
fn a_certificate_that_went_bad_is_named_and_a_good_one_is_taken() {
    trusting("a_certificate_that_went_bad_is_named_and_a_good_one_is_taken", async |authority| {
        let (server, url) = server(&authority);
        let engine = try_connect(&url).await.unwrap();
        let mut admin = Admin::of(&server);
        let mut ids = Vec::new();
        let other = Authority::new();
        let bad = [
            (other.issue(HOST, DAY), "SSL_CERT_FILE"),
            (authority.issue(HOST, Duration::ZERO), "has expired"),
            (authority.issue("redis.example", DAY), "for another host"),
        ];
        for (certificate, advice) in bad {
            certificate.install(&server).await;
            let new = job("q");
            ids.push(new.id);
            engine.enqueue(vec![new], PLENTY).await.unwrap();
            cut(&mut admin);
            // By then it is known that the connection is gone: nothing is in doubt.
            let error = engine.ping().await.unwrap_err();
            assert_eq!(error.kind(), EngineErrorKind::Denied, "{error}");
            let error = engine.enqueue(vec![job("q")], PLENTY).await.unwrap_err();
            assert_eq!(error.kind(), EngineErrorKind::Denied, "{error}");
            assert!(error.to_string().contains(advice), "{error}");
            authority.issue(HOST, DAY).install(&server).await;
            let new = job("q");
            ids.push(new.id);
            engine.enqueue(vec![new], PLENTY).await.unwrap();
        }
        assert_each_once(&mut admin, "q", &ids);
    });
}

/// Jobs that were sent before stay in doubt, and at their deadline their producer hears why.
#[test]
fn a_producer_in_doubt_hears_that_a_certificate_is_in_the_way() {
    trusting("a_producer_in_doubt_hears_that_a_certificate_is_in_the_way", async |authority| {
        let (server, port) = authority.server(&authority.issue(HOST, DAY));
        let proxy = Proxy::start(port).await;
        let query = "response_timeout=300ms";
        let engine = try_connect(&format!("{}?{query}", url(proxy.port()))).await.unwrap();
        authority.issue(HOST, Duration::ZERO).install(&server).await;
        proxy.set_flow(Direction::ToClient, Flow::Swallow);
        let before = proxy.accepted();
        let deadline = Duration::from_secs(3);
        let enqueue = engine.enqueue(vec![job("q")], deadline);
        let heal = async {
            eventually("a new connection", async || proxy.accepted() > before).await;
            proxy.heal();
        };
        let error = tokio::join!(enqueue, heal).0.unwrap_err();
        assert_eq!(error.kind(), EngineErrorKind::Unknown, "{error}");
        assert!(chain_text(&error).contains("certificate expired"), "{}", chain_text(&error));
    });
}

#[test]
fn a_certificate_that_ends_while_it_is_used_is_named_by_the_next_connection() {
    trusting(
        "a_certificate_that_ends_while_it_is_used_is_named_by_the_next_connection",
        async |authority| {
            let (server, port) = authority.server(&authority.issue(HOST, Duration::from_secs(4)));
            let engine = try_connect(&url(port)).await.unwrap();
            let mut admin = Admin::of(&server);
            eventually("the certificate has ended", async || {
                cut(&mut admin);
                match engine.ping().await {
                    Ok(_) => false,
                    Err(error) => {
                        assert_eq!(error.kind(), EngineErrorKind::Denied, "{error}");
                        assert!(error.to_string().contains("has expired"), "{error}");
                        true
                    }
                }
            })
            .await;
            authority.issue(HOST, DAY).install(&server).await;
            engine.ping().await.unwrap();
        },
    );
}

/// Whom to trust is read anew with each connection.
#[test]
fn an_authority_that_takes_the_place_of_another_is_trusted_without_a_new_start() {
    trusting(
        "an_authority_that_takes_the_place_of_another_is_trusted_without_a_new_start",
        async |authority| {
            let (server, url) = server(&authority);
            let engine = try_connect(&url).await.unwrap();
            let next = Authority::at(authority.path());
            next.issue(HOST, DAY).install(&server).await;
            cut(&mut Admin::of(&server));
            engine.ping().await.unwrap();
        },
    );
}

#[test]
fn an_encrypted_connection_that_was_killed_or_closed_for_being_idle_is_not_noticed() {
    trusting(
        "an_encrypted_connection_that_was_killed_or_closed_for_being_idle_is_not_noticed",
        async |authority| {
            let (server, url) = server(&authority);
            let engine = try_connect(&url).await.unwrap();
            let mut admin = Admin::of(&server);
            for _ in 0..20 {
                engine.ping().await.unwrap();
                cut(&mut admin);
            }
            engine.ping().await.unwrap();
            admin.tell("CONFIG SET timeout 1");
            for _ in 0..2 {
                eventually("the server closes what is idle", async || {
                    !admin.ask::<String>("CLIENT LIST").contains("name=mq-work-")
                })
                .await;
                let new = job("q");
                engine.enqueue(vec![new], PLENTY).await.unwrap();
            }
            assert_eq!(admin.stored("q").1, 2);
        },
    );
}

/// The handshake as well: a cut behind few bytes is in front of its end.
#[test]
fn an_encrypted_connection_that_is_cut_anywhere_applies_each_request_once() {
    trusting(
        "an_encrypted_connection_that_is_cut_anywhere_applies_each_request_once",
        async |authority| {
            let (server, port) = authority.server(&authority.issue(HOST, DAY));
            let proxy = Proxy::start(port).await;
            let engine = try_connect(&url(proxy.port())).await.unwrap();
            let mut ids = Vec::new();
            for direction in [Direction::ToServer, Direction::ToClient] {
                for round in 0..30 {
                    // Half of them on a connection that is there, half while it is made.
                    if round % 2 == 0 {
                        proxy.cut();
                    }
                    proxy.cut_after(direction, 61 * round);
                    let jobs = [job("q"), keyed("q", &format!("{direction:?}-{round}"))];
                    ids.extend(jobs.iter().map(|job| job.id));
                    for pending in enqueue_each(&engine, jobs, PLENTY) {
                        let id = pending.id;
                        assert_eq!(pending.reply.await.unwrap().unwrap()[0].id, id);
                    }
                    proxy.heal();
                }
            }
            assert_each_once(&mut Admin::of(&server), "q", &ids);
        },
    );
}

/// The same deadlines as without encryption: for an answer, for a handshake that somebody takes and
/// nobody answers, and for a wait.
#[test]
fn an_encrypted_connection_that_falls_silent_is_given_up_and_made_anew() {
    trusting(
        "an_encrypted_connection_that_falls_silent_is_given_up_and_made_anew",
        async |authority| {
            let (_server, port) = authority.server(&authority.issue(HOST, DAY));
            let proxy = Proxy::start(port).await;
            let query = "response_timeout=300ms&connect_timeout=300ms";
            let engine = try_connect(&format!("{}?{query}", url(proxy.port()))).await.unwrap();
            let worker = WorkerId::random();
            let lease = Duration::from_secs(60);
            engine.join(&queue("q"), worker, lease, &About::default()).await.unwrap();
            let beat = async || {
                let beat =
                    Beat { queue: queue("q"), worker, lease, about: None, names_claims: false };
                let replies = engine.extend(vec![beat]).await.unwrap();
                assert!(matches!(replies[0], BeatReply::Extended { .. }));
            };
            for (to_server, to_client) in [
                (Flow::Swallow, Flow::Pass),
                (Flow::Pass, Flow::Swallow),
                (Flow::Swallow, Flow::Swallow),
            ] {
                let before = proxy.accepted();
                proxy.set_flow(Direction::ToServer, to_server);
                proxy.set_flow(Direction::ToClient, to_client);
                let began = clock::now();
                let ask = beat();
                let heal = async {
                    // By then, one was given up for silence and the handshake of another one.
                    eventually("two more connections", async || proxy.accepted() >= before + 2)
                        .await;
                    proxy.heal();
                };
                tokio::join!(ask, heal);
                assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
            }
            proxy.mute(true);
            proxy.cut();
            let short = Duration::from_millis(700);
            let wait = engine.wait(&[queue("q")], short).await.unwrap();
            assert_eq!(wait, WaitReply::TimedOut);
            proxy.heal();
            engine.enqueue(vec![job("q")], PLENTY).await.unwrap();
            let woken = engine.wait(&[queue("q")], PLENTY).await.unwrap();
            assert_eq!(woken, WaitReply::Woken(queue("q")));
        },
    );
}
