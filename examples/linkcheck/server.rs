//! The site: a tree of files over HTTP/1.1 on 127.0.0.1, with failures on request.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::html;

/// How often a flaky page fails before it works.
const FAILURES: u32 = 2;

/// What the server does besides serving files.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) root: PathBuf,
    /// How many percent of the pages answer 503 at first.
    pub(crate) flaky_percent: u64,
    /// After so many different pages, further ones answer 403.
    pub(crate) limit: usize,
}

struct Shared {
    site: Site,
    failures: Mutex<HashMap<String, u32>>,
    pages: Mutex<HashSet<String>>,
}

/// Serves until the program ends; the address to ask.
pub(crate) async fn start(site: Site) -> Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?.to_string();
    let shared = Shared { site, failures: Mutex::default(), pages: Mutex::default() };
    let shared = Arc::new(shared);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let shared = Arc::clone(&shared);
            // A connection that breaks is the business of the one who asked.
            tokio::spawn(async move { drop(serve(stream, &shared).await) });
        }
    });
    Ok(address)
}

async fn serve(stream: TcpStream, shared: &Arc<Shared>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let request = line.clone();
        while line.trim_end() != "" {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
        }
        let mut words = request.split(' ');
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or("/"));
        let path = html::decode(path);
        let shared = Arc::clone(shared);
        let (status, body) = tokio::task::spawn_blocking(move || shared.answer(&path)).await?;
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n");
        let mut answer = head.into_bytes();
        if method != "HEAD" {
            answer.extend(body);
        }
        stream.write_all(&answer).await?;
    }
}

impl Shared {
    fn answer(&self, path: &str) -> (&'static str, Vec<u8>) {
        if path.split('/').any(|part| part == "..") {
            return ("400 Bad Request", Vec::new());
        }
        let Some(body) = read(&self.site.root, path) else {
            return ("404 Not Found", Vec::new());
        };
        let is_page = path == "/" || path.ends_with(".html");
        if is_page && !self.admits(path) {
            return ("403 Forbidden", Vec::new());
        }
        if is_page && self.fails(path) {
            return ("503 Service Unavailable", Vec::new());
        }
        ("200 OK", body)
    }

    /// The server is the one place that all workers ask, so it keeps the limit for them.
    fn admits(&self, path: &str) -> bool {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.len() < self.site.limit {
            pages.insert(path.to_owned());
        }
        pages.contains(path)
    }

    fn fails(&self, path: &str) -> bool {
        // By the path and not by chance, so that every run meets the same failures.
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        if hasher.finish() % 100 >= self.site.flaky_percent {
            return false;
        }
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(path.to_owned()).or_default();
        *count += 1;
        *count <= FAILURES
    }
}

fn read(root: &Path, path: &str) -> Option<Vec<u8>> {
    let file = root.join(path.trim_start_matches('/'));
    if path == "/" {
        return std::fs::read(root.join("index.html")).ok().or_else(|| Some(index(root)));
    }
    std::fs::read(file).ok()
}

/// A page of links to all sub-directories that have one of their own.
fn index(root: &Path) -> Vec<u8> {
    let mut names: Vec<String> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("index.html").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let links = names.iter().map(|name| format!("<a href=\"/{name}/index.html\">{name}</a>\n"));
    links.collect::<String>().into_bytes()
}
