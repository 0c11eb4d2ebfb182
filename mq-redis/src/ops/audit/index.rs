//! What refers to jobs: the notes of transfers, and the index of idempotency keys.

use mq_core::JobId;
use mq_core::engine::{EngineError, FindingKind};

use super::scan::FirstLook;
use super::{Audit, step};
use crate::link::Request;
use crate::ops::answer::{ask, list, number, pairs, text};
use crate::ops::transfer::Note;
use crate::ops::verb::{command, variadic_command};
use crate::script;

/// Keys per step.
const PAGE_LEN: usize = 1_000;

/// Checks that jobs between two queues can be carried on. Without a note that can be read a job
/// would be stuck; once it is removed, the job is nowhere and is made ready.
pub(super) async fn check_notes(audit: &mut Audit<'_>) -> Result<(), EngineError> {
    let key = audit.engine.keys.queue(audit.queue).moving();
    for (id, note) in pairs(audit.one(command("HGETALL", &key)).await?) {
        if audit.room() == 0 || Note::parse(&note).is_some() || JobId::parse(&id).is_err() {
            continue;
        }
        audit.add(FindingKind::Orphan, &id, "the note of a transfer that cannot be read");
        if audit.repair {
            audit.one(variadic_command("HDEL", &key, &[id])).await?;
        }
    }
    Ok(())
}

/// Checks that idempotency keys belong to jobs which have these keys, or will be forgotten.
pub(super) async fn check_keys(audit: &mut Audit<'_>, look: &FirstLook) -> Result<(), EngineError> {
    let keys = audit.engine.keys.queue(audit.queue);
    for (name, key) in [("HSCAN", keys.keys()), ("ZSCAN", keys.keys_expiry())] {
        let mut cursor = "0".to_owned();
        loop {
            let mut reply = list(audit.one(step(name, &key, &cursor, PAGE_LEN)).await?);
            cursor = reply.next().map(text).unwrap_or_default();
            let page = pairs(reply.next().unwrap_or_default()).into_iter();
            // Of a time that it ends at, nothing else is to be said.
            let holder = |of: Vec<u8>| if name == "HSCAN" { of } else { Vec::new() };
            let page: Vec<_> = page.map(|(key, of)| (key, holder(of))).collect();
            check_page(audit, look, &page).await?;
            if cursor == "0" || cursor.is_empty() {
                break;
            }
        }
    }
    Ok(())
}

async fn check_page(
    audit: &mut Audit<'_>,
    look: &FirstLook,
    page: &[(Vec<u8>, Vec<u8>)],
) -> Result<(), EngineError> {
    let keys = audit.engine.keys.queue(audit.queue);
    let names = [keys.jobs(), keys.keys(), keys.keys_expiry()];
    let mut rest = page;
    while !rest.is_empty() && audit.room() > 0 {
        let (chunk, after) = rest.split_at(rest.len().min(PAGE_LEN).min(audit.room()));
        rest = after;
        // The script looks at all structures at once, so this look is the second one as well; and a
        // record never gets another key.
        let mut args = vec![audit.mend_arg().to_vec()];
        for (key, holder) in chunk {
            let is_others = JobId::parse(holder).is_ok_and(|id| look.has_other_key(&id, key));
            args.extend([key.clone(), if is_others { holder.clone() } else { Vec::new() }]);
        }
        let mut request = Request::new();
        request.script(&script::AUDIT_KEYS, &names, &args);
        let wrong = list(ask(audit.engine, &request).await?.next().unwrap_or_default());
        for ((key, holder), wrong) in chunk.iter().zip(wrong) {
            let detail = match number(wrong) {
                Some(1) => "the idempotency key belongs to no job".to_owned(),
                Some(2) => {
                    let holder = super::shown(holder);
                    format!("the idempotency key names {holder}, which has not got it")
                }
                _ => continue,
            };
            audit.add(FindingKind::Orphan, key, detail);
        }
    }
    Ok(())
}
