//! From a URL to settings, without ever showing the password.
// Reads what others wrote, which must never make it panic.
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use mq_core::engine::{EngineError, EngineErrorKind};
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};

const PORT: u16 = 6379;
const PREFIX: &str = "mq";
const PREFIX_LEN_MAX: usize = 64;
const OPTIONS: [&str; 7] = [
    "prefix",
    "db",
    "connect_timeout",
    "response_timeout",
    "allow_eviction",
    "allow_replica",
    "allow_old_version",
];

/// The URL schemes that lead here.
pub(crate) const SCHEMES: &[&str] =
    &["redis", "rediss", "valkey", "valkeys", "redis+unix", "valkey+unix", "unix"];

/// Everything that a URL says about a server and how to use it.
///
/// `Display` and `Debug` show neither password nor user name.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    address: Address,
    username: Option<String>,
    password: Option<String>,
    database: i64,
    /// Before all keys.
    pub(crate) prefix: String,
    /// For TCP and TLS together.
    pub(crate) connect_timeout: Duration,
    /// A connection that leaves a request unanswered for so long is given up.
    pub(crate) response_timeout: Duration,
    /// Work with a server that may throw jobs away when its memory is full.
    pub(crate) allow_eviction: bool,
    /// Work with a replica, which is of use for looking only.
    pub(crate) allow_replica: bool,
    /// Work with a server older than those that mq is tested with.
    pub(crate) allow_old_version: bool,
}

#[derive(Clone, PartialEq, Eq)]
enum Address {
    Tcp {
        host: String,
        port: u16,
    },
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "made with the feature only"))]
    Tls {
        host: String,
        port: u16,
    },
    Unix(PathBuf),
}

impl Settings {
    /// Reads a URL: `redis://[[user]:password@]host[:port][/database][?option=value&…]`,
    /// `rediss://` for TLS, `redis+unix:///path/of/socket`.
    ///
    /// # Errors
    /// `Invalid`, naming the part that is wrong but never the password.
    pub(crate) fn parse(url: &str) -> Result<Self, EngineError> {
        let url = url.trim();
        let (scheme, rest) = split_scheme(url)?;
        if rest.contains('#') {
            return Err(wrong("it has a `#`: write it as %23 if it belongs to the password"));
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        if query.contains('@') {
            return Err(encode_password('?'));
        }
        let slash = place.find('/').unwrap_or(place.len());
        let (authority, path) = place.split_at(slash);
        let (userinfo, host_port) = match authority.rsplit_once('@') {
            Some((userinfo, host_port)) => (Some(userinfo), host_port),
            None => (None, authority),
        };
        // The path of a socket may have one, but not behind what may be the half of a password.
        if path.contains('@') && (!scheme.ends_with("unix") || userinfo.is_some()) {
            return Err(encode_password('/'));
        }
        let (username, password) = credentials(userinfo)?;
        let (address, database) = match scheme {
            "unix" | "redis+unix" | "valkey+unix" => (socket(host_port, path)?, 0),
            _ => (tcp(scheme, host_port)?, database(path.trim_matches('/'))?),
        };
        let mut settings = Self { username, password, database, ..Self::plain(address) };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            settings.set(name, &decode(value, "the query")?)?;
        }
        Ok(settings)
    }

