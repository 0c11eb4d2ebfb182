//! Queues of which a part is not what mq put there: the words about each, once a minute for each
//! sort of request.

use mq_core::QueueName;
use mq_core::telemetry::TARGET_WORKER;

use crate::told::Told;

/// What was said about damaged queues lately.
#[derive(Debug, Default)]
pub(crate) struct Damage(Told);

impl Damage {
    /// A request found a queue damaged.
    pub(crate) fn tell(&self, queue: &QueueName, request: &'static str, error: &str) {
        if self.0.is_new(&format!("{request} {queue}")) {
            tracing::error!(
                target: TARGET_WORKER, %queue, request, error,
                "the data of this queue is damaged; other queues go on, this one is tried again \
                 every 2 s; find out who writes there, and see `mq audit`"
            );
        }
    }
}
