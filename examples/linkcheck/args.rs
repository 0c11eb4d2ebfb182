//! The command line, of people and of worker processes.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, bail};

pub(crate) const HELP: &str = "\
linkcheck: checks every link of a tree of HTML pages, with jobs

  --root DIR        the tree; default: target/doc, made by `cargo doc` if it is not there
  --url URL         where the jobs are kept; default: a file that is gone at the end
  --workers N       worker processes (default 2)
  --concurrency N   jobs that each of them runs at a time (default 32)
  --flaky PERCENT   pages that answer 503 the first two times (default 5)
  --kill-workers    kill a random worker with SIGKILL every second or two
  --limit N         check at most N pages
  --json            print the report as JSON
  --log             show what the workers log";

/// What a person asks for.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) root: Option<PathBuf>,
    pub(crate) url: Option<String>,
    pub(crate) workers: usize,
    pub(crate) concurrency: usize,
    pub(crate) flaky_percent: u64,
    pub(crate) kill_workers: bool,
    pub(crate) limit: Option<usize>,
    pub(crate) json: bool,
    pub(crate) log: bool,
}

impl Args {
    pub(crate) fn parse(words: Vec<String>) -> anyhow::Result<Self> {
        let mut args = Self {
            root: None,
            url: None,
            workers: 2,
            concurrency: 32,
            flaky_percent: 5,
            kill_workers: false,
            limit: None,
            json: false,
            log: false,
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--root" => args.root = Some(value(&word, &mut words)?),
                "--url" => args.url = Some(value(&word, &mut words)?),
                "--workers" => args.workers = value(&word, &mut words)?,
                "--concurrency" => args.concurrency = value(&word, &mut words)?,
                "--flaky" => args.flaky_percent = value(&word, &mut words)?,
                "--kill-workers" => args.kill_workers = true,
                "--limit" => args.limit = Some(value(&word, &mut words)?),
                "--json" => args.json = true,
                "--log" => args.log = true,
                _ => bail!("unknown option `{word}`\n\n{HELP}"),
            }
        }
        if args.workers == 0 || args.concurrency == 0 || args.limit == Some(0) {
            bail!("`--workers`, `--concurrency` and `--limit` must be at least 1");
        }
        if args.url.as_deref().is_some_and(|url| url.starts_with("sqlite::memory:")) {
            bail!("worker processes share no memory: name a file or a server with `--url`");
        }
        Ok(args)
    }
}

/// What the program tells the worker processes that it starts.
#[derive(Debug, Clone)]
pub(crate) struct WorkerArgs {
    pub(crate) url: String,
    pub(crate) site: String,
    pub(crate) run: String,
    pub(crate) results: PathBuf,
    pub(crate) concurrency: usize,
    pub(crate) log: bool,
}

impl WorkerArgs {
    pub(crate) fn parse(words: Vec<String>) -> anyhow::Result<Self> {
        let mut words = words.into_iter();
        let mut next = || words.next().context("a worker is started by `linkcheck` itself");
        Ok(Self {
            url: next()?,
            site: next()?,
            run: next()?,
            results: next()?.into(),
            concurrency: next()?.parse()?,
            log: next()?.parse()?,
        })
    }

    pub(crate) fn words(&self) -> [String; 6] {
        let results = self.results.to_string_lossy().into_owned();
        let (concurrency, log) = (self.concurrency.to_string(), self.log.to_string());
        [self.url.clone(), self.site.clone(), self.run.clone(), results, concurrency, log]
    }
}

fn value<T: FromStr>(option: &str, words: &mut impl Iterator<Item = String>) -> anyhow::Result<T> {
    let word = words.next().with_context(|| format!("`{option}` needs a value"))?;
    word.parse().ok().with_context(|| format!("`{option}` does not take `{word}`"))
}