    fn plain(address: Address) -> Self {
        Self {
            address,
            username: None,
            password: None,
            database: 0,
            prefix: PREFIX.to_owned(),
            connect_timeout: Duration::from_secs(3),
            // A worker's sign of life that meets a deaf connection must come through on the next
            // one before its lease of 15 s ends.
            response_timeout: Duration::from_secs(4),
            allow_eviction: false,
            allow_replica: false,
            allow_old_version: false,
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), EngineError> {
        match name {
            "prefix" => self.prefix = prefix(value)?,
            "db" => self.database = database(value)?,
            "connect_timeout" => self.connect_timeout = duration(name, value)?,
            "response_timeout" => self.response_timeout = duration(name, value)?,
            "allow_eviction" => self.allow_eviction = switch(name, value)?,
            "allow_replica" => self.allow_replica = switch(name, value)?,
            "allow_old_version" => self.allow_old_version = switch(name, value)?,
            _ => return Err(unknown_option(name)),
        }
        Ok(())
    }

    /// Number of the database on the server.
    pub(crate) fn database(&self) -> i64 {
        self.database
    }

    /// Whether there is a password.
    pub(crate) fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// Whether only this machine can be meant.
    pub(crate) fn is_local(&self) -> bool {
        match &self.address {
            Address::Unix(_) => true,
            Address::Tcp { host, .. } | Address::Tls { host, .. } => {
                host == "localhost"
                    || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }

    /// What the client library needs to connect.
    pub(crate) fn connection_info(&self) -> redis::RedisResult<ConnectionInfo> {
        let address = match &self.address {
            Address::Tcp { host, port } => ConnectionAddr::Tcp(host.clone(), *port),
            Address::Tls { host, port } => ConnectionAddr::TcpTls {
                host: host.clone(),
                port: *port,
                insecure: false,
                tls_params: None,
            },
            Address::Unix(path) => ConnectionAddr::Unix(path.clone()),
        };
        let mut login = RedisConnectionInfo::default()
            .set_db(self.database)
            .set_lib_name("mq", env!("CARGO_PKG_VERSION"));
        if let Some(username) = &self.username {
            login = login.set_username(username);
        }
        if let Some(password) = &self.password {
            login = login.set_password(password);
        }
        // Off by default in this library, and a request would wait for the ACK of the one before.
        let tcp = redis::io::tcp::TcpSettings::default().set_nodelay(true);
        Ok(address.into_connection_info()?.set_redis_settings(login).set_tcp_settings(tcp))
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = if self.username.is_some() || self.password.is_some() { "***@" } else { "" };
        match &self.address {
            Address::Tcp { host, port } => write_host(f, "redis", hidden, host, *port)?,
            Address::Tls { host, port } => write_host(f, "rediss", hidden, host, *port)?,
            Address::Unix(path) => write!(f, "redis+unix://{hidden}{}", path.display())?,
        }
        match (&self.address, self.database) {
            (_, 0) => Ok(()),
            (Address::Unix(_), database) => write!(f, "?db={database}"),
            (_, database) => write!(f, "/{database}"),
        }
    }
}

fn write_host(
    f: &mut fmt::Formatter<'_>,
    scheme: &str,
    hidden: &str,
    host: &str,
    port: u16,
) -> fmt::Result {
    let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
    write!(f, "{scheme}://{hidden}{open}{host}{close}:{port}")
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("url", &format_args!("{self}"))
            .field("prefix", &self.prefix)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .finish_non_exhaustive()
    }
}

fn split_scheme(url: &str) -> Result<(&str, &str), EngineError> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(wrong("it has no scheme: write redis://host:port"));
    };
    let Some(scheme) = SCHEMES.iter().find(|known| scheme.eq_ignore_ascii_case(known)) else {
        return Err(wrong(&format!("its scheme is none of {}", SCHEMES.join(", "))));
    };
    match rest.strip_prefix("//") {
        Some(rest) => Ok((scheme, rest)),
        None if *scheme == "unix" => Ok((scheme, rest)),
        None => Err(wrong(&format!("`//` is missing after `{scheme}:`"))),
    }
}

fn credentials(userinfo: Option<&str>) -> Result<(Option<String>, Option<String>), EngineError> {
    let Some(userinfo) = userinfo else { return Ok((None, None)) };
    let (username, password) = match userinfo.split_once(':') {
        Some((username, password)) => (username, Some(password)),
        None => (userinfo, None),
    };
    if password.is_none() && !username.is_empty() {
        // The library would ignore such a name, and the server would not know who we are.
        return Err(wrong(
            "it has a user name without a password: write user:password@host, or :password@host \
             if there is only a password",
        ));
    }
    let username = decode(username, "the user name")?;
    let password = password.map(|text| decode(text, "the password")).transpose()?;
    let given = |text: String| (!text.is_empty()).then_some(text);
    Ok((given(username), password.and_then(given)))
}

fn socket(host: &str, path: &str) -> Result<Address, EngineError> {
    if !host.is_empty() {
        return Err(wrong("a socket has no host: write redis+unix:///path/of/the.sock"));
    }
    if path.len() < 2 {
        return Err(wrong("the path of the socket is missing: redis+unix:///path/of/the.sock"));
    }
    Ok(Address::Unix(PathBuf::from(decode(path, "the path")?)))
}

