//! The server lets nobody in, or not everybody, or not for everything: F35 and F36.

use std::time::Duration;

use mq_chaos::{Chaos, LEASE, Scene, Tier, lasts, under_load};
use mq_core::chain_text;
use mq_testkit::{RedisServer, Wire, ask};

use crate::{WORKER, rows, until_at_work};

rows! {
    Commit: f35_a_right_that_was_taken_is_named_and_waited_for;
    Nightly:
        f35_a_server_without_a_free_connection_is_waited_for,
        f36_the_user_with_least_rights_survives_what_others_do;
}

/// Whatever was wrong, workers are back within the time of P7.
const BACK_MAX: Duration = Duration::from_secs(5);
const PAGE: &str = include_str!("../../../docs/operate.md");

async fn wire(server: &RedisServer) -> Wire {
    Wire::to(server.port()).await.unwrap_or_else(|error| panic!("no connection: {error}"))
}

/// A user whom nothing is forbidden, whatever becomes of the others.
async fn operator(server: &RedisServer) -> Wire {
    let user = ["ACL", "SETUSER", "boss", "on", ">secret", "~*", "&*", "+@all"];
    assert_eq!(ask(server.port(), &user).await, "+OK\r\n");
    let mut wire = wire(server).await;
    assert_eq!(wire.ask(&["AUTH", "boss", "secret"]).await, "+OK\r\n");
    wire
}

async fn refusal(scene: &Scene) -> String {
    match scene.client.enqueue(Chaos::lasting(0, 0)).await {
        Ok(receipt) => panic!("was not refused: {receipt:?}"),
        Err(error) => chain_text(&error),
    }
}

fn outage() -> Duration {
    Duration::from_secs(Tier::of_this_run().pick(1, 10, 30))
}

/// F35: NOPERM by a change of the rights, then NOAUTH by a password. Both are named, and heal.
async fn f35_a_right_that_was_taken_is_named_and_waited_for() {
    let server = RedisServer::start();
    let mut boss = operator(&server).await;
    let fault = async |scene: &Scene| {
        boss.ask(&["ACL", "SETUSER", "default", "-@all", "+ping"]).await;
        lasts(outage()).await;
        let text = refusal(scene).await;
        assert!(text.contains("NOPERM") && text.contains("ACL SETUSER"), "{text}");
        boss.ask(&["ACL", "SETUSER", "default", "+@all"]).await;
        until_at_work(scene, BACK_MAX).await;

        boss.ask(&["CONFIG", "SET", "requirepass", "a-new-one"]).await;
        boss.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await;
        lasts(outage()).await;
        let text = refusal(scene).await;
        assert!(text.contains("NOAUTH") && text.contains("password"), "{text}");
        boss.ask(&["CONFIG", "SET", "requirepass", ""]).await;
        until_at_work(scene, BACK_MAX).await;
    };
    let (_, unexplained) = under_load(WORKER, &server.url(), 200, fault).await;
    assert_eq!(unexplained, 0);
}

/// Ends all connections of mq.
async fn kill_ours(operator: &mut Wire) {
    let clients = operator.ask(&["CLIENT", "LIST"]).await;
    for line in clients.lines().filter(|line| line.contains(" name=mq-")) {
        let id = line.split_whitespace().find_map(|field| field.strip_prefix("id="));
        operator.ask(&["CLIENT", "KILL", "ID", id.unwrap_or_default()]).await;
    }
}

/// F35: others have all connections that the server allows.
async fn f35_a_server_without_a_free_connection_is_waited_for() {
    let server = RedisServer::start();
    let mut boss = operator(&server).await;
    let fault = async |scene: &Scene| {
        let mut others = Vec::new();
        for _ in 0..20 {
            others.push(wire(&server).await);
        }
        // Fewer than there are: nobody new is let in.
        assert_eq!(boss.ask(&["CONFIG", "SET", "maxclients", "15"]).await, "+OK\r\n");
        kill_ours(&mut boss).await;
        lasts(outage()).await;
        let text = refusal(scene).await;
        // The server's own words are mostly lost with the connection that it resets.
        let why = ["max number of clients", "reset", "closed", "Broken pipe", "broken pipe"];
        assert!(text.contains("not reached") && why.iter().any(|why| text.contains(why)), "{text}");
        drop(others);
        until_at_work(scene, BACK_MAX).await;
    };
    let (_, unexplained) = under_load(WORKER, &server.url(), 200, fault).await;
    assert_eq!(unexplained, 0);
}

/// F36: the whole API under that user is `tests/rights.rs`; here it recovers from faults, and the
/// server still has refused it nothing.
async fn f36_the_user_with_least_rights_survives_what_others_do() {
    let server = RedisServer::start();
    let (_, rest) = PAGE.split_once("```text\nACL SETUSER").expect("the page has the command");
    let (block, _) = rest.split_once("```").expect("the block ends");
    let command: Vec<_> = ["ACL", "SETUSER"].into_iter().chain(block.split_whitespace()).collect();
    assert_eq!(ask(server.port(), &command).await, "+OK\r\n");
    let password = command.iter().find_map(|word| word.strip_prefix('>'));
    let password = password.expect("the command sets a password");
    let url = server.url().replace("//", &format!("//mq:{password}@"));
    let fault = async |scene: &Scene| {
        for _ in 0..Tier::of_this_run().pick(10, 50, 500) {
            ask(server.port(), &["CLIENT", "KILL", "TYPE", "normal"]).await;
            ask(server.port(), &["SCRIPT", "FLUSH"]).await;
            lasts(Duration::from_millis(100)).await;
        }
        server.stop_process();
        lasts(LEASE / 3).await;
        server.continue_process();
        until_at_work(scene, Duration::from_secs(5)).await;
    };
    let (_, unexplained) = under_load(WORKER, &url, 500, fault).await;
    assert_eq!(unexplained, 0);
    let log = ask(server.port(), &["ACL", "LOG"]).await;
    assert_eq!(log, "*0\r\n", "the server refused something");
}
