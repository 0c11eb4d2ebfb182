//! What was checked: a file that all worker processes append to.
//!
//! Each line goes out in one write, so lines of several processes do not mix, and what was written
//! outlives a `kill -9` of the writer.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Result, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What a job came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Checked {
    Page,
    /// Beyond `--limit`.
    PageSkipped,
    Link,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    checked: Checked,
    url: String,
    links: usize,
    attempt: u32,
}

/// The file, for a worker.
pub(crate) struct Results {
    file: File,
}

impl Results {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Self { file: OpenOptions::new().append(true).create(true).open(path)? })
    }

    pub(crate) fn write(
        &self,
        checked: Checked,
        url: &str,
        links: usize,
        attempt: u32,
    ) -> Result<()> {
        let line = Line { checked, url: url.to_owned(), links, attempt };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        (&self.file).write_all(&text)
    }
}

/// The whole file, for the report.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// URLs of pages, with how often each was done.
    pub(crate) pages: HashMap<String, u32>,
    /// URLs of pages beyond the limit.
    pub(crate) skipped: HashMap<String, u32>,
    /// Link targets, with how often each was done.
    pub(crate) links: HashMap<String, u32>,
    /// Links on all pages, each page once.
    pub(crate) links_on_pages: usize,
    /// Jobs that worked, but not at their first attempt.
    pub(crate) retried: usize,
}

impl Summary {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let mut summary = Self::default();
        for line in BufReader::new(File::open(path)?).lines() {
            // A worker that is killed while it writes can leave half a line.
            let Ok(line) = serde_json::from_str::<Line>(&line?) else { continue };
            let urls = match line.checked {
                Checked::Page => &mut summary.pages,
                Checked::PageSkipped => &mut summary.skipped,
                Checked::Link => &mut summary.links,
            };
            let times = urls.entry(line.url).or_default();
            *times += 1;
            if *times == 1 {
                summary.links_on_pages += line.links;
                summary.retried += usize::from(line.attempt > 1);
            }
        }
        Ok(summary)
    }

    /// How many jobs were done once more, because their worker died before it could say so.
    pub(crate) fn reruns(&self) -> u32 {
        let all = self.pages.values().chain(self.skipped.values()).chain(self.links.values());
        all.map(|times| times - 1).sum()
    }
}

/// A directory that is gone when the program ends.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("linkcheck-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        Ok(Self(dir))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
