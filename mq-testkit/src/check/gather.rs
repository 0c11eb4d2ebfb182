//! What a store has at the end of a run, by its own word.

use mq_core::engine::{BATCH_MAX, Engine, EngineError, ListRequest};
use mq_core::{Client, QueueName, State};

use super::rules::{Final, Place};

const STATES: [State; 6] =
    [State::Ready, State::Scheduled, State::Running, State::Done, State::Dead, State::Cancelled];

impl Final {
    /// All jobs of all queues as the store lists them, and what its audit finds. To be asked when
    /// nothing moves any more.
    ///
    /// # Errors
    /// When the store is not reached.
    pub async fn of(client: &Client) -> Result<Self, EngineError> {
        let engine = &**client.engine();
        let mut end = Self::default();
        for queue in engine.queues().await? {
            for state in STATES {
                end.list(engine, &queue, state).await?;
            }
            let report = engine.audit(&queue, false).await?;
            end.findings.extend(report.findings.iter().map(|finding| format!("{finding:?}")));
        }
        Ok(end)
    }

    async fn list(
        &mut self,
        engine: &dyn Engine,
        queue: &QueueName,
        state: State,
    ) -> Result<(), EngineError> {
        let mut cursor = None;
        loop {
            let request = ListRequest { queue: queue.clone(), state, cursor, limit: BATCH_MAX };
            let page = engine.list(request).await?;
            let place = |queue| Place { queue, state };
            self.api.extend(page.jobs.into_iter().map(|job| (job.id, place(job.queue))));
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }
}
