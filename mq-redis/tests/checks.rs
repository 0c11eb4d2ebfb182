//! What is said about a server before the first job goes to it.

mod kit;

use kit::*;
use mq_core::connect::ConnectError;
use mq_core::engine::{Durability, EngineErrorKind};
use mq_testkit::RedisServer;

async fn unfit(url: &str) -> String {
    match try_connect(url).await {
        Err(ConnectError::Unfit(text)) => text,
        other => panic!("expected to be refused, got {other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_would_evict_jobs_is_refused_with_the_cure() {
    let server = RedisServer::with(&["--maxmemory-policy", "allkeys-lru"]);
    let text = unfit(&server.url()).await;
    assert!(text.contains("CONFIG SET maxmemory-policy noeviction"), "{text}");
    let engine = connect_with(&server, "allow_eviction=true").await;
    assert!(engine.warnings().iter().any(|text| text.contains("allkeys-lru")));
    Admin::of(&server).tell("CONFIG SET maxmemory-policy noeviction");
    connect(&server).await;
    Admin::of(&server).tell("CONFIG SET maxmemory-policy volatile-lru");
    let engine = connect(&server).await;
    assert!(engine.warnings().iter().any(|text| text.contains("volatile-lru")));
}

#[tokio::test]
async fn a_replica_is_refused_with_the_address_of_its_primary() {
    let primary = RedisServer::start();
    let replica = RedisServer::start();
    Admin::of(&replica).tell(&format!("REPLICAOF 127.0.0.1 {}", primary.port()));
    let text = unfit(&replica.url()).await;
    assert!(text.contains(&format!("127.0.0.1:{}", primary.port())), "{text}");
    connect_with(&replica, "allow_replica=true").await;
}

#[tokio::test]
async fn durability_is_what_the_server_does_and_no_more() {
    for (args, expected) in [
        (&[][..], Durability::Memory),
        (&["--appendonly", "yes"], Durability::Disk1s),
        (&["--appendonly", "yes", "--appendfsync", "always"], Durability::Disk),
        (&["--appendonly", "yes", "--appendfsync", "no"], Durability::Memory),
        (&["--appendonly", "yes", "--no-appendfsync-on-rewrite", "yes"], Durability::Memory),
    ] {
        let server = RedisServer::with(args);
        let engine = connect(&server).await;
        assert_eq!(engine.durability(), expected, "{args:?}");
        let says_so = engine.warnings().iter().any(|text| text.contains("CONFIG SET"));
        assert_eq!(says_so, expected == Durability::Memory, "{:?}", engine.warnings());
    }
}

#[tokio::test]
async fn nothing_is_claimed_that_could_not_be_read() {
    let server = RedisServer::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    Admin::of(&server).tell("ACL SETUSER app on >secret ~* &* +@all -config");
    let url = format!("redis://app:secret@127.0.0.1:{}", server.port());
    let engine = try_connect(&url).await.unwrap();
    assert_eq!(engine.durability(), Durability::Memory);
    assert!(engine.warnings().iter().any(|text| text.contains("+config|get")));
    engine.enqueue(vec![job("q")], PLENTY).await.unwrap();
}

#[tokio::test]
async fn a_wrong_or_missing_password_is_denied_with_help_and_never_shown() {
    let server = RedisServer::with(&["--requirepass", "the-right-one"]);
    let url = |password: &str| format!("redis://{password}127.0.0.1:{}", server.port());
    for (password, hint) in
        [(":hunter2@", "check them in the URL"), ("someone:hunter2@", "check"), ("", "password")]
    {
        let error = try_connect(&url(password)).await.unwrap_err();
        let ConnectError::Engine(error) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), EngineErrorKind::Denied, "{error}");
        assert!(error.to_string().contains(hint), "{error}");
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
    }
    let engine = try_connect(&url(":the-right-one@")).await.unwrap();
    engine.ping().await.unwrap();
    assert!(!format!("{engine:?}").contains("the-right-one"), "{engine:?}");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_denied_by_number() {
    let server = RedisServer::start();
    let error = try_connect(&format!("{}/99", server.url())).await.unwrap_err();
    let ConnectError::Engine(error) = error else { panic!("{error:?}") };
    assert!(error.to_string().contains("no database 99"), "{error}");
    let engine = try_connect(&format!("{}/9", server.url())).await.unwrap();
    engine.enqueue(vec![job("q")], PLENTY).await.unwrap();
    assert_eq!(Admin::of(&server).stored("q").1, 0);
}

#[tokio::test]
async fn a_socket_works_as_well() {
    let server = RedisServer::start();
    let socket = server.dir().join("socket");
    let url = format!("redis+unix://{}?prefix=app", socket.display());
    try_connect(&url).await.unwrap().enqueue(vec![job("q")], PLENTY).await.unwrap();
    assert_eq!(Admin::of(&server).ask::<usize>("HLEN app:{q}:jobs"), 1);
}

#[tokio::test]
async fn mistakes_in_the_url_are_errors_of_the_url() {
    let error = try_connect("redis://127.0.0.1?prefxi=a").await.unwrap_err();
    assert!(matches!(&error, ConnectError::Url(text) if text.contains("prefix")), "{error:?}");
}
