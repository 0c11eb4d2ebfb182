//! Enqueueing as a part of the application's own transaction.

use super::{Enqueue, EnqueueAll, EnqueueError, EnqueueSet, Enqueued};
use crate::client::Client;
use crate::engine::{EngineError, EngineErrorKind, NewJob, Transaction};
use crate::job::Job;

impl<J> Enqueue<J> {
    /// Stores the job as a part of a transaction on the application's own database, instead of
    /// awaiting: it exists if and only if the transaction is committed, and workers see it then.
    ///
    /// The client must be connected to that database, which for SQLite is
    /// `sqlite:app.db?database=application`. Begin the transaction as one that writes
    /// (`IMMEDIATE`), or it can fail because somebody else has written since it began. The
    /// receipt's durability is that of the application's connection, once it commits; its `id` is
    /// good only then.
    ///
    /// Blocks for as long as the database's library does.
    ///
    /// # Errors
    /// See [`EnqueueError`]. The transaction is left as it was; roll it back or go on without the
    /// job.
    pub fn in_transaction<T, Of>(self, tx: &T) -> Result<Enqueued, EnqueueError>
    where
        T: Transaction<Of> + ?Sized,
    {
        let job = (self.prepare)(&self.options, &self.job, self.client.payload_limit())?;
        let receipts = send(&self.client, tx, vec![job])?;
        receipts.into_iter().next().ok_or_else(|| super::no_receipt().into())
    }
}

impl<J: Job, I: Iterator<Item = J>> EnqueueAll<'_, J, I> {
    /// Stores the jobs as a part of a transaction on the application's own database, all or none;
    /// see [`Enqueue::in_transaction`].
    ///
    /// # Errors
    /// See [`EnqueueError`]; never `Partial`.
    pub fn in_transaction<T, Of>(self, tx: &T) -> Result<Vec<Enqueued>, EnqueueError>
    where
        T: Transaction<Of> + ?Sized,
    {
        let client = self.client.clone();
        let jobs = self.prepared().collect::<Result<Vec<_>, _>>()?;
        send(&client, tx, jobs)
    }
}

impl EnqueueSet {
    /// Stores the jobs as a part of a transaction on the application's own database, all or none;
    /// see [`Enqueue::in_transaction`].
    ///
    /// # Errors
    /// See [`EnqueueError`]; never `Partial`.
    pub fn in_transaction<T, Of>(self, tx: &T) -> Result<Vec<Enqueued>, EnqueueError>
    where
        T: Transaction<Of> + ?Sized,
    {
        let client = self.client.clone();
        send(&client, tx, self.prepared()?)
    }
}

fn send<T, Of>(
    client: &Client,
    tx: &T,
    mut jobs: Vec<NewJob>,
) -> Result<Vec<Enqueued>, EnqueueError>
where
    T: Transaction<Of> + ?Sized,
{
    let Some(database) = client.engine().database() else {
        let text = "this client's store is no database of your application: connect the client to \
                    the database that the transaction is on, for example by \
                    `sqlite:app.db?database=application`";
        return Err(EngineError::new(EngineErrorKind::Invalid, text).into());
    };
    jobs.iter_mut().try_for_each(|job| client.seal(job))?;
    let replies = tx.enqueue(&database, &jobs)?;
    let durability = tx.durability()?;
    Ok(replies.into_iter().map(|reply| Enqueued::new(reply, durability)).collect())
}
