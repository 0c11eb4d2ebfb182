//! Whether a server is fit for jobs, what it promises to keep, and what its operator should mend.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mq_core::clock;
use mq_core::engine::{Durability, EngineError};
use mq_core::name::quoted;
use redis::Value;

use crate::link::{Link, Patience, Request, info_field, info_text, refusal};
use crate::reply;
use crate::url::Settings;

/// How often the server is looked at again, at most.
const EVERY: Duration = Duration::from_secs(60);
/// How long a look may take.
const PATIENCE: Patience = Patience::Until(Duration::from_secs(10));
/// How far apart the clocks may be before people are told. Nothing depends on it.
const CLOCK_APART_MAX_MS: u64 = 5_000;
const OPTIONS: [&str; 7] = [
    "appendonly",
    "appendfsync",
    "no-appendfsync-on-rewrite",
    "min-replicas-to-write",
    "maxmemory-policy",
    "protected-mode",
    "bind",
];

/// What is known about the server, looked at again every minute while there is traffic.
#[derive(Debug)]
pub(crate) struct Health {
    state: Mutex<State>,
    is_looking: AtomicBool,
}

#[derive(Debug)]
struct State {
    durability: Durability,
    warnings: Vec<String>,
    is_evicting: bool,
    looked_at: Instant,
}

/// What a look at the server has shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    info: String,
    /// Options that could be read; empty if the user may not.
    options: Vec<(String, String)>,
    /// The server's clock, in ms since 1970.
    now_ms: Option<u64>,
    wall_ms: u64,
    may_kill: bool,
    /// Whether the password-less default user is who we are.
    is_open: bool,
}

/// Looks at the server.
pub(crate) async fn look(link: &Link, patience: Patience) -> Result<Report, EngineError> {
    let mut request = Request::new();
    let mut info = redis::cmd("INFO");
    info.arg("default");
    request.cmd(info).cmd(redis::cmd("TIME"));
    let mut whoami = redis::cmd("ACL");
    whoami.arg("WHOAMI");
    request.cmd(whoami);
    let mut kill = redis::cmd("CLIENT");
    kill.arg("KILL").arg("ID").arg(i64::MAX);
    request.cmd(kill);
    for option in OPTIONS {
        let mut config = redis::cmd("CONFIG");
        config.arg("GET").arg(option);
        request.cmd(config);
    }
    let values = link.run(&request, patience).await?;
    let [info, time, whoami, kill, options @ ..] = &values[..] else {
        return Ok(Report::default());
    };
    if let Value::ServerError(error) = info {
        return Err(refusal(error));
    }
    let is_default = matches!(whoami, Value::BulkString(name) if name == b"default");
    Ok(Report {
        info: printable_lines(info_text(info).unwrap_or_default()),
        options: options.iter().filter_map(option).collect(),
        now_ms: time_ms(time),
        wall_ms: clock::wall_ms(),
        may_kill: matches!(kill, Value::Int(_)),
        is_open: is_default && !link.settings().has_password(),
    })
}

impl Report {
    /// Why this server must not be used, and what to type; nothing if it may be.
    pub(crate) fn unfit(&self, settings: &Settings) -> Option<String> {
        if self.field("redis_mode") == Some("sentinel") {
            return Some(format!(
                "{settings} is a Sentinel and keeps no jobs: give the address of the primary that \
                 it watches"
            ));
        }
        if self.field("redis_mode") == Some("cluster") {
            return Some(format!(
                "{settings} is a node of a cluster, which this version of mq cannot use: give a \
                 single server"
            ));
        }
        if self.is_replica() && !settings.allow_replica {
            let host = self.field("master_host").unwrap_or("?");
            let port = self.field("master_port").unwrap_or("?");
            return Some(format!(
                "{settings} is a replica and takes no jobs: connect to its primary {host}:{port}, \
                 or add allow_replica=true to the URL to look only"
            ));
        }
        if let Some(version) = self.too_old()
            && !settings.allow_old_version
        {
            return Some(format!(
                "{settings} is {version}: mq needs Redis 7.0, Valkey 7.2 or newer; upgrade it, or \
                 add allow_old_version=true to the URL and see what breaks"
            ));
        }
        if self.is_evicting() && !settings.allow_eviction {
            let policy = self.policy();
            return Some(format!(
                "{settings} has maxmemory-policy {policy} and would throw jobs away when its \
                 memory is full: type `CONFIG SET maxmemory-policy noeviction` (and put it into \
                 the configuration file), or add allow_eviction=true to the URL"
            ));
        }
        None
    }

