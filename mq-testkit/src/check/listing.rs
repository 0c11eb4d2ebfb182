//! What a store has, as it says itself.

use mq_core::engine::{EngineError, ListRequest};
use mq_core::{Client, State};

use super::rules::{Final, Place};

/// How many jobs are asked for at a time.
const PAGE: usize = 1000;

impl Final {
    /// Lists all jobs of all queues and asks for an audit. For a store at rest: of jobs that move
    /// meanwhile some may be missed, and some seen twice.
    ///
    /// # Errors
    /// What the store says.
    pub async fn listed(client: &Client) -> Result<Self, EngineError> {
        let (engine, mut end) = (client.engine(), Self::default());
        for queue in engine.queues().await? {
            for state in State::ALL {
                let mut cursor = None;
                loop {
                    let queue = queue.clone();
                    let page = engine.list(ListRequest { queue, state, cursor, limit: PAGE });
                    let page = page.await?;
                    let place = |queue| Place { queue, state };
                    end.api.extend(page.jobs.into_iter().map(|job| (job.id, place(job.queue))));
                    cursor = page.next;
                    if cursor.is_none() {
                        break;
                    }
                }
            }
            let report = engine.audit(&queue, false).await?;
            end.findings.extend(report.findings.iter().map(|found| format!("{queue}: {found:?}")));
        }
        Ok(end)
    }
}
