//! A throw-away store for faults that must end the same way on every engine.

use mq_testkit::{RedisServer, ask};
use tempfile::TempDir;

use crate::file::File;

/// One store of one test; gone when it is dropped.
#[derive(Debug)]
pub enum Store {
    /// A server.
    Redis(RedisServer),
    /// A folder with a file.
    Sqlite(TempDir),
}

impl Store {
    /// A server of its own.
    pub fn redis() -> Self {
        Self::Redis(RedisServer::start())
    }

    /// A file of its own.
    ///
    /// # Panics
    /// When there can be no folder for it.
    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap_or_else(|error| panic!("no directory: {error}")))
    }

    /// What a client connects to.
    pub fn url(&self) -> String {
        match self {
            Self::Redis(server) => server.url(),
            Self::Sqlite(folder) => File::in_folder(folder.path()).url("normal"),
        }
    }

    /// Sends a command to the server, past the client that is tested; see [`ask`]. Nothing if there
    /// is no server.
    pub async fn ask(&self, words: &[&str]) -> String {
        match self {
            Self::Redis(server) => ask(server.port(), words).await,
            Self::Sqlite(_) => String::new(),
        }
    }
}
