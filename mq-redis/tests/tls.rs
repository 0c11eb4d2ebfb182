//! `rediss://`: encrypted, and only with a server that can prove who it is.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "not all is in functions that are marked as tests")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use mq_core::Client;
use mq_redis as _;
use mq_testkit::RedisServer;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// A private authority, and what it has signed.
struct Authority {
    dir: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(dir.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { dir, issuer: Issuer::new(params, key) }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A server with a certificate for this host, and the port where it speaks TLS.
    fn server(&self, host: &str, is_expired: bool) -> (RedisServer, u16) {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        if is_expired {
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |name: &str, text: String| {
            let path = self.dir.path().join(format!("{host}-{is_expired}-{name}"));
            std::fs::write(&path, text).unwrap();
            path.to_string_lossy().into_owned()
        };
        let certificate = file("cert.pem", certificate.pem());
        let key = file("key.pem", key.serialize_pem());
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let server = RedisServer::with(&[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &self.path().to_string_lossy(),
            "--tls-auth-clients",
            "no",
        ]);
        (server, port)
    }
}

/// What a program says that connects to this URL and trusts this authority besides none. A process
/// of its own, since certificates are trusted by an environment variable.
fn connect(url: &str, trusted: &Path) -> String {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--exact", "connects_as_told", "--nocapture"])
        .env("MQ_TLS_URL", url)
        .env("SSL_CERT_FILE", trusted)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Not a test but the program that the tests run; it has nothing to do without a URL.
#[tokio::test]
async fn connects_as_told() {
    let Ok(url) = std::env::var("MQ_TLS_URL") else { return };
    match Client::connect(&url).await {
        Ok(client) => println!("connected at {}", client.engine().ping().await.unwrap()),
        Err(error) => println!("refused: {}", mq_core::chain_text(&error)),
    }
}

#[test]
fn a_server_that_a_trusted_authority_vouches_for_is_connected_to() {
    let authority = Authority::new();
    let (_server, port) = authority.server("127.0.0.1", false);
    let said = connect(&format!("rediss://127.0.0.1:{port}"), &authority.path());
    assert!(said.contains("connected at"), "{said}");
}

#[test]
fn a_server_that_cannot_prove_who_it_is_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let refused = |url: &str, trusted: &Path| {
        let said = connect(url, trusted);
        assert!(said.contains("refused: ") && said.contains("certificate"), "{url}: {said}");
    };
    let (_unknown, port) = other.server("127.0.0.1", false);
    refused(&format!("rediss://127.0.0.1:{port}"), &authority.path());
    let (_elsewhere, port) = authority.server("redis.example", false);
    refused(&format!("rediss://127.0.0.1:{port}"), &authority.path());
    let (_expired, port) = authority.server("127.0.0.1", true);
    refused(&format!("rediss://127.0.0.1:{port}"), &authority.path());
}

#[test]
fn a_server_that_speaks_no_tls_is_refused() {
    let authority = Authority::new();
    let server = RedisServer::start();
    let said = connect(&format!("rediss://127.0.0.1:{}", server.port()), &authority.path());
    assert!(said.contains("refused: "), "{said}");
}
