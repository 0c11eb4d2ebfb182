//! A few lines of RESP, so that no test depends on the client that it tests.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take; a server that is frozen gives none.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// Most that is read of an answer.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Asks the server at a port on 127.0.0.1 by a connection of its own. Its answer as it came, or
/// the beginning of it if it is large; empty if there is none.
pub async fn ask(port: u16, words: &[&str]) -> String {
    match Wire::to(port).await {
        Ok(mut wire) => wire.ask(words).await,
        Err(_) => String::new(),
    }
}

/// A connection that stays.
#[derive(Debug)]
pub struct Wire(TcpStream);

impl Wire {
    /// To the server at a port on 127.0.0.1.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn to(port: u16) -> io::Result<Self> {
        TcpStream::connect(("127.0.0.1", port)).await.map(Self)
    }

    /// Sends a command; see [`ask`] for the answer.
    pub async fn ask(&mut self, words: &[&str]) -> String {
        let answer = timeout(ANSWER_MAX, self.say(words)).await;
        let bytes = answer.map(Result::unwrap_or_default).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    async fn say(&mut self, words: &[&str]) -> io::Result<Vec<u8>> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.0.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        loop {
            answer.reserve(64 * 1024);
            let len = self.0.read_buf(&mut answer).await?;
            if len == 0 || answer.len() >= wanted(&answer).min(ANSWER_BYTES_MAX) {
                return Ok(answer);
            }
        }
    }
}

/// How long an answer is that begins like this: known of texts, taken as it comes of lists.
fn wanted(answer: &[u8]) -> usize {
    let Some(end) = answer.windows(2).position(|pair| pair == b"\r\n") else { return usize::MAX };
    let head = String::from_utf8_lossy(&answer[..end]);
    let len = head.strip_prefix('$').and_then(|len| len.parse::<usize>().ok());
    end + 2 + len.map_or(0, |len| len + 2)
}
