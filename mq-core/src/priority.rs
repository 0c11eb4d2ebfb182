//! Three levels of urgency inside one queue.

use serde::{Deserialize, Serialize};

/// Which of a queue's ready jobs go first: all `High` before all `Normal` before all `Low`.
///
/// Inside one level, first in is first out. For weights and shares between kinds of work use
/// several queues instead: a steady stream of `High` jobs holds the others up.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Before everything else in the queue.
    High,
    /// The default.
    #[default]
    Normal,
    /// After everything else in the queue.
    Low,
}

impl Priority {
    /// All levels, most urgent first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// The stored number: 0 is most urgent.
    pub const fn level(self) -> u8 {
        match self {
            Self::High => 0,
            Self::Normal => 1,
            Self::Low => 2,
        }
    }

    /// The reverse of [`level`](Self::level).
    pub const fn from_level(level: u8) -> Option<Self> {
        match level {
            0 => Some(Self::High),
            1 => Some(Self::Normal),
            2 => Some(Self::Low),
            _ => None,
        }
    }
}
