//! The engines that are measured, by the names of their settings.

use std::fmt;
use std::str::FromStr;

use crate::fail::Fail;

/// An engine and how safe it is asked to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// Keeps nothing on disk.
    Redis,
    /// Syncs its log every second.
    RedisEverysec,
    /// Syncs its log before it answers.
    RedisAlways,
    /// A file that survives a crash of the process, not of the machine.
    Sqlite,
    /// A file that is synced by every commit.
    SqliteFull,
    /// Within one process.
    SqliteMemory,
}

impl Engine {
    pub(crate) const ALL: [Self; 6] = [
        Self::Redis,
        Self::RedisEverysec,
        Self::RedisAlways,
        Self::Sqlite,
        Self::SqliteFull,
        Self::SqliteMemory,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::RedisEverysec => "redis-everysec",
            Self::RedisAlways => "redis-always",
            Self::Sqlite => "sqlite",
            Self::SqliteFull => "sqlite-full",
            Self::SqliteMemory => "sqlite-memory",
        }
    }

    /// The name of a floor on this engine's store: `floor`, `floor-everysec`, `floor-sqlite`. A
    /// second kind of floor has a word of its own: `floor-safe`, `floor-safe-everysec`.
    pub(crate) fn floor(self, kind: &str) -> String {
        let store = self
            .name()
            .strip_prefix("redis")
            .map_or_else(|| format!("-{}", self.name()), str::to_owned);
        let kind = if kind.is_empty() { String::new() } else { format!("-{kind}") };
        format!("floor{kind}{store}")
    }

    pub(crate) fn is_redis(self) -> bool {
        matches!(self, Self::Redis | Self::RedisEverysec | Self::RedisAlways)
    }

    /// Whether several processes can use one store.
    pub(crate) fn is_shared(self) -> bool {
        self != Self::SqliteMemory
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = Fail;

    fn from_str(text: &str) -> Result<Self, Fail> {
        let found = Self::ALL.into_iter().find(|engine| engine.name() == text);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            Fail::usage(format!("there is no engine `{text}`: known are {known}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_found_by_name_and_others_refused_with_the_list() {
        for engine in Engine::ALL {
            assert_eq!(engine.name().parse::<Engine>().unwrap(), engine);
        }
        let refused = "mysql".parse::<Engine>().unwrap_err().to_string();
        assert!(refused.contains("`mysql`") && refused.contains("redis-everysec"), "{refused}");
    }

    #[test]
    fn floors_are_named_for_their_store() {
        assert_eq!(Engine::Redis.floor(""), "floor");
        assert_eq!(Engine::RedisAlways.floor(""), "floor-always");
        assert_eq!(Engine::Redis.floor("safe"), "floor-safe");
        assert_eq!(Engine::RedisEverysec.floor("safe"), "floor-safe-everysec");
        assert_eq!(Engine::SqliteFull.floor(""), "floor-sqlite-full");
    }
}
