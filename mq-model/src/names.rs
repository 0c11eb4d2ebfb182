//! Who acts, and under which claim.

use std::fmt;

/// What an incarnation is for: a process has one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Claims jobs and runs them.
    Puller,
    /// Takes over the jobs of those that are gone.
    Keeper,
}

/// Both.
pub const ROLES: [Role; 2] = [Role::Puller, Role::Keeper];

/// One worker incarnation, as a `WorkerId` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Who {
    /// The process.
    pub process: u8,
    /// What it is for.
    pub role: Role,
    /// Which incarnation, from 1.
    pub incarnation: u8,
}

/// A claim: the right to end the jobs of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    /// Who asked.
    pub who: Who,
    /// The number of the request, from 1.
    pub number: u8,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let process = char::from(b'A' + self.process);
        let role = if self.role == Role::Puller { "" } else { "keeper " };
        write!(f, "{role}{process}{}", self.incarnation)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.who, self.number)
    }
}
