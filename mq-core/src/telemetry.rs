//! Names of spans, events and fields: one place, because dashboards and alerts are built on them.
//!
//! They are a public interface and change only with a major version. The payload is never among
//! the fields.

/// Target of everything that a worker tells about jobs.
pub const TARGET_JOB: &str = "mq::job";
/// Target of everything about workers: start, stop, leases, sweeps.
pub const TARGET_WORKER: &str = "mq::worker";
/// Target of everything about the connection to the store.
pub const TARGET_ENGINE: &str = "mq::engine";

/// Field `alarm` of the event that handlers keep all threads of the runtime: nothing else tells
/// that jobs stand still, because leases are kept.
pub const ALARM_RUNTIME_STALLED: &str = "runtime_stalled";

/// Span around one attempt; its fields are `id`, `kind`, `queue` and `attempt`.
pub const SPAN_RUN: &str = "mq.run";
