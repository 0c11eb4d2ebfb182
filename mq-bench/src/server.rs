//! What a Redis server says about itself.

use redis::{Connection, cmd};

use crate::fail::Fail;
use crate::store::Place;

/// A connection that asks and does nothing else.
pub(crate) struct Server(Connection);

impl Server {
    /// The server at a place; none if there is none.
    pub(crate) fn at(place: &Place) -> Result<Option<Self>, Fail> {
        let Place::Redis { url } = place else { return Ok(None) };
        Ok(Some(Self(redis::Client::open(url.as_str())?.get_connection()?)))
    }

    /// A figure of a section of `INFO`.
    pub(crate) fn info(&mut self, section: &str, name: &str) -> Result<f64, Fail> {
        let text: String = cmd("INFO").arg(section).query(&mut self.0)?;
        figure(&text, name)
    }

    /// How many keys there are.
    pub(crate) fn keys(&mut self) -> Result<f64, Fail> {
        Ok(cmd("DBSIZE").query::<u64>(&mut self.0)? as f64)
    }
}

fn figure(text: &str, name: &str) -> Result<f64, Fail> {
    let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = values.next().and_then(|value| value.trim().parse().ok());
    value.ok_or_else(|| Fail::new(format!("the server does not say its {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_found_by_its_whole_name() {
        let text = "# Memory\r\nused_memory_rss:9\r\nused_memory:1024\r\nused_memory_human:1K\r\n";
        assert_eq!(figure(text, "used_memory").unwrap(), 1024.0);
        assert!(figure(text, "used").is_err());
        assert!(figure(text, "used_memory_human").is_err());
    }
}
