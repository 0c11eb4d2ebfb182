//! Transactions that are not mq's own.

use super::{Durability, EngineError, EnqueueReply, NewJob};

/// An open transaction of the application, on the database in which a store keeps its jobs.
///
/// Jobs that are enqueued in it exist if and only if it is committed, together with whatever else
/// the application does there. The feature `sqlite` implements it for `rusqlite`'s `Transaction`,
/// `Savepoint` and `Connection`; see [`Enqueue::in_transaction`](crate::Enqueue::in_transaction).
///
/// `Of` is a type of the engine's crate, and there is one per library: without it, Rust would not
/// let an engine implement this for a library's types. The compiler finds it out.
///
/// Sealed by convention until 1.0, as [`Engine`](super::Engine).
pub trait Transaction<Of> {
    /// Stores jobs as [`Engine::enqueue`](super::Engine::enqueue) does, all or none, as a part of
    /// this transaction. `database` is what [`Engine::database`](super::Engine::database) of the
    /// client's engine says.
    ///
    /// # Errors
    /// `Invalid` if no transaction is open, or if it is on another database. `Unavailable` if
    /// somebody else has the lock or has written since the transaction began. After any error the
    /// transaction is as it was before.
    fn enqueue(&self, database: &str, jobs: &[NewJob]) -> Result<Vec<EnqueueReply>, EngineError>;

    /// What a job survives once the transaction is committed.
    ///
    /// # Errors
    /// When the database cannot say.
    fn durability(&self) -> Result<Durability, EngineError>;
}
