//! What a URL says: `sqlite:jobs.db`, `sqlite:/var/lib/app/jobs.db?synchronous=full`,
//! `sqlite::memory:`.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use std::path::PathBuf;

use mq_core::connect::ConnectError;
use mq_core::engine::Durability;

/// The schemes of this engine.
pub(crate) const SCHEMES: &[&str] = &["sqlite"];

/// How long the write-ahead log may get before new jobs are refused, in bytes.
const WAL_MAX: u64 = 1024 * 1024 * 1024;

/// How a store is to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The file; none is a store in memory.
    pub(crate) path: Option<PathBuf>,
    /// Whether the file is made if it is not there.
    pub(crate) is_made: bool,
    /// Whether each commit waits for the disk.
    pub(crate) is_full: bool,
    /// Whether the file is an application's own database, with tables of its own.
    pub(crate) is_shared: bool,
    /// The longest write-ahead log with which new jobs are taken, in bytes.
    pub(crate) wal_max: u64,
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
        let path = (path != ":memory:").then(|| PathBuf::from(path));
        let mut settings =
            Self { path, is_made: true, is_full: false, is_shared: false, wal_max: WAL_MAX };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            settings.set(option)?;
        }
        Ok(settings)
    }

    fn set(&mut self, option: &str) -> Result<(), ConnectError> {
        match option.split_once('=') {
            // The words of SQLite's own URLs.
            Some(("mode", "rwc")) => self.is_made = true,
            Some(("mode", "rw")) => self.is_made = false,
            Some(("synchronous", "full")) => self.is_full = true,
            Some(("synchronous", "normal")) => self.is_full = false,
            Some(("database", "application")) => self.is_shared = true,
            Some(("wal_max_mb", megabytes)) => {
                let bytes = megabytes.parse().ok().and_then(|mb: u64| mb.checked_mul(1024 * 1024));
                self.wal_max = bytes.filter(|bytes| *bytes > 0).ok_or_else(|| unknown(option))?;
            }
            _ => return Err(unknown(option)),
        }
        Ok(())
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
        "the URL has an unknown option `{}`: there are `mode=rw`, `synchronous=full`, \
         `synchronous=normal`, `database=application` and `wal_max_mb=1024`",
        option.escape_debug()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Settings {
        Settings::parse(url).unwrap()
    }

    #[test]
    fn urls_say_where_and_how_safe() {
        let file = |path: &str, is_full| {
            let path = Some(path.into());
            Settings { path, is_made: true, is_full, is_shared: false, wal_max: WAL_MAX }
        };
        assert_eq!(parse("sqlite:jobs.db"), file("jobs.db", false));
        assert_eq!(parse("sqlite://jobs.db"), file("jobs.db", false));
        assert_eq!(parse("sqlite:///a/b.db?synchronous=full"), file("/a/b.db", true));
        assert_eq!(parse("sqlite:/a/b.db?synchronous=normal"), file("/a/b.db", false));
        assert_eq!(parse("sqlite::memory:"), Settings { path: None, ..file("", false) });
    }

    #[test]
    fn other_options_are_read_and_what_is_none_is_refused() {
        let settings = parse("sqlite:a?database=application&synchronous=full&wal_max_mb=2");
        assert!(settings.is_shared && settings.is_full && settings.is_made);
        assert!(!parse("sqlite:a?mode=rw").is_made);
        assert_eq!(settings.wal_max, 2 * 1024 * 1024);
        let bad = ["a?b=c", "a?synchronous=off", "a?mode=ro", "a?database=mine", "a?x"];
        let bad = bad.into_iter().chain(["", "//", "a?wal_max_mb=0"]);
        for bad in bad {
            let url = format!("sqlite:{bad}");
            assert!(matches!(Settings::parse(&url), Err(ConnectError::Url(_))), "{url}");
        }
    }

    #[test]
    fn safety_is_what_was_asked_for() {
        let durability = |url| parse(url).durability();
        assert_eq!(durability("sqlite::memory:"), Durability::Memory);
        assert_eq!(durability("sqlite:a"), Durability::Disk1s);
        assert_eq!(durability("sqlite:a?synchronous=full"), Durability::Disk);
    }
}
