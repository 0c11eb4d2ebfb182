//! What an engine brings to the suite, and how a case is run on it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mq_core::engine::{Engine, FindingKind, ListRequest, QueueStats};
use mq_core::{QueueName, State};

/// No case needs longer, on the slowest machine that we test on.
const CASE_MAX: Duration = Duration::from_secs(120);

/// A fresh, empty store with a clock that only the case moves.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The handle under test; the same one at each call.
    fn engine(&self) -> Arc<dyn Engine>;

    /// Another handle on the same store and clock, connected by itself.
    async fn second(&self) -> Arc<dyn Engine>;

    /// Moves the store's clock on, for every handle.
    async fn advance(&self, by: Duration);

    /// What the store's clock shows, ms since 1970. It stands still between calls of
    /// [`advance`](Self::advance).
    fn now_ms(&self) -> u64;
}

/// Runs one case on a fresh fixture, then looks whether the store is in order.
///
/// # Panics
/// When the case fails, leaves something behind that disagrees with itself, or takes too long.
pub fn run<F, M>(make: impl FnOnce() -> M, case: impl AsyncFnOnce(&dyn Fixture))
where
    F: Fixture,
    M: Future<Output = F>,
{
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    let whole_case = async {
        let fixture = make().await;
        case(&fixture).await;
        inspect(&*fixture.engine()).await;
    };
    // The timer must be made inside the runtime.
    let ran = runtime.block_on(async { tokio::time::timeout(CASE_MAX, whole_case).await });
    assert!(ran.is_ok(), "the case took longer than {CASE_MAX:?}");
}

/// Asserts that a store at rest agrees with itself: an audit finds nothing, and the sizes that
/// `stats` reports are those that `list` shows.
///
/// # Panics
/// When it does not.
pub async fn inspect(engine: &dyn Engine) {
    for queue in engine.queues().await.expect("queues") {
        let mut report = engine.audit(&queue, false).await.expect("audit");
        // There are cases that store bytes which are no record, and such that wait and never claim.
        let is_meant = |kind| matches!(kind, FindingKind::Unreadable | FindingKind::Asleep);
        report.findings.retain(|finding| !is_meant(finding.kind));
        assert!(report.findings.is_empty(), "queue {queue:?}: {:#?}", report.findings);
        let stats = engine.stats(&queue).await.expect("stats");
        let mut jobs = 0;
        for state in State::ALL {
            let listed = count(engine, &queue, state).await;
            assert_eq!(size(&stats, state), listed, "queue {queue:?}, {state} in stats and list");
            jobs += listed;
        }
        assert_eq!(report.jobs, jobs, "queue {queue:?}: jobs that the audit saw");
    }
}

fn size(stats: &QueueStats, state: State) -> u64 {
    match state {
        State::Ready => {
            assert_eq!(stats.ready, stats.ready_by_priority.iter().sum::<u64>());
            stats.ready
        }
        State::Scheduled => stats.scheduled + stats.retrying,
        State::Running => stats.running,
        State::Done => stats.done,
        State::Dead => stats.dead,
        State::Cancelled => stats.cancelled,
        _ => 0,
    }
}

async fn count(engine: &dyn Engine, queue: &QueueName, state: State) -> u64 {
    let mut cursor = None;
    let mut count = 0;
    loop {
        let request = ListRequest { queue: queue.clone(), state, cursor, limit: 1_000 };
        let page = engine.list(request).await.expect("list");
        count += page.jobs.len() as u64;
        cursor = page.next;
        if cursor.is_none() {
            return count;
        }
    }
}
