//! A small HTTP/1.1 client for one site: GET and HEAD, connections kept for the next request.

use std::io::{Error, ErrorKind, Result};
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::html;

type Connection = BufReader<TcpStream>;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// A site by its address, `127.0.0.1:8000`.
pub(crate) struct Site {
    address: String,
    idle: Mutex<Vec<Connection>>,
}

impl Site {
    pub(crate) fn new(address: String) -> Self {
        Self { address, idle: Mutex::default() }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        self.ask("GET", path).await
    }

    pub(crate) async fn head(&self, path: &str) -> Result<Answer> {
        self.ask("HEAD", path).await
    }

    async fn ask(&self, method: &str, path: &str) -> Result<Answer> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => BufReader::new(TcpStream::connect(&self.address).await?),
        };
        let (address, path) = (&self.address, html::encode(path));
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        connection.write_all(request.as_bytes()).await?;
        let answer = read(&mut connection, method == "HEAD").await?;
        // A connection with half an answer in it is dropped by the `?` above.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        Ok(answer)
    }
}

async fn read(connection: &mut Connection, head: bool) -> Result<Answer> {
    let mut line = String::new();
    connection.read_line(&mut line).await?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| invalid("the server sent no status"))?;
    let mut length = 0;
    loop {
        line.clear();
        if connection.read_line(&mut line).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if line.trim_end().is_empty() {
            break;
        }
        if let Some(("content-length", value)) =
            line.to_ascii_lowercase().split_once(':').map(|(name, value)| (name, value.trim()))
        {
            length = value.parse().map_err(|_| invalid("the length is not a number"))?;
        }
    }
    let mut body = vec![0; if head { 0 } else { length }];
    connection.read_exact(&mut body).await?;
    Ok(Answer { status, body })
}

fn invalid(text: &str) -> Error {
    Error::new(ErrorKind::InvalidData, text)
}
