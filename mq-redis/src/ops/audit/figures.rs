//! Counters, times, and the marker that wakes a worker.

use mq_core::engine::{EngineError, FindingKind};
use redis::Value;

use super::Audit;
use crate::link::Request;
use crate::ops::answer::{ask, bytes, list, number};
use crate::script;

/// Whether jobs are ready and no marker is there. That is so for a moment whenever a worker has
/// taken it and not yet claimed, so it counts only if it was so at the beginning and at the end.
/// Not an error if the structures cannot be read: others report that.
pub(super) async fn is_asleep(audit: &Audit<'_>) -> Result<bool, EngineError> {
    let mut request = Request::new();
    let keys = audit.engine.keys.queue(audit.queue);
    let keys = [keys.ready(0), keys.ready(1), keys.ready(2), keys.paused(), keys.wake()];
    request.script(&script::AUDIT_WAKE, &keys, &[b"0"]);
    let values = audit.engine.link.run(&request, crate::link::USUAL).await?;
    Ok(values.first() == Some(&Value::Int(1)))
}

/// Looks at the marker again, and sets it if asked to.
pub(super) async fn check_wake(audit: &mut Audit<'_>) -> Result<(), EngineError> {
    let keys = audit.engine.keys.queue(audit.queue);
    let names = [keys.ready(0), keys.ready(1), keys.ready(2), keys.paused(), keys.wake()];
    if audit.room() == 0 || !is_asleep(audit).await? {
        return Ok(());
    }
    let mut request = Request::new();
    request.script(&script::AUDIT_WAKE, &names, &[audit.mend_arg()]);
    if ask(audit.engine, &request).await?.next().and_then(number) == Some(1) {
        let detail = "jobs are ready, and no marker wakes a worker";
        audit.add(FindingKind::Asleep, keys.wake().as_bytes(), detail);
    }
    Ok(())
}

/// Counters that do not count, and times that are none.
pub(super) async fn check(audit: &mut Audit<'_>) -> Result<(), EngineError> {
    let keys = audit.engine.keys.queue(audit.queue);
    let names =
        [keys.stats(), keys.rates(), keys.recent(), keys.swept(), keys.grace(), keys.paused()];
    let room = audit.room().to_string().into_bytes();
    let args = [audit.engine.now_arg(), audit.mend_arg().to_vec(), room];
    let mut request = Request::new();
    request.script(&script::AUDIT_FIGURES, &names, &args);
    let mut found = list(ask(audit.engine, &request).await?.next().unwrap_or_default());
    while let (Some(what), Some(value)) = (found.next(), found.next()) {
        let (what, value) = (bytes(what).unwrap_or_default(), bytes(value).unwrap_or_default());
        let detail = format!("the figure is `{}`", super::shown(&value));
        audit.add(FindingKind::Garbage, &what, detail);
    }
    Ok(())
}
