//! A Redis in the eyes of somebody who is not mq: bytes over a socket, so that no client of ours
//! can hide what is there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a server may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A connection that asks one thing at a time.
#[derive(Debug)]
pub struct Raw {
    stream: BufReader<TcpStream>,
}

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Nothing.
    Nil,
    /// A number.
    Number(i64),
    /// A text.
    Bytes(Vec<u8>),
    /// A refusal.
    Error(String),
    /// Several replies.
    List(Vec<Reply>),
}

impl Raw {
    /// Connects to the server of a URL as tests have it, `redis://host:port` and perhaps more: as
    /// the user by default, who may look at everything, also if the URL names another.
    ///
    /// # Panics
    /// When there is none; so do all methods here, this being for tests.
    pub fn connect(url: &str) -> Self {
        let rest = url.strip_prefix("redis://").unwrap_or(url);
        let address = rest.split(['/', '?']).next().unwrap_or(rest);
        let address = address.rsplit('@').next().unwrap_or(address);
        let stream = TcpStream::connect(address);
        let stream = stream.unwrap_or_else(|error| panic!("cannot reach {address}: {error}"));
        let limit = stream.set_read_timeout(Some(ANSWER_MAX));
        limit.unwrap_or_else(|error| panic!("{error}"));
        Self { stream: BufReader::new(stream) }
    }

    /// Sends a command.
    pub fn ask<A: AsRef<[u8]>>(&mut self, words: &[A]) -> Reply {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words.iter().map(AsRef::as_ref) {
            request.extend(format!("${}\r\n", word.len()).into_bytes());
            request.extend(word);
            request.extend(b"\r\n");
        }
        let sent = self.stream.get_mut().write_all(&request);
        sent.unwrap_or_else(|error| panic!("cannot ask the server: {error}"));
        self.reply()
    }

    fn reply(&mut self) -> Reply {
        let line = self.line();
        let (sort, rest) = line.split_at(1);
        let number = || rest.parse().unwrap_or_else(|_| panic!("no number: {line:?}"));
        match sort {
            "+" => Reply::Bytes(rest.as_bytes().to_vec()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Number(number()),
            "$" | "*" if number() < 0 => Reply::Nil,
            "$" => {
                let mut bytes = vec![0; number() as usize + 2];
                let read = self.stream.read_exact(&mut bytes);
                read.unwrap_or_else(|error| panic!("no answer: {error}"));
                bytes.truncate(bytes.len() - 2);
                Reply::Bytes(bytes)
            }
            "*" => Reply::List((0..number()).map(|_| self.reply()).collect()),
            _ => panic!("no reply: {line:?}"),
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line);
        read.unwrap_or_else(|error| panic!("no answer: {error}"));
        assert!(line.len() > 2, "the server has hung up");
        line.trim_end().to_owned()
    }

    /// The commands that the server has carried out so far.
    pub fn commands(&mut self) -> u64 {
        let text = self.ask(&["INFO", "commandstats"]).text();
        let calls = text.lines().filter_map(|line| line.split_once("calls=")?.1.split(',').next());
        calls.filter_map(|count| count.parse::<u64>().ok()).sum()
    }
}

impl Reply {
    /// The text; empty if there is none.
    ///
    /// # Panics
    /// When the server has refused the command.
    pub fn text(&self) -> String {
        match self {
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Number(number) => number.to_string(),
            Self::Error(error) => panic!("the server refused: {error}"),
            _ => String::new(),
        }
    }

    /// The elements as texts; none if there are none.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::List(elements) => elements.iter().map(Self::text).collect(),
            Self::Error(error) => panic!("the server refused: {error}"),
            _ => Vec::new(),
        }
    }

    /// The elements in pairs, as of a hash.
    pub fn pairs(&self) -> Vec<(String, String)> {
        self.texts().chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
    }
}
