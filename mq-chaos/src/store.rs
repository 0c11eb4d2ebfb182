//! A throw-away store for faults that must end the same way on every engine.

use mq_testkit::RedisServer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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

    /// Sends a command to the server, past the client that is tested, and returns the reply as it
    /// comes, or its first 64 KiB. Nothing if there is no server.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn ask(&self, words: &[&str]) -> String {
        let Self::Redis(server) = self else { return String::new() };
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        let mut reply = vec![0; 64 * 1024];
        let asked = async {
            let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await?;
            stream.write_all(request.as_bytes()).await?;
            stream.read(&mut reply).await
        };
        let length = asked.await.unwrap_or_else(|error| panic!("{words:?}: {error}"));
        String::from_utf8_lossy(&reply[..length]).into_owned()
    }
}
