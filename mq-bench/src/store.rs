//! Throw-away stores, gone when they are dropped.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use mq_testkit::RedisServer;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::engine::Engine;
use crate::fail::Fail;
use crate::usage::Usage;

/// An empty store of one measurement.
#[derive(Debug)]
pub(crate) struct Store {
    kept: Kept,
    place: Place,
}

#[derive(Debug)]
enum Kept {
    Server(RedisServer),
    Folder(#[expect(dead_code, reason = "removes the folder when it is dropped")] TempDir),
    Nothing,
}

/// Where a store is, for a process that is to use it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Place {
    /// A server.
    Redis { url: String },
    /// A file; `full` is whether each commit is synced.
    Sqlite { path: PathBuf, full: bool },
    /// The memory of the process that opens it.
    Memory,
}

impl Place {
    /// What a client of mq connects to.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Redis { url } => url.clone(),
            Self::Sqlite { path, full } => {
                let synchronous = if *full { "full" } else { "normal" };
                format!("sqlite:{}?synchronous={synchronous}", path.display())
            }
            Self::Memory => "sqlite::memory:".to_owned(),
        }
    }
}

impl Store {
    /// A new one, with the settings that the engine's name stands for.
    pub(crate) fn start(engine: Engine) -> Result<Self, Fail> {
        let log = |sync| ["--appendonly", "yes", "--appendfsync", sync];
        match engine {
            Engine::Redis => Self::server(&[]),
            Engine::RedisEverysec => Self::server(&log("everysec")),
            Engine::RedisAlways => Self::server(&log("always")),
            Engine::Sqlite => Self::file(false),
            Engine::SqliteFull => Self::file(true),
            Engine::SqliteMemory => Ok(Self { kept: Kept::Nothing, place: Place::Memory }),
        }
    }

    /// A server with these arguments.
    pub(crate) fn server(args: &[&str]) -> Result<Self, Fail> {
        require_redis()?;
        let server = RedisServer::with(args);
        let place = Place::Redis { url: server.url() };
        Ok(Self { kept: Kept::Server(server), place })
    }

    fn file(full: bool) -> Result<Self, Fail> {
        let folder = tempfile::Builder::new().prefix("mq-bench-").tempdir()?;
        let place = Place::Sqlite { path: folder.path().join("jobs.db"), full };
        Ok(Self { kept: Kept::Folder(folder), place })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// What the server has used so far; nothing where there is no server, because then the work of
    /// the store is done by the processes that use it.
    pub(crate) fn usage(&self) -> Result<Option<Usage>, Fail> {
        let Kept::Server(server) = &self.kept else { return Ok(None) };
        let pid = server.pid().ok_or_else(|| Fail::new("the server does not run"))?;
        Usage::of(pid).map(Some)
    }

    /// CPU seconds of the server since [`usage`](Self::usage) said this; nothing where there is no
    /// server.
    pub(crate) fn cpu_since(&self, before: Option<Usage>) -> Result<Option<f64>, Fail> {
        Ok(before.zip(self.usage()?).map(|(before, after)| after.cpu_since(&before)))
    }
}

/// Says how to get the server if it is not there.
pub(crate) fn require_redis() -> Result<(), Fail> {
    let found = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(Fail::missing(
        "there is no program `redis-server`, 7.0 or newer, in the path: install it with \
         `./ci setup`, or leave it out with `--engine sqlite,sqlite-full,sqlite-memory`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_how_safe_a_file_is() {
        let file = |full| Place::Sqlite { path: "/a/jobs.db".into(), full }.url();
        assert_eq!(file(false), "sqlite:/a/jobs.db?synchronous=normal");
        assert_eq!(file(true), "sqlite:/a/jobs.db?synchronous=full");
        assert_eq!(Place::Memory.url(), "sqlite::memory:");
    }

    #[test]
    fn a_file_is_gone_with_its_store() {
        let store = Store::start(Engine::Sqlite).unwrap();
        let Place::Sqlite { path, .. } = store.place().clone() else { panic!("no file") };
        let folder = path.parent().unwrap().to_owned();
        assert!(folder.is_dir() && store.usage().unwrap().is_none());
        drop(store);
        assert!(!folder.exists());
    }
}
