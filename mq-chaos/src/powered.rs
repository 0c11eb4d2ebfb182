//! A redis-server that loses its power: of its append-only file it keeps what its disk has.
//!
//! What is in the folder beside the log itself, the list of logs and the log's base, is written
//! once when the server first starts and counts as being on the disk: there are no rewrites here.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mq_core::rng::Rng;
use mq_testkit::RedisServer;

use crate::power::{Left, after, names, read, variables};
use crate::shim::compile_shim;

/// A server with an append-only file on a disk whose power is cut.
#[derive(Debug)]
pub struct PoweredServer {
    server: RedisServer,
}

impl PoweredServer {
    /// A server that syncs as `appendfsync` says: `everysec` or `always`.
    ///
    /// # Panics
    /// When there is no C compiler, or no `redis-server`; so do all methods when the real disk
    /// fails.
    pub fn start(appendfsync: &str) -> Self {
        let args = [
            ["--appendonly", "yes"],
            ["--appendfsync", appendfsync],
            ["--auto-aof-rewrite-percentage", "0"],
        ];
        let server = RedisServer::prepared(args.as_flattened(), |folder| {
            // As the kernel says it, for the shim compares.
            let folder = folder.canonicalize();
            let folder = folder.unwrap_or_else(|error| panic!("no folder: {error}"));
            let made = fs::create_dir(disk(&folder));
            made.unwrap_or_else(|error| panic!("cannot make {:?}: {error}", disk(&folder)));
            variables(&compile_shim(&folder, "power"), &store(&folder), &disk(&folder))
        });
        Self { server }
    }

    /// The server.
    pub fn server(&self) -> &RedisServer {
        &self.server
    }

    /// Cuts the power. What a disk has of a file that only grows is a beginning of it: one that
    /// has its length before its content would need an operator with `redis-check-aof --fix`.
    ///
    /// # Panics
    /// When `left` is [`Left::Scattered`].
    pub fn cut(&mut self, left: Left, rng: &mut Rng) {
        assert_ne!(left, Left::Scattered, "a file that only grows has no holes");
        self.server.kill9();
        let (store, disk) = (store(self.server.dir()), disk(self.server.dir()));
        for name in logs(&store) {
            let (sure, written) = (read(&disk.join(&name)), read(&store.join(&name)));
            let kept = after(sure, written, left, rng).unwrap_or_default();
            for folder in [&store, &disk] {
                write(&folder.join(&name), &kept);
            }
        }
    }

    /// Kills the server and takes so many bytes off the end of its log, or all that there are.
    pub fn tear(&mut self, bytes: usize) {
        self.server.kill9();
        let store = store(self.server.dir());
        for path in logs(&store).into_iter().map(|name| store.join(name)) {
            let mut log = read(&path).unwrap_or_default();
            log.truncate(log.len().saturating_sub(bytes));
            write(&path, &log);
        }
    }

    /// The power is back: the log is checked, as an operator should, and the server started. One
    /// that finds a transaction cut off leaves its beginning in the file, where it counts when the
    /// server starts once more: Redis 7.0.15 does.
    ///
    /// # Panics
    /// When there is no `redis-check-aof`, which comes with `redis-server`.
    pub fn restart(&mut self) {
        let store = store(self.server.dir());
        for name in logs(&store) {
            check(&store.join(name));
        }
        self.server.restart();
    }
}

fn check(log: &Path) {
    let mut command = Command::new("redis-check-aof");
    command.arg("--fix").arg(log).stdin(Stdio::piped()).stdout(Stdio::null());
    let checked = command.spawn().and_then(|mut child| {
        // It asks before it cuts; and if there is nothing to cut, it does not listen.
        let _ = child.stdin.take().map(|mut answer| answer.write_all(b"y\n"));
        child.wait()
    });
    assert!(checked.is_ok_and(|status| status.success()), "cannot check {log:?}");
}

fn store(folder: &Path) -> PathBuf {
    folder.join("appendonlydir")
}

fn disk(folder: &Path) -> PathBuf {
    folder.join("disk")
}

/// The logs that grow; the server's other files do not change.
fn logs(store: &Path) -> Vec<String> {
    names(store).into_iter().filter(|name| name.ends_with(".incr.aof")).collect()
}

fn write(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap_or_else(|error| panic!("{path:?}: {error}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use mq_testkit::ask;

    #[tokio::test]
    async fn what_was_synced_stays_and_only_that() {
        let mut rng = Rng::seeded(1);
        for (appendfsync, kept) in [("always", "+1"), ("no", "$-1")] {
            let mut powered = PoweredServer::start(appendfsync);
            let port = powered.server().port();
            assert_eq!(ask(port, &["SET", "a", "+1"]).await, "+OK\r\n");
            powered.cut(Left::Nothing, &mut rng);
            powered.restart();
            let found = ask(port, &["GET", "a"]).await;
            assert!(found.contains(kept), "{appendfsync}: {found}");
        }
    }

    #[tokio::test]
    async fn a_torn_log_has_all_but_its_end() {
        let mut powered = PoweredServer::start("always");
        let port = powered.server().port();
        for key in ["a", "b"] {
            assert_eq!(ask(port, &["SET", key, "1"]).await, "+OK\r\n");
        }
        powered.tear(3);
        powered.restart();
        assert_eq!(ask(port, &["GET", "a"]).await, "$1\r\n1\r\n");
        assert_eq!(ask(port, &["GET", "b"]).await, "$-1\r\n");
    }

    #[tokio::test]
    async fn a_transaction_that_was_torn_is_undone_for_good() {
        let mut powered = PoweredServer::start("always");
        let port = powered.server().port();
        let script = "redis.call('SET', 'a', '1') redis.call('SET', 'b', '1')";
        ask(port, &["EVAL", script, "0"]).await;
        powered.tear(30);
        for _ in 0..2 {
            powered.restart();
            assert_eq!(ask(port, &["EXISTS", "a", "b"]).await, ":0\r\n");
            ask(port, &["EVAL", &script.replace("'a'", "'c'").replace("'b'", "'d'"), "0"]).await;
            powered.tear(0);
        }
    }
}
