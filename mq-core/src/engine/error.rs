//! What can go wrong between mq and a store.

use std::fmt;

/// A store did not do what it was asked.
///
/// `Display` says what, why and what to do; the cause of the layer below is in
/// [`source`](std::error::Error::source), not in the text.
#[derive(Debug)]
pub struct EngineError {
    kind: EngineErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The classes of failures that callers treat differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EngineErrorKind {
    /// The store was not reached in time; the request surely had no effect.
    Unavailable,
    /// The store was lost in the middle; the request may have had its effect. Repeating the same
    /// one is safe, with the same ids: to enqueue anew makes another job, unless it has an
    /// idempotency key.
    Unknown,
    /// The store is at its memory or disk limit and refuses to take more.
    Full,
    /// The store refuses by rule: wrong password, missing permission, read-only replica.
    Denied,
    /// The data in the store is not what mq put there.
    Damaged,
    /// The request itself is wrong, for example larger than the contract allows.
    Invalid,
}

impl EngineError {
    /// An error of a class, with a message for people.
    pub fn new(kind: EngineErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The class.
    pub fn kind(&self) -> EngineErrorKind {
        self.kind
    }

    /// Whether the same request may succeed later without anybody doing anything.
    pub fn is_retryable(&self) -> bool {
        use EngineErrorKind as Kind;
        matches!(self.kind, Kind::Unavailable | Kind::Unknown | Kind::Full)
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EngineError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
