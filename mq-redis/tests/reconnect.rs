//! Everything goes on by itself after the connection, the scripts or the server were gone.

mod kit;

use std::time::Duration;

use kit::*;
use mq_core::WorkerId;
use mq_core::engine::{About, Beat, BeatReply, EngineErrorKind, WaitReply};
use mq_testkit::RedisServer;

#[tokio::test]
async fn a_server_that_forgot_its_scripts_is_not_noticed() {
    let server = RedisServer::start();
    let engine = connect(&server).await;
    let mut admin = Admin::of(&server);
    for _ in 0..3 {
        admin.tell("SCRIPT FLUSH");
        engine.promote(&queue("q"), 10).await.unwrap();
        admin.tell("SCRIPT FLUSH");
        let reply = engine.enqueue(vec![keyed("q", "key")], PLENTY).await.unwrap();
        assert_eq!(reply.len(), 1);
    }
    assert_eq!(admin.stored("q").1, 1);
}

#[tokio::test]
async fn a_killed_connection_is_not_noticed() {
    let server = RedisServer::start();
    let engine = connect(&server).await;
    let mut admin = Admin::of(&server);
    for _ in 0..20 {
        engine.ping().await.unwrap();
        admin.tell("CLIENT KILL TYPE normal SKIPME yes");
    }
    engine.ping().await.unwrap();
}

#[tokio::test]
async fn a_server_that_was_killed_and_started_again_is_found_again() {
    let mut server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let engine = connect(&server).await;
    let before = job("q");
    engine.enqueue(vec![before.clone()], PLENTY).await.unwrap();
    server.kill9();
    let later = {
        let engine = engine.clone();
        let new = job("q");
        let id = new.id;
        (id, tokio::spawn(async move { engine.enqueue(vec![new], PLENTY).await }))
    };
    let error = engine.enqueue(vec![job("q")], Duration::from_millis(100)).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    server.restart();
    later.1.await.unwrap().unwrap();
    let started = mq_core::clock::now();
    engine.ping().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_each_once(&mut Admin::of(&server), "q", &[before.id, later.0]);
}

#[tokio::test]
async fn a_frozen_server_is_given_up_and_found_again() {
    let server = RedisServer::start();
    let engine = connect_with(&server, "response_timeout=300ms&connect_timeout=300ms").await;
    let worker = WorkerId::random();
    let lease = Duration::from_secs(60);
    engine.join(&queue("q"), worker, lease, &About::default()).await.unwrap();
    server.stop_process();
    let beat = Beat { queue: queue("q"), worker, lease, about: None, names_claims: false };
    let asked = tokio::spawn({
        let engine = engine.clone();
        async move { engine.extend(vec![beat]).await }
    });
    // sleep: a freeze that is long enough for several connections to be given up.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    server.continue_process();
    let replies = asked.await.unwrap().unwrap();
    assert!(matches!(replies[0], BeatReply::Extended { .. }));
}

#[tokio::test]
async fn nobody_at_the_address_is_said_soon_and_plainly() {
    let mut server = RedisServer::start();
    server.kill9();
    let url = server.url().replace("//", "//:very-secret@");
    let error = try_connect(&url).await.unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(&format!("; {cause}"));
        source = cause.source();
    }
    assert!(text.contains("was not reached") && text.contains("refused"), "{text}");
    assert!(!text.contains("very-secret"), "{text}");
}

#[tokio::test]
async fn waiting_survives_everything_and_loses_no_wake_up() {
    let mut server = RedisServer::start();
    let engine = connect(&server).await;
    let queues = [queue("a"), queue("q")];
    let short = Duration::from_millis(100);
    assert_eq!(engine.wait(&queues, short).await.unwrap(), WaitReply::TimedOut);
    // A wait that was dropped must not swallow the marker.
    let dropped = tokio::time::timeout(short, engine.wait(&queues, PLENTY)).await;
    assert!(dropped.is_err());
    engine.enqueue(vec![job("q")], PLENTY).await.unwrap();
    assert_eq!(engine.wait(&queues, PLENTY).await.unwrap(), WaitReply::Woken(queue("q")));

    Admin::of(&server).tell("CLIENT KILL TYPE normal SKIPME yes");
    engine.enqueue(vec![job("a")], PLENTY).await.unwrap();
    assert_eq!(engine.wait(&queues, PLENTY).await.unwrap(), WaitReply::Woken(queue("a")));

    server.restart();
    engine.enqueue(vec![job("q")], PLENTY).await.unwrap();
    assert_eq!(engine.wait(&queues, PLENTY).await.unwrap(), WaitReply::Woken(queue("q")));

    // While the server is away, the time is simply used up.
    server.kill9();
    assert_eq!(engine.wait(&queues, short).await.unwrap(), WaitReply::TimedOut);
}

#[tokio::test]
async fn many_waits_use_one_connection() {
    let server = RedisServer::start();
    let engine = connect(&server).await;
    let mut admin = Admin::of(&server);
    let mut queues = [queue("a"), queue("b")];
    for _ in 0..100 {
        queues.reverse();
        let wait = engine.wait(&queues, PLENTY);
        let _ = tokio::time::timeout(Duration::from_millis(2), wait).await;
    }
    let clients: String = admin.ask("CLIENT LIST");
    assert_eq!(clients.matches("name=mq-wait-").count(), 1, "{clients}");
    assert_eq!(clients.matches("name=mq-work-").count(), 1, "{clients}");
}

#[tokio::test]
async fn a_replica_takes_no_jobs_and_heals_when_it_is_promoted() {
    let primary = RedisServer::start();
    let server = RedisServer::start();
    let engine = connect(&server).await;
    let mut admin = Admin::of(&server);
    admin.tell(&format!("REPLICAOF 127.0.0.1 {}", primary.port()));
    let error = engine.enqueue(vec![job("q")], PLENTY).await.unwrap_err();
    assert_eq!(error.kind(), EngineErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("replica"), "{error}");
    admin.tell("REPLICAOF NO ONE");
    engine.enqueue(vec![job("q")], PLENTY).await.unwrap();
}
