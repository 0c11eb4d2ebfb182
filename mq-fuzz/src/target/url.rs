//! URLs of servers, which hold a password.
//!
//! * Any text is read or refused with a message that can be printed.
//! * Neither what is shown of a URL nor why it is refused ever has the password in it, nor is the
//!   name of the user shown.

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
    deep_min: 12,
};

/// Nothing else has these characters in a row.
const SECRET: &str = "Zq9Xw7";

/// The end of it, which is the same when its first letter is encoded.
const SECRET_END: &str = "q9Xw7";

fn check(bytes: &[u8]) {
    let raw = String::from_utf8_lossy(bytes);
    look(&raw);
    passwords_in(&raw).iter().for_each(|url| hides(url));
    // One that has a password, and anything else around it.
    let mut source = Source::new(bytes);
    let (user, before, after) = (source.text(), source.text(), source.text());
    let rest = source.text();
    for scheme in ["redis", "rediss", "redis+unix"] {
        let user = user.replace([':', '/', '?', '@', '#'], "");
        hides(&format!("{scheme}://{user}:{before}{SECRET}{after}@{rest}"));
        hides(&format!("{scheme}://{user}:{before}%5a{SECRET_END}{after}@{rest}"));
        let (shown, said) = look(&format!("{scheme}://{SECRET}{user}:{before}@{rest}"));
        assert!(!shown || !said.contains(SECRET_END), "{said}");
    }
}

/// The input as it is, with the secret at the end of what may be its password and at the beginning.
fn passwords_in(raw: &str) -> Vec<String> {
    let place = raw.split_once(':').and_then(|(_, rest)| rest.strip_prefix("//"));
    // What begins with a slash is a path, which is shown.
    let Some(place) = place.filter(|place| !place.starts_with('/')) else { return Vec::new() };
    let Some((login, _)) = place.rsplit_once('@') else { return Vec::new() };
    let Some((user, _)) = login.split_once(':') else { return Vec::new() };
    let start = raw.len() - place.len();
    let with_secret = |at: usize| format!("{}{SECRET}{}", &raw[..at], &raw[at..]);
    [start + user.len() + 1, start + login.len()].map(with_secret).to_vec()
}

fn hides(url: &str) {
    let (_, said) = look(url);
    assert!(!said.contains(SECRET_END), "{said}");
}

/// Whether it is a URL, and what is shown of it or said against it.
fn look(url: &str) -> (bool, String) {
    match mq_redis::fuzzing::url(url) {
        Ok(shown) => {
            promise::deep();
            (true, shown)
        }
        Err(error) => {
            promise::message(&error.to_string());
            (false, error.to_string())
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_put_where_passwords_are_and_nowhere_else() {
        let found = passwords_in("redis://u:p@h/1");
        assert_eq!(found, ["redis://u:Zq9Xw7p@h/1", "redis://u:pZq9Xw7@h/1"]);
        assert_eq!(passwords_in("x://u:p@q:é@h")[1], "x://u:p@q:éZq9Xw7@h");
        for none in ["", "redis://h", "redis://u@h", "unix:/a:b@c", "redis+unix:///a:b@c"] {
            assert!(passwords_in(none).is_empty(), "{none}");
        }
    }
}