fn tcp(scheme: &str, host_port: &str) -> Result<Address, EngineError> {
    if host_port.contains(',') {
        return Err(wrong("it names several hosts, which this version of mq cannot use: give one"));
    }
    let (host, port) = match host_port.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest
                .split_once(']')
                .ok_or_else(|| wrong("the `]` that ends the IPv6 address is missing"))?;
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(wrong("what stands between `[` and `]` is not an IPv6 address"));
            }
            (host, port)
        }
        None => host_port.split_at(host_port.find(':').unwrap_or(host_port.len())),
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => PORT,
        // Not shown: it may be a part of a password that was not encoded.
        digits => digits
            .and_then(|digits| digits.parse().ok())
            .filter(|port| *port != 0)
            .ok_or_else(|| wrong("its port is not a number from 1 to 65535"))?,
    };
    let host = decode(host, "the host")?;
    check_host(&host)?;
    match scheme {
        "rediss" | "valkeys" => tls(host, port),
        _ => Ok(Address::Tcp { host, port }),
    }
}

fn check_host(host: &str) -> Result<(), EngineError> {
    let is_odd = |character: char| character.is_whitespace() || character.is_control();
    match host {
        "" => Err(wrong("its host is missing: write redis://host:port")),
        "0.0.0.0" | "::" => Err(wrong(
            "its host is an address that servers listen on, not one to connect to: use 127.0.0.1",
        )),
        _ if host.contains(is_odd) => Err(wrong("its host contains white space")),
        _ => Ok(()),
    }
}

#[cfg(feature = "tls")]
fn tls(host: String, port: u16) -> Result<Address, EngineError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Loses a race only against somebody who installs one as well, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    Ok(Address::Tls { host, port })
}

#[cfg(not(feature = "tls"))]
fn tls(_host: String, _port: u16) -> Result<Address, EngineError> {
    Err(wrong("it asks for TLS, which is not compiled in: enable the feature `tls` of mq"))
}

fn database(text: &str) -> Result<i64, EngineError> {
    if text.is_empty() {
        return Ok(0);
    }
    let number = text
        .parse::<u16>()
        .map_err(|_| wrong("its database is not a number: write redis://host:port/0"))?;
    Ok(i64::from(number))
}

fn prefix(text: &str) -> Result<String, EngineError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    if text.is_empty() || text.len() > PREFIX_LEN_MAX || !text.bytes().all(is_plain) {
        return Err(wrong(&format!(
            "its prefix must have 1 to {PREFIX_LEN_MAX} of the characters A-Z a-z 0-9 . _ : -"
        )));
    }
    Ok(text.to_owned())
}

fn duration(name: &str, text: &str) -> Result<Duration, EngineError> {
    let unit_at = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => 0,
    };
    let ms = digits.parse::<u64>().unwrap_or(0).saturating_mul(unit_ms);
    if !(1..=3_600_000).contains(&ms) {
        return Err(wrong(&format!(
            "{name} is not a time from 1ms to 60m: write for example {name}=5s"
        )));
    }
    Ok(Duration::from_millis(ms))
}

fn switch(name: &str, text: &str) -> Result<bool, EngineError> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong(&format!("{name} is neither `true` nor `false`"))),
    }
}

fn decode(text: &str, what: &str) -> Result<String, EngineError> {
    let bad = || {
        wrong(&format!(
            "{what} has a `%` that is not followed by two hex digits, or \
         bytes that are not UTF-8: write `%` itself as %25"
        ))
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, tail @ ..] = rest else { return Err(bad()) };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else { return Err(bad()) };
        bytes.push((high * 16 + low) as u8);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

fn unknown_option(name: &str) -> EngineError {
    let shown: String = name.chars().take(32).flat_map(char::escape_debug).collect();
    let near = OPTIONS.iter().map(|known| (distance(name, known), *known)).min();
    match near {
        Some((distance, known)) if distance <= 3 => {
            wrong(&format!("it has an unknown option `{shown}`: did you mean `{known}`?"))
        }
        _ => {
            wrong(&format!("it has an unknown option `{shown}`: there are {}", OPTIONS.join(", ")))
        }
    }
}

/// How many characters must be put in, taken out or changed (Levenshtein); long names are far.
#[expect(clippy::indexing_slicing, reason = "the row has one place more than `b`")]
fn distance(a: &str, b: &str) -> usize {
    if a.len() > 32 {
        return usize::MAX;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn encode_password(character: char) -> EngineError {
    let code = u32::from(character);
    wrong(&format!(
        "there is a `@` after a `{character}`: if the password contains `{character}`, write it \
         as %{code:X}; a `@` in a path or option is written as %40"
    ))
}

fn wrong(what: &str) -> EngineError {
    EngineError::new(EngineErrorKind::Invalid, format!("the URL of redis is not usable: {what}"))
}

#[cfg(test)]
mod tests;