    /// What an operator should mend.
    pub(crate) fn warnings(&self, settings: &Settings) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut warn = |text: String| warnings.push(format!("{settings}: {text}"));
        if self.is_evicting() {
            warn(format!(
                "maxmemory-policy {} throws jobs away when the memory is full; type `CONFIG SET \
                 maxmemory-policy noeviction`",
                self.policy()
            ));
        } else if self.policy().starts_with("volatile") {
            warn(format!(
                "maxmemory-policy {} may make the server forget which requests it has applied, \
                 and a broken connection may then store a job twice; type `CONFIG SET \
                 maxmemory-policy noeviction`",
                self.policy()
            ));
        }
        if let Some(text) = self.about_persistence() {
            warn(text);
        }
        if self.is_open && (!settings.is_local() || self.is_exposed()) {
            warn(
                "anybody who reaches this address can read and change all jobs; set a password \
                  with `ACL SETUSER default >password` and put it into the URL"
                    .to_owned(),
            );
        }
        if let Some(text) = self.about_scripts(settings) {
            warn(text);
        }
        let replicas = self.number("connected_slaves");
        if replicas > 0 && self.option("min-replicas-to-write") == Some("0") {
            warn(
                "a primary that is cut off from its replicas goes on taking jobs, which are lost \
                  in a fail-over; type `CONFIG SET min-replicas-to-write 1`"
                    .to_owned(),
            );
        }
        if let Some(now_ms) = self.now_ms
            && now_ms.abs_diff(self.wall_ms) > CLOCK_APART_MAX_MS
        {
            let apart_s = now_ms.abs_diff(self.wall_ms) / 1000;
            warn(format!(
                "its clock and the one of this machine are {apart_s} s apart; due times follow \
                 the server's, so check NTP on both"
            ));
        }
        if !self.may_kill {
            warn(
                "the user may not end connections, so jobs are enqueued the slower way; type \
                  `ACL SETUSER name +client|kill`"
                    .to_owned(),
            );
        }
        warnings
    }

    /// What acknowledged jobs survive, as far as it could be verified.
    pub(crate) fn durability(&self) -> Durability {
        let writes = self.field("aof_enabled") == Some("1")
            && self.field("aof_last_write_status").is_none_or(|status| status == "ok");
        let pauses = self.option("no-appendfsync-on-rewrite") == Some("yes");
        match self.option("appendfsync") {
            Some("always") if writes && !pauses => Durability::Disk,
            Some("everysec") if writes && !pauses => Durability::Disk1s,
            _ => Durability::Memory,
        }
    }

    fn about_persistence(&self) -> Option<String> {
        if self.field("aof_enabled") != Some("1") {
            return Some(
                "jobs are not written to disk as they come, and a crash of the server loses them; \
                 type `CONFIG SET appendonly yes` and put it into the configuration file"
                    .to_owned(),
            );
        }
        if self.field("aof_last_write_status").is_some_and(|status| status != "ok") {
            return Some(
                "the last write of the append-only file failed; see the server's log and the free \
                 space on its disk"
                    .to_owned(),
            );
        }
        if self.option("no-appendfsync-on-rewrite") == Some("yes") {
            return Some(
                "nothing is synced to disk while the append-only file is rewritten; type `CONFIG \
                 SET no-appendfsync-on-rewrite no`"
                    .to_owned(),
            );
        }
        match self.option("appendfsync") {
            Some("no") => Some(
                "the append-only file is synced when the system likes; type `CONFIG SET \
                 appendfsync everysec`"
                    .to_owned(),
            ),
            None => Some(
                "the user may not read appendfsync, so nothing better than `memory` can be \
                 promised; type `ACL SETUSER name +config|get`"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// Holes in the server's script engine through which whoever may run scripts, as every user of
    /// mq may, gets out of it: CVE-2025-49844, -46817, -46818 and -46819, and before them
    /// CVE-2024-46981 and -31449.
    fn about_scripts(&self, settings: &Settings) -> Option<String> {
        let (name, version) = self.version()?;
        // The first release of each line that has all of them mended; later lines never had them.
        let (newest, mended): (_, &[_]) = match name {
            "Valkey" => ((9, 0), &[((7, 2), 11), ((8, 0), 6), ((8, 1), 4)]),
            _ => ((8, 3), &[((7, 2), 11), ((7, 4), 6), ((8, 0), 4), ((8, 2), 2)]),
        };
        let (line, patch) = parts(version)?;
        let is_mended =
            line >= newest || mended.iter().any(|&(known, least)| known == line && patch >= least);
        if is_mended || settings.allow_old_version {
            return None;
        }
        let releases: Vec<String> = mended
            .iter()
            .map(|((major, minor), patch)| format!("{major}.{minor}.{patch}"))
            .collect();
        let releases = releases.join(", ");
        Some(format!(
            "{name} {version} has holes in its script engine that let a user take the server over \
             (CVE-2025-49844 and others); upgrade it to {releases} or newer, or add \
             allow_old_version=true to the URL if its vendor has mended them under the old number"
        ))
    }

    /// Whether other machines reach it as well. A server of which that cannot be read is taken for
    /// one that is careful.
    fn is_exposed(&self) -> bool {
        let is_loopback = |address: &str| {
            let address = address.trim_start_matches('-');
            address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        };
        let is_open_to_all = |bind: &str| !bind.split_whitespace().all(is_loopback);
        self.option("protected-mode") == Some("no")
            && self.option("bind").is_some_and(is_open_to_all)
    }

    fn is_evicting(&self) -> bool {
        self.policy().starts_with("allkeys")
    }

    fn policy(&self) -> &str {
        let option = self.option("maxmemory-policy");
        option.or_else(|| self.field("maxmemory_policy")).unwrap_or("noeviction")
    }

    fn is_replica(&self) -> bool {
        self.field("role") == Some("slave")
    }

    /// The name and version of a server that is older than what mq is tested with.
    fn too_old(&self) -> Option<String> {
        let (name, version) = self.version()?;
        let least = if name == "Valkey" { (7, 2) } else { (7, 0) };
        let (found, _) = parts(version)?;
        (found < least).then(|| format!("{name} {version}"))
    }

    fn version(&self) -> Option<(&'static str, &str)> {
        match self.field("valkey_version") {
            Some(version) => Some(("Valkey", version)),
            None => Some(("Redis", self.field("redis_version")?)),
        }
    }

    fn field(&self, name: &str) -> Option<&str> {
        info_field(&self.info, name)
    }

    fn number(&self, name: &str) -> u64 {
        self.field(name).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    fn option(&self, name: &str) -> Option<&str> {
        let found = self.options.iter().find(|(option, _)| option == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Health {
    /// What a first look has shown.
    pub(crate) fn new(report: &Report, settings: &Settings) -> Self {
        let state = Mutex::new(State::of(report, settings));
        Self { state, is_looking: AtomicBool::new(false) }
    }

    /// What acknowledged jobs survive, as of the last look.
    pub(crate) fn durability(&self) -> Durability {
        self.state().durability
    }

    /// What an operator should mend, as of the last look.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.state().warnings.clone()
    }

    /// Looks at the server again in the background, if the last look is a minute old. To be called
    /// wherever there is traffic; costs next to nothing.
    pub(crate) fn keep_up(self: &Arc<Self>, link: &Link) {
        if self.state().looked_at.elapsed() < EVERY || self.is_looking.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let (health, link) = (self.clone(), link.clone());
        // Dropped with its runtime or not, the flag is cleared.
        let flag = Looking(health.clone());
        tokio::spawn(async move {
            let _flag = flag;
            health.look_again(&link).await;
        });
    }

    async fn look_again(&self, link: &Link) {
        let settings = link.settings();
        let next = match look(link, PATIENCE).await {
            Ok(report) => State::of(&report, settings),
            Err(error) => {
                tracing::debug!(server = %settings, %error, "cannot look at the server's settings");
                self.state().looked_at = clock::now();
                return;
            }
        };
        let mut state = self.state();
        let began_to_evict = next.is_evicting && !state.is_evicting;
        let before = std::mem::replace(&mut *state, next);
        let after = state.durability;
        drop(state);
        if began_to_evict {
            tracing::error!(
                server = %settings,
                "redis will throw jobs away when its memory is full; type `CONFIG SET \
                 maxmemory-policy noeviction`",
            );
        }
        if after < before.durability {
            tracing::error!(
                server = %settings,
                before = %before.durability,
                after = %after,
                "redis keeps acknowledged jobs less safely than before; see its append-only file",
            );
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of(report: &Report, settings: &Settings) -> Self {
        Self {
            durability: report.durability(),
            warnings: report.warnings(settings),
            is_evicting: report.is_evicting(),
            looked_at: clock::now(),
        }
    }
}

/// Clears the flag of a look when it ends, also by the end of its runtime.
struct Looking(Arc<Health>);

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.is_looking.store(false, Ordering::Release);
    }
}

/// The line of releases that a version belongs to, and its place in that.
fn parts(version: &str) -> Option<((u32, u32), u32)> {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let line = (parts.next()?, parts.next().unwrap_or(0));
    Some((line, parts.next().unwrap_or(0)))
}

fn option(value: &Value) -> Option<(String, String)> {
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok().map(quoted),
        _ => None,
    };
    match value {
        Value::Array(pair) => Some((text(pair.first()?)?, text(pair.get(1)?)?)),
        Value::Map(pairs) => pairs.first().and_then(|pair| Some((text(&pair.0)?, text(&pair.1)?))),
        _ => None,
    }
}

/// What a server says about itself comes into messages.
fn printable_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(quoted).collect();
    lines.join("\n")
}

fn time_ms(value: &Value) -> Option<u64> {
    let Value::Array(parts) = value else { return None };
    let number = |value: &Value| match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok()?.parse::<u64>().ok(),
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    Some(reply::time_ms(number(parts.first()?)?, number(parts.get(1)?)?))
}

#[cfg(test)]
mod tests;
