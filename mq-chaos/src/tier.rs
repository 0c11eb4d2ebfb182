//! How much of the fault matrix a run tries.

/// How long a run may take. Said by the variable `MQ_TIER`; `commit` if it is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// With each commit: minutes for all of it.
    Commit,
    /// Each night: an hour.
    Nightly,
    /// Before a release: a day, if it must be.
    Release,
}

impl Tier {
    /// What the variable says.
    ///
    /// # Panics
    /// When it says something else.
    pub fn of_this_run() -> Self {
        match std::env::var("MQ_TIER").as_deref() {
            Err(_) | Ok("" | "commit") => Self::Commit,
            Ok("nightly") => Self::Nightly,
            Ok("release") => Self::Release,
            Ok(other) => panic!("MQ_TIER is commit, nightly or release, not `{other}`"),
        }
    }

    /// The size of something in this tier.
    pub fn pick<T>(self, commit: T, nightly: T, release: T) -> T {
        match self {
            Self::Commit => commit,
            Self::Nightly => nightly,
            Self::Release => release,
        }
    }
}
