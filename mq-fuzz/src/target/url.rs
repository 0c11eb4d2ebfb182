//! URLs of servers, which hold a password.
//!
//! * Any text is read or refused with a message that can be printed.
//! * Neither what is shown of a URL nor why it is refused ever has the password in it.

use super::Target;
use crate::input::Source;
use crate::promise;

pub(super) const TARGET: Target = Target {
    name: "url",
    check,
    seeds,
    words: &[
        b"redis://",
        b"rediss://",
        b"redis+unix://",
        b"unix:",
        b"@",
        b":",
        b"/",
        b"?",
        b"&",
        b"prefix=",
        b"db=",
        b"connect_timeout=5s",
        b"allow_replica=true",
        b"[::1]",
        b"%40",
        b"%",
        b"%ff",
        b"#",
        b"65536",
    ],
    slow: false,
};

/// Nothing else has these characters in a row.
const SECRET: &str = "Zq9Xw7";

fn check(bytes: &[u8]) {
    look(&String::from_utf8_lossy(bytes));
    // One that has a password, and anything else around it.
    let mut source = Source::new(bytes);
    let (user, before, after) = (source.text(), source.text(), source.text());
    let rest = source.text();
    for scheme in ["redis", "rediss", "redis+unix"] {
        let user = user.replace([':', '/', '?', '@', '#'], "");
        look(&format!("{scheme}://{user}:{before}{SECRET}{after}@{rest}"));
    }
}

fn look(url: &str) {
    let said = match mq_redis::fuzzing::url(url) {
        Ok(shown) => {
            promise::deep();
            shown
        }
        Err(error) => {
            promise::message(&error.to_string());
            error.to_string()
        }
    };
    assert!(!said.contains(SECRET), "{said}");
}

fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "redis://localhost",
        "valkey://:pass%40word@127.0.0.1:6380/3?prefix=app:mq&db=2",
        "rediss://user:pass@[::1]:6379",
        "redis+unix:///run/redis.sock?connect_timeout=250ms",
        "redis://host?response_timeout=5s&allow_eviction=true&allow_old_version=yes",
        "unix:/tmp/a.sock",
        "redis:localhost",
        "http://localhost",
        "redis://user@host",
        "redis://",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
