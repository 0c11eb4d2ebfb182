//! What a URL says: `sqlite:jobs.db`, `sqlite:/var/lib/app/jobs.db?synchronous=full`,
//! `sqlite::memory:`.

use std::path::PathBuf;

use mq_core::connect::ConnectError;
use mq_core::engine::Durability;

/// The schemes of this engine.
pub(crate) const SCHEMES: &[&str] = &["sqlite"];

/// How a store is to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The file; none is a store in memory.
    pub(crate) path: Option<PathBuf>,
    /// Whether each commit waits for the disk.
    pub(crate) is_full: bool,
}

impl Settings {
    /// Reads a URL.
    pub(crate) fn parse(url: &str) -> Result<Self, ConnectError> {
        let rest = url.split_once(':').map_or(url, |(_, rest)| rest);
        let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
        // Other libraries write two slashes before the path; a third one begins it.
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            let text = "the URL names no file: write, for example, `sqlite:jobs.db`";
            return Err(ConnectError::Url(text.to_owned()));
        }
        let mut is_full = false;
        for option in options.split('&').filter(|option| !option.is_empty()) {
            is_full = match option {
                "synchronous=full" => true,
                "synchronous=normal" => false,
                _ => return Err(unknown(option)),
            };
        }
        let path = (path != ":memory:").then(|| PathBuf::from(path));
        Ok(Self { path, is_full })
    }

    /// What an acknowledged job survives.
    pub(crate) fn durability(&self) -> Durability {
        match (&self.path, self.is_full) {
            (None, _) => Durability::Memory,
            (Some(_), false) => Durability::Disk1s,
            (Some(_), true) => Durability::Disk,
        }
    }
}

fn unknown(option: &str) -> ConnectError {
    let option: String = option.chars().take(64).collect();
    ConnectError::Url(format!(
        "the URL has an unknown option `{}`: write `synchronous=full` or `synchronous=normal`",
        option.escape_debug()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_where_and_how_safe() {
        let parse = |url| Settings::parse(url).unwrap();
        let file = |path: &str, is_full| Settings { path: Some(path.into()), is_full };
        assert_eq!(parse("sqlite:jobs.db"), file("jobs.db", false));
        assert_eq!(parse("sqlite://jobs.db"), file("jobs.db", false));
        assert_eq!(parse("sqlite:///a/b.db?synchronous=full"), file("/a/b.db", true));
        assert_eq!(parse("sqlite:/a/b.db?synchronous=normal"), file("/a/b.db", false));
        assert_eq!(parse("sqlite::memory:"), Settings { path: None, is_full: false });
        for bad in ["sqlite:", "sqlite://", "sqlite:a?b=c", "sqlite:a?synchronous=off"] {
            assert!(matches!(Settings::parse(bad), Err(ConnectError::Url(_))), "{bad}");
        }
    }

    #[test]
    fn safety_is_what_was_asked_for() {
        let durability = |url| Settings::parse(url).unwrap().durability();
        assert_eq!(durability("sqlite::memory:"), Durability::Memory);
        assert_eq!(durability("sqlite:a"), Durability::Disk1s);
        assert_eq!(durability("sqlite:a?synchronous=full"), Durability::Disk);
    }
}
