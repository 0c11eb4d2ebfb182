//! What the figures were measured with, and on what.

use std::fs;
use std::path::Path;
use std::process::Command;

use mq::prelude::{DateTime, Utc};
use mq_core::clock;
use serde::Serialize;

/// Stands in the JSON as `about`. What cannot be found out is `unknown`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct About {
    /// Of the source, at the time of the run.
    pub(crate) commit: String,
    /// Whether the source had changes beside that commit.
    pub(crate) is_dirty: bool,
    pub(crate) date: String,
    /// `release`, or `debug`, whose figures mean nothing.
    pub(crate) build: &'static str,
    pub(crate) mq: &'static str,
    pub(crate) redis_server: String,
    pub(crate) sqlite: &'static str,
    pub(crate) rustc: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) rounds: usize,
    pub(crate) scale: f64,
}

impl About {
    pub(crate) fn now(rounds: usize, scale: f64) -> Self {
        let date = DateTime::<Utc>::from_timestamp_millis(clock::wall_ms() as i64);
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        Self {
            commit: said("git", &["rev-parse", "--short=12", "HEAD"]),
            is_dirty: !matches!(said("git", &["status", "--porcelain"]).as_str(), ""),
            date: date.map_or_else(unknown, |date| date.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            mq: env!("CARGO_PKG_VERSION"),
            redis_server: redis_version(&said("redis-server", &["--version"])),
            sqlite: rusqlite::version(),
            rustc: said("rustc", &["--version"]),
            cpu: cpu(&cpus),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: kernel.map_or_else(unknown, |text| text.trim().to_owned()),
            rounds,
            scale,
        }
    }

    /// A line or two above the tables.
    pub(crate) fn text(&self) -> String {
        let Self { commit, date, build, mq, redis_server, sqlite, rustc, .. } = self;
        let Self { cpu, cores, kernel, rounds, scale, .. } = self;
        let dirty = if self.is_dirty { " with changes" } else { "" };
        format!(
            "mq {mq} ({commit}{dirty}, {build}), redis-server {redis_server}, SQLite {sqlite}, \
             {rustc}\n{cpu}, {cores} cores, Linux {kernel}, {date}, rounds: {rounds}, scale: \
             {scale}\n"
        )
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The first line that a program prints.
fn said(program: &str, args: &[&str]) -> String {
    let mut command = Command::new(program);
    // So that the toolchain and the repository are ours wherever the program is started.
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    if home.is_dir() {
        command.current_dir(home);
    }
    match command.args(args).output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or("").to_owned()
        }
        _ => unknown(),
    }
}

/// `7.0.15` of `Redis server v=7.0.15 sha=00000000:0 malloc=…`.
fn redis_version(text: &str) -> String {
    let version = text.split_whitespace().find_map(|word| word.strip_prefix("v="));
    version.map_or_else(unknown, str::to_owned)
}

fn cpu(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(": ")).map(|(_, name)| name.trim());
    name.map_or_else(unknown, str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_models_are_found_in_what_programs_say() {
        assert_eq!(redis_version("Redis server v=7.0.15 sha=00000000:0 malloc=x"), "7.0.15");
        assert_eq!(redis_version("unknown"), "unknown");
        assert_eq!(cpu("processor\t: 0\nmodel name\t: A B\nx"), "A B");
        assert_eq!(cpu(""), "unknown");
    }

    #[test]
    fn what_is_not_there_is_unknown() {
        assert_eq!(said("no-such-program-here", &[]), "unknown");
    }
}
