//! Certificates of a throw-away authority, for servers that speak TLS.

use std::fmt;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mq_core::clock;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::redis_server::RedisServer;

/// An authority that vouches for servers, to those who trust it.
///
/// mq trusts whom the system trusts, and none but the certificates in a file that the environment
/// variable `SSL_CERT_FILE` names, if there is one. So a program of which a test wants that it
/// trusts an authority is started with that variable; see [`path`](Self::path).
pub struct Authority {
    dir: TempDir,
    path: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    issued: AtomicU32,
}

/// What a server shows, and the key that goes with it: the names of two files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The file with the certificate.
    pub certificate: PathBuf,
    /// The file with the key.
    pub key: PathBuf,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// When its files cannot be written; so do all methods here, this being for tests.
    pub fn new() -> Self {
        Self::create(None)
    }

    /// A new one that is known by this file, whoever was before.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self::create(Some(path.into()))
    }

    fn create(path: Option<PathBuf>) -> Self {
        let dir = tempfile::tempdir();
        let dir = dir.unwrap_or_else(|error| panic!("cannot make a temporary directory: {error}"));
        let path = path.unwrap_or_else(|| dir.path().join("authority.pem"));
        let mut params = params(Vec::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = new_key();
        let certificate = params.self_signed(&key);
        let certificate = certificate.unwrap_or_else(|error| panic!("no authority: {error}"));
        write(&path, &certificate.pem());
        Self { dir, path, issuer: Issuer::new(params, key), issued: AtomicU32::new(0) }
    }

    /// The file by which it is known to those who shall trust it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A certificate for a server at this host that is good for at most so long; for no time at
    /// all, it has expired.
    pub fn issue(&self, host: &str, good_for: Duration) -> Certificate {
        let mut params = params(vec![host.to_owned()]);
        // A certificate is good until the end of its last second.
        let ends_s = (clock::wall_ms() / 1000 + good_for.as_secs()).saturating_sub(1);
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(ends_s);
        let key = new_key();
        let certificate = params.signed_by(&key, &self.issuer);
        let certificate = certificate.unwrap_or_else(|error| panic!("no certificate: {error}"));
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let path = |what| self.dir.path().join(format!("{number}-{what}.pem"));
        let files = Certificate { certificate: path("certificate"), key: path("key") };
        write(&files.certificate, &certificate.pem());
        write(&files.key, &key.serialize_pem());
        files
    }

    /// A server that shows this certificate, and the port where it speaks TLS. At its own port it
    /// speaks to everybody.
    pub fn server(&self, shown: &Certificate) -> (RedisServer, u16) {
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr());
        let port = free.unwrap_or_else(|error| panic!("no free port: {error}")).port();
        let server = RedisServer::with(&[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &shown.certificate.to_string_lossy(),
            "--tls-key-file",
            &shown.key.to_string_lossy(),
            "--tls-ca-cert-file",
            &self.path.to_string_lossy(),
            "--tls-auth-clients",
            "no",
        ]);
        (server, port)
    }
}

impl Certificate {
    /// Makes a running server show this one from the next connection on.
    pub async fn install(&self, server: &RedisServer) {
        let (certificate, key) = (self.certificate.to_string_lossy(), self.key.to_string_lossy());
        let command = ["CONFIG", "SET", "tls-cert-file", &certificate, "tls-key-file", &key];
        let answer = server.ask(&command).await;
        assert_eq!(answer, "+OK\r\n", "the server does not take the certificate");
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("path", &self.path).finish_non_exhaustive()
    }
}

fn params(hosts: Vec<String>) -> CertificateParams {
    CertificateParams::new(hosts).unwrap_or_else(|error| panic!("no such host: {error}"))
}

fn new_key() -> KeyPair {
    KeyPair::generate().unwrap_or_else(|error| panic!("no key: {error}"))
}

fn write(path: &Path, text: &str) {
    let written = std::fs::write(path, text);
    written.unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}
