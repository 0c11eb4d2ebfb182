//! From a URL to an engine: engine crates register drivers, core names none of them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::engine::{Engine, EngineError};

/// An engine crate's entry for some URL schemes.
///
/// ```text
/// inventory::submit! { Driver { schemes: &["redis", "rediss"], feature: "redis", connect } }
/// ```
#[derive(Debug)]
pub struct Driver {
    /// The URL schemes it takes, without `:`.
    pub schemes: &'static [&'static str],
    /// Opens the store that a URL names, checks that it is fit for use, and returns a handle.
    pub connect: fn(url: String) -> Connecting,
}

/// An engine on its way.
pub type Connecting = Pin<Box<dyn Future<Output = Result<Arc<dyn Engine>, ConnectError>> + Send>>;

inventory::collect!(Driver);

/// A client could not be connected.
///
/// Never shows a password: texts name the URL's scheme and host only.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// No engine takes this sort of URL.
    Scheme {
        /// The scheme that was asked for.
        scheme: String,
        /// The schemes of the engines that are built in.
        known: Vec<&'static str>,
    },
    /// The URL cannot be understood; the text says which part and what to write instead.
    Url(String),
    /// The store is set up in a way that would lose jobs; the text says what to type.
    Unfit(String),
    /// The store was not reached or refused.
    Engine(EngineError),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme { scheme, known } if known.is_empty() => {
                write!(f, "no engine for `{scheme}:`: none is built in, enable a feature of mq")
            }
            Self::Scheme { scheme, known } => {
                write!(f, "no engine for `{scheme}:`: this build knows {}", known.join(", "))?;
                match scheme.as_str() {
                    "redis" | "rediss" => f.write_str("; Redis needs the feature `redis`"),
                    "sqlite" => f.write_str("; SQLite needs the feature `sqlite`"),
                    _ => Ok(()),
                }
            }
            Self::Url(text) | Self::Unfit(text) => f.write_str(text),
            Self::Engine(_) => f.write_str("the store cannot be used"),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Engine(error) => Some(error),
            _ => None,
        }
    }
}

impl From<EngineError> for ConnectError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

/// Opens the store that the URL names.
pub(crate) async fn connect(url: &str) -> Result<Arc<dyn Engine>, ConnectError> {
    let Some((scheme, _)) = url.split_once(':') else {
        // Not shown: what is pasted here by mistake may be a password.
        let text = "the text given is not a URL: write, for example, `sqlite:jobs.db` or \
            `redis://127.0.0.1:6379`";
        return Err(ConnectError::Url(text.to_owned()));
    };
    let scheme = scheme.to_ascii_lowercase();
    let drivers: Vec<&Driver> = inventory::iter::<Driver>.into_iter().collect();
    match drivers.iter().find(|driver| driver.schemes.contains(&scheme.as_str())) {
        Some(driver) => (driver.connect)(url.to_owned()).await,
        None => {
            let mut known: Vec<_> =
                drivers.iter().flat_map(|d| d.schemes.iter().copied()).collect();
            known.sort_unstable();
            Err(ConnectError::Scheme { scheme: scheme.escape_debug().to_string(), known })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_opened_is_named_without_its_secrets() {
        let text = async |url| connect(url).await.unwrap_err().to_string();
        let odd = text("postgres://user:s3cret@host/db").await;
        assert!(odd.contains("`postgres:`") && !odd.contains("s3cret"), "{odd}");
        let bare = text("s3cret").await;
        assert!(bare.contains("redis://127.0.0.1:6379") && !bare.contains("s3cret"), "{bare}");
    }
}
