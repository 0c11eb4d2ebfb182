//! What every command has at hand.

use mq::Client;
use mq::admin::Admin;
use mq::engine::Engine;
use serde::Serialize;

use crate::fail::Fail;
use crate::out;

/// A connected engine, and the form in which answers are wanted.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) client: Client,
    pub(crate) admin: Admin,
    json: bool,
}

impl App {
    pub(crate) async fn connect(url: Option<&str>, json: bool) -> Result<Self, Fail> {
        // A variable that is set to nothing is as good as none.
        let Some(url) = url.filter(|url| !url.is_empty()) else {
            return Err(Fail::usage(
                "no engine is named: set MQ_URL or give --url, for example \
                 `--url redis://127.0.0.1:6379` or `--url sqlite:jobs.db`",
            ));
        };
        let keys = std::env::var("MQ_KEYS").unwrap_or_default();
        let client = with_keys(Client::connect(existing(url)).await?, &keys)?;
        Ok(Self { admin: client.admin(), client, json })
    }

    pub(crate) fn engine(&self) -> &dyn Engine {
        &**self.client.engine()
    }

    /// Prints the answer: the value for scripts, or the text for people.
    pub(crate) fn show<T: Serialize>(
        &self,
        value: &T,
        text: impl FnOnce() -> String,
    ) -> Result<(), Fail> {
        if self.json { out::write(&out::json(value)?) } else { out::write(text().trim_end()) }
    }
}

/// From a variable only: other users of the machine can see arguments.
#[cfg(feature = "seal")]
fn with_keys(client: Client, keys: &str) -> Result<Client, Fail> {
    if keys.trim().is_empty() {
        return Ok(client);
    }
    let keys: mq::seal::Keys =
        keys.parse().map_err(|error| Fail::usage(format!("MQ_KEYS cannot be used: {error}")))?;
    Ok(client.sealed(keys))
}

#[cfg(not(feature = "seal"))]
fn with_keys(client: Client, keys: &str) -> Result<Client, Fail> {
    if keys.trim().is_empty() {
        return Ok(client);
    }
    Err(Fail::usage("MQ_KEYS is set, but this `mq` was built without its feature `seal`"))
}

/// The same URL, but a file that is not there is not made: whoever looks at it has mistyped it.
/// One that says `mode=…` itself is left as it is.
fn existing(url: &str) -> String {
    let is_file = url.starts_with("sqlite:") && !url.contains(":memory:");
    if !is_file || url.contains("mode=") {
        return url.to_owned();
    }
    let sign = if url.contains('?') { '&' } else { '?' };
    format!("{url}{sign}mode=rw")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_must_be_there() {
        assert_eq!(existing("sqlite:a.db"), "sqlite:a.db?mode=rw");
        let full = "sqlite:a.db?synchronous=full";
        assert_eq!(existing(full), format!("{full}&mode=rw"));
        for as_it_is in ["redis://a/?mode", "sqlite::memory:", "sqlite:a.db?mode=rwc"] {
            assert_eq!(existing(as_it_is), as_it_is);
        }
    }
}
