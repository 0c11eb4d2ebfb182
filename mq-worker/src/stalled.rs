//! Notices when handlers keep all threads of the runtime that runs jobs: no job starts or ends
//! then, while the leases are kept, so that nobody else would see that anything is wrong.

use std::future::ready;
use std::time::Duration;

use mq_core::clock::now;
use mq_core::telemetry::{ALARM_RUNTIME_STALLED, TARGET_WORKER};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

/// With the patience less than 2 s until it is said.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a task that does nothing may take.
const PATIENCE: Duration = Duration::from_millis(750);

/// Tries again and again whether a task comes to its turn, and says when none does.
pub(crate) async fn watch(runtime: &Handle) {
    loop {
        let began = now();
        let mut probe = runtime.spawn(ready(()));
        if timeout(PATIENCE, &mut probe).await.is_err() {
            tracing::warn!(
                target: TARGET_WORKER, alarm = ALARM_RUNTIME_STALLED,
                "handlers keep all threads of the runtime, no job starts or ends; mark jobs that \
                 compute or wait without `await` as blocking"
            );
            let _ = probe.await;
            let for_ms = began.elapsed().as_millis() as u64;
            tracing::info!(target: TARGET_WORKER, for_ms, "the runtime has free threads again");
        }
        sleep(INTERVAL).await;
    }
}

/// Whether no task comes to its turn now.
pub(crate) async fn is_stalled(runtime: &Handle) -> bool {
    timeout(PATIENCE, runtime.spawn(ready(()))).await.is_err()
}
