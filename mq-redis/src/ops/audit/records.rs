//! Records that no worker could decode.

use mq_core::engine::{Act, BATCH_MAX, EngineError, FindingKind, Stored};

use mq_core::{History, JobId, Record, RecordError, State};

use super::Audit;
use super::scan::FirstLook;
use crate::ops::locate::get;
use crate::ops::verb::{self, Seen, Verb};
use crate::script;

/// Looks again at the jobs whose records could not be read, and buries those that wait if asked to.
/// Those that run are about to be buried by their workers, and the others have ended.
pub(super) async fn check(audit: &mut Audit<'_>, look: &FirstLook) -> Result<(), EngineError> {
    let suspects: Vec<_> = look.unreadable.iter().copied().collect();
    let mut rest = &suspects[..];
    while !rest.is_empty() && audit.room() > 0 {
        let (chunk, after) = rest.split_at(rest.len().min(BATCH_MAX).min(audit.room()));
        rest = after;
        let stored = get(audit.engine, audit.queue, chunk).await?;
        let mut waiting: Vec<(JobId, String)> = stored.iter().flatten().filter_map(wrong).collect();
        if audit.repair {
            let acts = bury(audit, &waiting).await?;
            let mut acts = acts.into_iter();
            waiting.retain(|_| acts.next() == Some(Act::Applied));
        }
        for (id, error) in waiting {
            audit.add(FindingKind::Unreadable, &id.to_text(), error);
        }
    }
    Ok(())
}

/// The job and what is wrong with its record, if it waits.
fn wrong(job: &Stored) -> Option<(JobId, String)> {
    let waits = matches!(job.state, State::Ready | State::Scheduled);
    let error = damage(&job.record).filter(|_| waits)?;
    Some((job.id, error.to_string()))
}

/// Why no worker will ever decode a record; none if one can, be it one of a newer mq.
pub(super) fn damage(record: &[u8]) -> Option<RecordError> {
    match Record::decode(record) {
        Ok(_) | Err(RecordError::Version(_) | RecordError::Feature(_)) => None,
        Err(error) => Some(error),
    }
}

async fn bury(audit: &Audit<'_>, jobs: &[(JobId, String)]) -> Result<Vec<Act>, EngineError> {
    let ids: Vec<_> = jobs.iter().map(|(id, _)| *id).collect();
    let args = |seen: &Seen| {
        let read = seen.history.clone().unwrap_or_default();
        let error = &jobs[seen.index].1;
        let history = History::decode(&read).malformed(seen.now_ms, error);
        vec![seen.id.clone(), read, history.encode()]
    };
    let first = audit.engine.now_arg();
    let verb = Verb { script: &script::DISCARD, first, reads: true, args: &args };
    verb::apply(audit.engine, audit.queue, &ids, &verb).await
}
